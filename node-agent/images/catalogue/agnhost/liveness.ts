/** `agnhost liveness`: `/healthz` is good for ten seconds and bad ever after, as the Kubernetes page on probes has it. */
import { GO_TERMINATED, serviceProgram } from '../service.ts';

const PORT = 8080;
const HEALTHY_MS = 10_000;

export const liveness = serviceProgram(async (service) => {
  const startedMs = performance.now();
  service.onSignals(['SIGTERM', 'SIGINT'], () => service.finish(GO_TERMINATED));
  await service.http({ port: PORT }, (request, response) => {
    const sinceSeconds = (performance.now() - startedMs) / 1000;
    if (request.url === '/started') response.writeHead(200).end(`${sinceSeconds}s`);
    else if (request.url !== '/healthz') response.writeHead(404).end('404 page not found\n');
    else if (sinceSeconds * 1000 > HEALTHY_MS) response.writeHead(500).end(`error: ${sinceSeconds}`);
    else response.writeHead(200).end('ok');
  });
});
