/** `/health`: the process answers. On a stop it goes on answering queries for the `lameduck` time, so that clients move away. */
import { durationWord, expectWords, unknownProperty, wrong } from '../../directive.ts';
import { type HttpEndpoint, parseListenAddress, serveHttp } from '../../http-endpoint.ts';
import type { PluginSetup } from '../../plugin.ts';

export const setupHealth: PluginSetup = (directive, { network, clock, print }) => {
  expectWords(directive, 0, 1, 'an address such as :8080');
  const listen = parseListenAddress(directive.words[0] ?? ':8080');
  if (listen === undefined) throw wrong(directive, 'an address such as :8080');
  let lameduckMs = 0;
  for (const property of directive.block ?? []) {
    if (property.name !== 'lameduck') throw unknownProperty(property, ['lameduck']);
    expectWords(property, 1, 1, 'a duration such as 5s');
    lameduckMs = durationWord(property, 0);
  }
  let endpoint: HttpEndpoint | undefined;
  return {
    async start() {
      endpoint = await serveHttp(network, listen, '/health', () => ({ status: 200, body: 'OK' }));
    },
    async stop(reason) {
      if (reason === 'shutdown' && lameduckMs > 0) {
        print('INFO', `plugin/health: Going into lameduck mode for ${lameduckMs / 1000}s`);
        await clock.sleep(lameduckMs);
      }
      await endpoint?.close();
    },
  };
};
