/** What cilium/json-mock serves, at `$PORT` or 80: `/`, `/public`, `/private`, and from where it was asked. */
import { serviceProgram } from '../service.ts';

const DEFAULT_PORT = 80;
const RESOURCES: Readonly<Record<string, unknown>> = {
  '/public': [{ id: 1, body: 'public information' }],
  '/private': [{ id: 1, body: 'private information' }],
};

export const jsonServer = serviceProgram(async (service) => {
  const port = Number(service.context.env.PORT ?? DEFAULT_PORT);
  await service.http({ port }, (request, response) => {
    const path = (request.url ?? '').replace(/\?.*/s, '');
    const clientIp = { 'client-ip': request.socket.remoteAddress };
    const found = path === '/client-ip' ? clientIp : RESOURCES[path];
    if (path === '/') response.setHeader('Content-Type', 'text/html; charset=utf-8').end('<h1>JSON Server</h1>\n');
    else if (found === undefined) json(404, {});
    else json(200, found);
    service.print(`${request.method} ${request.url} ${response.statusCode}`);

    function json(status: number, value: unknown): void {
      response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' });
      response.end(`${JSON.stringify(value, null, 2)}\n`);
    }
  });
  service.print(`JSON Server is running at http://localhost:${port}`);
  service.onSignals(['SIGTERM', 'SIGINT'], () => service.finish(0));
});
