/**
 * The program of echo-basic: HTTP on HTTP_PORT (3000), HTTP/2 without TLS on H2C_PORT (3001), and HTTPS on HTTPS_PORT
 * (8443) when TLS_SERVER_CERT and TLS_SERVER_PRIVKEY name files. What it answers is the JSON that conformance tests read.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type PeerCertificate, TLSSocket } from 'node:tls';
import { pause } from '../../program-io.ts';
import { parseGoDuration } from '../go-flags.ts';
import { goHeaders, headerText } from '../http-headers.ts';
import { GO_TERMINATED, type HttpHandler, type Service, serviceProgram } from '../service.ts';
import { listenHttps } from '../tls-service.ts';
import { upgradeToEcho } from '../web-socket-echo.ts';

interface Surroundings {
  readonly httpPort: string;
  readonly context: Readonly<Record<'namespace' | 'ingress' | 'service' | 'pod', string>>;
}

export const echoBasic = serviceProgram(async (service) => {
  const { env } = service.context;
  const {
    HTTP_PORT = '3000',
    H2C_PORT = '3001',
    HTTPS_PORT = '8443',
    TLS_SERVER_CERT = '',
    TLS_SERVER_PRIVKEY = '',
  } = env;
  service.onSignals(['SIGTERM', 'SIGINT'], () => service.finish(GO_TERMINATED));
  const surroundings: Surroundings = {
    httpPort: HTTP_PORT,
    context: {
      namespace: env.NAMESPACE ?? '',
      ingress: env.INGRESS_NAME ?? '',
      service: env.SERVICE_NAME ?? '',
      pod: env.POD_NAME ?? '',
    },
  };
  const handler = pathHandler(service, surroundings);
  (await service.http({ port: Number(HTTP_PORT) }, handler)).onUpgrade(upgradeToEcho('/ws'));
  service.print(`Starting server, listening on port ${HTTP_PORT} (http)`);
  await listenH2c(service, Number(H2C_PORT), surroundings);
  service.print(`Starting server, listening on port ${H2C_PORT} (h2c)`);
  if (TLS_SERVER_CERT === '' || TLS_SERVER_PRIVKEY === '') return;
  const { files } = service.context.container;
  const authorities = env.TLS_CLIENT_CACERTS;
  const https = await listenHttps(service, { port: Number(HTTPS_PORT) }, handler, {
    cert: files.readText(TLS_SERVER_CERT),
    key: files.readText(TLS_SERVER_PRIVKEY),
    ...(authorities === undefined
      ? {}
      : { ca: files.readText(authorities), requestCert: true, rejectUnauthorized: false }),
  });
  https.onUpgrade(upgradeToEcho('/ws'));
  service.print(`Starting server, listening on port ${HTTPS_PORT} (https)`);
});

/** HTTP/2 is loaded with the first connection that comes for it. */
async function listenH2c(service: Service, port: number, surroundings: Surroundings): Promise<void> {
  const http2 = import('node:http2').then(({ createServer }) => {
    const server = createServer();
    server.on('request', (request, response) => {
      // What the handler uses of HTTP/1's request and response, HTTP/2's compatible ones have too.
      const pair = [request as unknown as IncomingMessage, response as unknown as ServerResponse] as const;
      void service.answer((message, answer) => echo(service, surroundings, message, answer), ...pair);
    });
    server.on('sessionError', (_error, session) => session.destroy());
    return server;
  });
  await service.tcp({ port }, (socket) => {
    void http2.then((server) => server.emit('connection', socket));
  });
}

function pathHandler(service: Service, surroundings: Surroundings): HttpHandler {
  const failures = new Map<string, number>();
  return async (request, response) => {
    const url = new URL((request.url ?? '/').replaceAll('//', '/'), 'http://echo');
    if (url.pathname === '/health') response.end('OK');
    else if (url.pathname.startsWith('/status/')) {
      const [, status = '400'] = /^\/status\/(\d{3})$/.exec(request.url ?? '') ?? [];
      response.writeHead(Number(status)).end();
    } else if (url.pathname.startsWith('/retry/') && (await failsThisTime(service, url, failures))) {
      const status = Number(url.searchParams.get('responseCode') ?? 0);
      if (status > 0) response.writeHead(status).end();
      else request.socket.destroy();
    } else await echo(service, surroundings, request, response);
  };
}

/** `?uuid=X&succeedAfter=N`: the first N requests with this X fail. */
async function failsThisTime(service: Service, url: URL, failures: Map<string, number>): Promise<boolean> {
  const uuid = url.searchParams.get('uuid') ?? '';
  const count = failures.get(uuid) ?? 0;
  if (count >= Number(url.searchParams.get('succeedAfter') ?? 0)) return false;
  failures.set(uuid, count + 1);
  await pause(parseGoDuration(url.searchParams.get('delayRetry') ?? '0') ?? 0, service.context.signal);
  return true;
}

async function echo(
  service: Service,
  surroundings: Surroundings,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { socket } = request;
  service.print(`Echoing back request made to ${request.url} to client (${socket.remoteAddress}:${socket.remotePort})`);
  const delayMs = parseGoDuration(new URL(request.url ?? '/', 'http://echo').searchParams.get('delay') ?? '0');
  response.setHeader('Content-Type', 'application/json');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  if (delayMs === undefined) {
    response.writeHead(500).end(JSON.stringify({ message: 'the delay is no duration' }));
    return;
  }
  await pause(delayMs, service.context.signal);
  for (const [name, value] of wantedHeaders(request)) response.setHeader(name, value);
  response.end(JSON.stringify(description(surroundings, request), undefined, 1));
}

/** `X-Echo-Set-Header: name:value, name:value`; values of one name are joined. */
function wantedHeaders(request: IncomingMessage): ReadonlyMap<string, string> {
  const wanted = new Map<string, string>();
  for (const part of (headerText(request.headers, 'x-echo-set-header') ?? '').split(',')) {
    const [, name, value = ''] = /^\s*([^:]+):(.*)$/.exec(part) ?? [];
    if (name === undefined) continue;
    const before = wanted.get(name);
    wanted.set(name, before === undefined ? value.trim() : `${before},${value.trim()}`);
  }
  return wanted;
}

function description({ httpPort, context }: Surroundings, request: IncomingMessage): object {
  const isHttp2 = request.httpVersionMajor === 2;
  return {
    path: request.url,
    host: request.headers.host ?? headerText(request.headers, ':authority') ?? '',
    method: request.method,
    proto: isHttp2 ? 'HTTP/2.0' : `HTTP/${request.httpVersion}`,
    headers: goHeaders(request.rawHeaders),
    httpPort,
    ...context,
    ...(request.socket instanceof TLSSocket ? { tls: tlsDescription(request.socket) } : {}),
  };
}

function tlsDescription(socket: TLSSocket): object {
  const peer: PeerCertificate | undefined = socket.getPeerCertificate();
  const pem = peer?.raw === undefined ? undefined : peer.raw.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return {
    version: socket.getProtocol() ?? '',
    ...(pem === undefined
      ? {}
      : { peerCertificates: [`-----BEGIN CERTIFICATE-----\n${pem}\n-----END CERTIFICATE-----\n`] }),
    serverName: socket.servername || '',
    negotiatedProtocol: socket.alpnProtocol || undefined,
    cipherSuite: socket.getCipher().standardName,
  };
}
