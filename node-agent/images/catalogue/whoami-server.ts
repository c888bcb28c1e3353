/** The program of the whoami image: `/`, `/api`, `/bench`, `/data`, `/echo` (WebSocket), `/health`. */
import type { IncomingMessage } from 'node:http';
import { pause, readAll } from '../program-io.ts';
import { parseGoDuration, parseGoFlags } from './go-flags.ts';
import { goLogLine } from './go-log.ts';
import { goHeaders } from './http-headers.ts';
import { GO_TERMINATED, type HttpHandler, type Service, serviceProgram } from './service.ts';
import { listenHttps } from './tls-service.ts';
import { upgradeToEcho } from './web-socket-echo.ts';

const MAX_DATA_BYTES = 64 << 20;
const UNIT_BYTES: Readonly<Record<string, number>> = { kb: 1 << 10, mb: 1 << 20 };

interface Health {
  status: number;
}

export const whoami = serviceProgram(async (service) => {
  const { argv, env, container } = service.context;
  const { flags } = parseGoFlags(argv.slice(1), {
    port: env.WHOAMI_PORT_NUMBER ?? '80',
    name: env.WHOAMI_NAME ?? '',
    cert: '',
    key: '',
    verbose: false,
  });
  service.onSignals(['SIGTERM', 'SIGINT'], () => service.finish(GO_TERMINATED));
  const health: Health = { status: 200 };
  const port = Number(flags.port);
  const handler: HttpHandler = async (request, response) => {
    if (flags.verbose) service.log(goLogLine(`${request.socket.remoteAddress} - "${request.method} ${request.url}"`));
    const url = new URL(request.url ?? '/', 'http://whoami');
    switch (url.pathname) {
      case '/health':
        response.statusCode = request.method === 'POST' ? await learnStatus(request, health) : health.status;
        response.end();
        return;
      case '/api':
        response.setHeader('Content-Type', 'application/json');
        response.end(`${JSON.stringify(await fields(service, request, flags.name))}\n`);
        return;
      case '/bench':
        response.setHeader('Content-Type', 'text/plain').end('1');
        return;
      case '/data':
        response.setHeader('Content-Type', 'application/octet-stream').end(data(url.searchParams));
        return;
      default: {
        await pause(parseGoDuration(url.searchParams.get('wait') ?? '0') ?? 0, service.context.signal);
        response.setHeader('Content-Type', 'text/plain; charset=utf-8');
        response.end(await description(service, request, flags.name));
      }
    }
  };
  const listener =
    flags.cert === '' || flags.key === ''
      ? await service.http({ port }, handler)
      : await listenHttps(service, { port }, handler, {
          cert: container.files.readText(flags.cert),
          key: container.files.readText(flags.key),
        });
  listener.onUpgrade(upgradeToEcho('/echo'));
  service.log(goLogLine(`Starting up on port ${port}`));
});

/** `POST /health` with a status as body: what `GET /health` answers from now on. */
async function learnStatus(request: IncomingMessage, health: Health): Promise<number> {
  const status = Number((await readAll(request)).toString().trim());
  if (!Number.isInteger(status) || status < 200 || status > 599) return 400;
  health.status = status;
  return 200;
}

async function fields(service: Service, request: IncomingMessage, name: string): Promise<object> {
  const { container } = service.context;
  const addresses = await container.network.addresses();
  return {
    hostname: container.hostname,
    ip: addresses.map(({ address }) => address),
    headers: goHeaders(request.rawHeaders),
    url: request.url,
    host: request.headers.host,
    method: request.method,
    ...(name === '' ? {} : { name }),
    remoteAddr: `${request.socket.remoteAddress}:${request.socket.remotePort}`,
  };
}

async function description(service: Service, request: IncomingMessage, name: string): Promise<string> {
  const { container } = service.context;
  const addresses = await container.network.addresses();
  return [
    ...(name === '' ? [] : [`Name: ${name}`]),
    `Hostname: ${container.hostname}`,
    ...addresses.map(({ address }) => `IP: ${address}`),
    `RemoteAddr: ${request.socket.remoteAddress}:${request.socket.remotePort}`,
    `${request.method} ${request.url} HTTP/${request.httpVersion}`,
    `Host: ${request.headers.host ?? ''}`,
    ...Object.entries(goHeaders(request.rawHeaders)).flatMap(([header, values]) =>
      values.map((value) => `${header}: ${value}`),
    ),
    '',
    '',
  ].join('\n');
}

/** `?size=10&unit=kb`: so many bytes of letters. */
function data(query: URLSearchParams): Buffer {
  const unit = UNIT_BYTES[(query.get('unit') ?? '').toLowerCase()] ?? 1;
  const size = Number(query.get('size') ?? 1) * unit;
  return Buffer.alloc(
    Number.isFinite(size) ? Math.min(Math.max(size, 0), MAX_DATA_BYTES) : 0,
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ-',
  );
}
