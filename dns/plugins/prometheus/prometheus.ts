/** `/metrics` in the Prometheus text format, with CoreDNS' names. */
import { whenAnswered } from '../../answering.ts';
import { expectWords, wrong } from '../../directive.ts';
import { type HttpEndpoint, parseListenAddress, serveHttp } from '../../http-endpoint.ts';
import type { PluginContext, PluginSetup } from '../../plugin.ts';
import { matchingZone } from '../../zone.ts';
import { ZoneMetrics } from './zone-metrics.ts';

export const setupPrometheus: PluginSetup = (directive, context) => {
  expectWords(directive, 0, 1, 'an address such as :9153');
  const listen = parseListenAddress(directive.words[0] ?? ':9153');
  if (listen === undefined) throw wrong(directive, 'an address such as :9153');
  const { pluginMetrics, metrics, network, clock, zones, server } = context;
  const byZone = new Map(zones.map((zone) => [zone, new ZoneMetrics(pluginMetrics, server, `${zone}.`)]));
  // Queries of a block are in one of its zones.
  const metricsOf = (key: string): ZoneMetrics | undefined => byZone.get(matchingZone(key, zones) ?? '');
  const forget: (() => void)[] = [];
  let endpoint: HttpEndpoint | undefined;
  return {
    handler: (next) => (query) => {
      const startMs = clock.monotonicMs();
      return whenAnswered(next(query), (reply) => {
        metricsOf(query.question.key)?.answered(query, reply.rcode, (clock.monotonicMs() - startMs) / 1000);
        return reply;
      });
    },
    sent: (query, bytes) => metricsOf(query.question.key)?.sent(query, bytes),
    async start() {
      forget.push(...tellOfPlugins(context));
      endpoint = await serveHttp(network, listen, '/metrics', async () => ({
        status: 200,
        ...(await metrics.expose()),
      }));
    },
    async stop() {
      for (const one of forget.splice(0)) one();
      await endpoint?.close();
    },
  };
};

/** `coredns_plugin_enabled` and `coredns_build_info`; returns what takes them back. */
function tellOfPlugins({ pluginMetrics, directives, server, zones, version }: PluginContext): (() => void)[] {
  const gauge = pluginMetrics.gauge({
    name: 'coredns_plugin_enabled',
    help: 'A metric that indicates whether a plugin is enabled on per server and zone basis.',
    labelNames: ['server', 'zone', 'view', 'name'],
  });
  const build = pluginMetrics.gauge({
    name: 'coredns_build_info',
    help: "A metric with a constant '1' value labeled by version, revision, and goversion from which CoreDNS was built.",
    labelNames: ['version', 'revision', 'goversion'],
  });
  build.set({ version, revision: 'podwire', goversion: '' }, () => 1);
  const names = [...new Set(directives.map(({ name }) => name))];
  return zones.flatMap((zone) =>
    names.map((name) => {
      const labels = { server, zone: `${zone}.`, view: '', name };
      const read = (): number => 1;
      gauge.set(labels, read);
      return () => gauge.delete(labels, read);
    }),
  );
}
