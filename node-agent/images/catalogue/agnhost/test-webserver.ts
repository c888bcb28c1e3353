/** `agnhost test-webserver`: the container's files over HTTP, on port 80. */
import { parseGoFlags } from '../go-flags.ts';
import { GO_TERMINATED, serviceProgram } from '../service.ts';
import { readStatic } from '../static-files.ts';

export const testWebserver = serviceProgram(async (service) => {
  const { flags } = parseGoFlags(service.context.argv.slice(2), { port: 80 });
  service.onSignals(['SIGTERM', 'SIGINT'], () => service.finish(GO_TERMINATED));
  await service.http({ port: flags.port }, (request, response) => {
    const found = readStatic(service.context.container.files, '/', request.url ?? '/');
    switch (found.kind) {
      case 'file':
        response.writeHead(200, { 'content-type': found.type, 'content-length': found.bytes.length }).end(found.bytes);
        return;
      case 'directory': {
        const entries = found.names.map((name) => `<a href="${encodeURIComponent(name)}">${name}</a>`);
        response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
        response.end(`<pre>\n${entries.join('\n')}\n</pre>\n`);
        return;
      }
      default:
        response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('404 page not found\n');
    }
  });
});
