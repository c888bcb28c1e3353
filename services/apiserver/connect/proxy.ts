/** `proxy` subresources: HTTP passed through to a port of a pod or to a kubelet, WebSocket and other upgrades included. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { ApiError } from '../../../shared/api/status.ts';
import { streamDuplex } from '../../../shared/bus/stream-duplex.ts';
import type { Reply } from '../http/response.ts';
import { type StreamOpener, streamError } from './node-streams.ts';
import type { ProxyTarget } from './proxy-target.ts';

/** Of one connection only (RFC 9110 section 7.6.1), and what proves the client to this server alone. */
const NOT_PASSED_ON = new Set([
  'authorization',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export interface ProxyRequest {
  readonly target: ProxyTarget;
  /** With its query: `/a/b?c=d`. */
  readonly path: string;
  /** What stands before `path` in the URL that the client uses; redirects are rewritten to stay below it. */
  readonly prefix: string;
}

export async function proxyHttp(proxied: ProxyRequest, reply: Reply, open: StreamOpener): Promise<void> {
  const { request: httpRequest } = await import('node:http');
  const connection = await connect(proxied.target, open);
  const { request, response } = reply;
  await new Promise<void>((resolve, reject) => {
    const upstream = httpRequest({
      createConnection: () => connection,
      method: request.method,
      path: proxied.path,
      headers: { ...passedOn(request.headers), host: proxied.target.host, connection: 'close' },
    });
    upstream.on('error', (error) => reject(unreachable(error, proxied.target)));
    upstream.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, answerHeaders(answer, proxied.prefix));
      answer.on('error', () => response.destroy());
      answer.pipe(response);
    });
    response.on('close', () => {
      upstream.destroy();
      connection.destroy();
      resolve();
    });
    request.pipe(upstream);
  });
}

/** Hands the client's connection over, after repeating its request. */
export async function proxyUpgrade(
  proxied: ProxyRequest,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  open: StreamOpener,
): Promise<void> {
  const connection = await connect(proxied.target, open);
  const lines = [`${request.method} ${proxied.path} HTTP/1.1`, `Host: ${proxied.target.host}`];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i]!;
    const lower = name.toLowerCase();
    const upgrades = lower === 'connection' || lower === 'upgrade';
    if (lower !== 'host' && (upgrades || !NOT_PASSED_ON.has(lower)))
      lines.push(`${name}: ${request.rawHeaders[i + 1]}`);
  }
  connection.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (head.length > 0) connection.write(head);
  connection.on('error', () => socket.destroy());
  socket.on('close', () => connection.destroy());
  connection.pipe(socket);
  socket.pipe(connection);
}

async function connect({ node, request, tls }: ProxyTarget, open: StreamOpener): Promise<Duplex> {
  const plain = streamDuplex(await open(node, request));
  if (!tls) return plain;
  const { connect: connectTls } = await import('node:tls');
  // Nobody can have signed a certificate for this way in; the original does not verify it either.
  return connectTls({ socket: plain, rejectUnauthorized: false });
}

function passedOn(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !NOT_PASSED_ON.has(name) && name !== 'host'));
}

function answerHeaders(answer: IncomingMessage, prefix: string): IncomingHttpHeaders {
  const headers = passedOn(answer.headers);
  if (headers.location?.startsWith('/')) headers.location = prefix + headers.location;
  return headers;
}

function unreachable(error: Error, { node, what }: ProxyTarget): ApiError {
  const reason = streamError(error, node).message;
  return new ApiError(503, 'ServiceUnavailable', `error trying to reach service: ${what}: ${reason}`);
}
