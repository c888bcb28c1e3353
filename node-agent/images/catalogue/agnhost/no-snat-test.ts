/** `agnhost no-snat-test`: do pods see each other's own addresses? `/whoami` tells, `/checknosnat?ips=a,b` asks others. */
import { parseGoFlags } from '../go-flags.ts';
import { goNetworkError } from '../go-network-error.ts';
import { exchange } from '../http-exchange.ts';
import { GO_TERMINATED, type Service, serviceProgram } from '../service.ts';

const ANSWER_TIMEOUT_MS = 5000;

export const noSnatTest = serviceProgram(async (service) => {
  const { flags } = parseGoFlags(service.context.argv.slice(2), { port: '8080' });
  service.onSignals(['SIGTERM', 'SIGINT'], () => service.finish(GO_TERMINATED));
  await service.http({ port: Number(flags.port) }, async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://pod');
    switch (url.pathname) {
      case '/whoami':
        response.end(request.socket.remoteAddress);
        return;
      case '/checknosnat': {
        const targets = (url.searchParams.get('ips') ?? '').split(',').filter((target) => target !== '');
        const complaints = await translatedOnTheWay(service, targets);
        response.writeHead(complaints.length === 0 ? 200 : 500).end(complaints.join('\n'));
        return;
      }
      default:
        response.writeHead(404).end('404 page not found\n');
    }
  });
});

/** One sentence for each target (`ip:port`) that saw an address that is not ours, or could not be asked. */
async function translatedOnTheWay(service: Service, targets: readonly string[]): Promise<string[]> {
  const { container, env, signal } = service.context;
  const own = new Set((await container.network.addresses()).map(({ address }) => address));
  if (env.POD_IP !== undefined) own.add(env.POD_IP);
  const complaints = await Promise.all(
    targets.map(async (target) => {
      try {
        const url = new URL(`http://${target}/whoami`);
        const seen = (await exchange({ container, url, timeoutMs: ANSWER_TIMEOUT_MS, signal })).body.toString();
        return own.has(seen) ? undefined : `${target} saw ${seen}, which is none of ${[...own].join(', ')}`;
      } catch (error) {
        return goNetworkError(error, 'dial tcp', target);
      }
    }),
  );
  return complaints.filter((complaint) => complaint !== undefined);
}
