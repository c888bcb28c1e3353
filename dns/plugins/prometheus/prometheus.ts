/** `/metrics` in the Prometheus text format, with CoreDNS' names. */
import { whenAnswered } from '../../answering.ts';
import { expectWords, wrong } from '../../directive.ts';
import { type HttpEndpoint, parseListenAddress, serveHttp } from '../../http-endpoint.ts';
import type { PluginSetup } from '../../plugin.ts';
import { matchingZone } from '../../zone.ts';

export const setupPrometheus: PluginSetup = (directive, { queryMetrics, metrics, network, clock, zones, port }) => {
  expectWords(directive, 0, 1, 'an address such as :9153');
  const listen = parseListenAddress(directive.words[0] ?? ':9153');
  if (listen === undefined) throw wrong(directive, 'an address such as :9153');
  const server = `dns://:${port}`;
  const shownZones = new Map(zones.map((zone) => [zone, `${zone}.`]));
  let endpoint: HttpEndpoint | undefined;
  return {
    handler: (next) => (query) => {
      const startMs = clock.monotonicMs();
      return whenAnswered(next(query), (reply) => {
        const zone = shownZones.get(matchingZone(query.question.key, zones) ?? '') ?? '.';
        const seconds = (clock.monotonicMs() - startMs) / 1000;
        queryMetrics.observe({ server, zone, query, rcode: reply.rcode, seconds });
        return reply;
      });
    },
    async start() {
      endpoint = await serveHttp(network, listen, '/metrics', async () => ({
        status: 200,
        ...(await metrics.expose()),
      }));
    },
    async stop() {
      await endpoint?.close();
    },
  };
};
