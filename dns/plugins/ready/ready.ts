/** `/ready`: 200 once every plugin that reports readiness is ready, else 503 with the names of the others. */
import { expectWords, wrong } from '../../directive.ts';
import { type HttpEndpoint, parseListenAddress, serveHttp } from '../../http-endpoint.ts';
import type { PluginSetup } from '../../plugin.ts';

export const setupReady: PluginSetup = (directive, { network, notReady }) => {
  expectWords(directive, 0, 1, 'an address such as :8181');
  const listen = parseListenAddress(directive.words[0] ?? ':8181');
  if (listen === undefined) throw wrong(directive, 'an address such as :8181');
  let endpoint: HttpEndpoint | undefined;
  return {
    async start() {
      endpoint = await serveHttp(network, listen, '/ready', () => {
        const waiting = notReady();
        return waiting.length === 0 ? { status: 200, body: 'OK' } : { status: 503, body: waiting.join(',') };
      });
    },
    async stop() {
      await endpoint?.close();
    },
  };
};
