/** The program of the httpd image: files, folder listings, a common log on standard output. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { commonLogLine, whenAnswered } from './access-log.ts';
import { HTDOCS, HTTPD_CONF } from './httpd.ts';
import { type Service, serviceProgram } from './service.ts';
import { readStatic } from './static-files.ts';
import { sendStatic } from './static-response.ts';

const SERVER = 'Apache/2.4.62 (Unix)';
const GRACE_MS = 30_000;

interface Site {
  readonly port: number;
  readonly root: string;
}

export const httpd = serviceProgram(async (service) => {
  const site = readSite(service);
  const listener = await service.http({ port: site.port }, (request, response) => {
    whenAnswered(request, response, (entry) => service.print(commonLogLine(entry)));
    response.setHeader('Server', SERVER);
    answer(service, site, request, response);
  });
  notice(service, `AH00489: ${SERVER} configured -- resuming normal operations`);
  service.onSignals(['SIGTERM', 'SIGINT'], (signal) => {
    notice(service, `AH00491: caught ${signal}, shutting down`);
    service.finish(0);
  });
  service.onSignals(['SIGWINCH'], () => {
    notice(service, 'AH00492: caught SIGWINCH, shutting down gracefully');
    void listener.close(GRACE_MS).then(() => service.finish(0));
  });
});

/** `Listen` and `DocumentRoot` of httpd.conf; other directives have no meaning here. */
function readSite(service: Service): Site {
  const { files } = service.context.container;
  const text = files.exists(HTTPD_CONF) ? files.readText(HTTPD_CONF) : '';
  const port = /^\s*Listen\s+(?:\S+:)?(\d+)/m.exec(text)?.[1] ?? '80';
  const root = /^\s*DocumentRoot\s+"?([^"\n]+?)"?\s*$/m.exec(text)?.[1] ?? HTDOCS;
  return { port: Number(port), root };
}

function answer(service: Service, site: Site, request: IncomingMessage, response: ServerResponse): void {
  const { files } = service.context.container;
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET,HEAD');
    sendStatus(response, 405, 'Method Not Allowed');
    return;
  }
  const found = readStatic(files, site.root, path);
  if (found.kind === 'file') sendStatic(request, response, found);
  else if (found.kind === 'absent') sendStatus(response, 404, 'Not Found');
  else if (!path.endsWith('/')) {
    response.setHeader('Location', `http://${request.headers.host ?? ''}${path}/`);
    sendStatus(response, 301, 'Moved Permanently');
  } else {
    const index = readStatic(files, site.root, `${path}index.html`);
    if (index.kind === 'file') sendStatic(request, response, index);
    else sendListing(response, path, found.names);
  }
}

function sendStatus(response: ServerResponse, status: number, title: string): void {
  const page = `<html><head>\n<title>${status} ${title}</title>\n</head><body>\n<h1>${title}</h1>\n</body></html>\n`;
  response.writeHead(status, {
    'Content-Type': 'text/html; charset=iso-8859-1',
    'Content-Length': Buffer.byteLength(page),
  });
  response.end(page);
}

function sendListing(response: ServerResponse, path: string, names: readonly string[]): void {
  const items = names.map((name) => `<li><a href="${encodeURIComponent(name)}"> ${name}</a></li>`);
  const title = `Index of ${path}`;
  response.writeHead(200, { 'Content-Type': 'text/html;charset=UTF-8' });
  response.end(
    `<html>\n<head><title>${title}</title></head>\n<body>\n<h1>${title}</h1>\n<ul>${items.join('\n')}\n</ul>\n</body></html>\n`,
  );
}

function notice(service: Service, text: string): void {
  service.log(`[${new Date().toUTCString()}] [mpm_event:notice] [pid 1:tid 1] ${text}`);
}
