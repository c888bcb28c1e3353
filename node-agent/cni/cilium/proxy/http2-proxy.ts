/**
 * The HTTP/2 part of cilium's proxy, and so gRPC's: the streams of a client's connection go on in one connection to the server,
 * each asked about by the rules of its moment. What is denied has an answer of its own, 403, or gRPC's PERMISSION_DENIED.
 */
import { randomUUID } from 'node:crypto';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Stream,
} from 'node:http2';
import { normalPath } from '../../../../shared/policy/http-path.ts';
import {
  codeOf,
  connectionFailure,
  DENIED_BODY,
  failureBody,
  HttpExchange,
  type HttpLog,
  MAX_HEADER_BYTES,
  PROTOCOL_ERROR,
  type UpstreamFailure,
} from './http-exchange.ts';
import type { ProxiedConnection } from './proxied-connection.ts';

const MAX_CONCURRENT_STREAMS = 100;
const SETTINGS = {
  enablePush: false,
  maxHeaderListSize: MAX_HEADER_BYTES,
  maxConcurrentStreams: MAX_CONCURRENT_STREAMS,
};
const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR, NGHTTP2_PROTOCOL_ERROR } =
  constants;
/** RFC 9110 section 15; parsers let more through. */
const [LOWEST_FINAL_STATUS, HIGHEST_STATUS] = [200, 599];
const REMOTE_RESET: UpstreamFailure = { code: 503, reason: 'remote reset' };
/** gRPC's status for an answer that is HTTP's (Envoy: `Grpc::Utility::httpToGrpcStatus`). */
const GRPC_STATUS: Readonly<Record<number, number>> = { 403: 7, 502: 14, 503: 14 };

/** What a client's stream is at, and what became of it. */
interface Passage {
  readonly stream: ServerHttp2Stream;
  readonly exchange: HttpExchange;
  readonly isGrpc: boolean;
}

export class Http2Proxy {
  private readonly log: HttpLog;

  constructor(log: HttpLog) {
    this.log = log;
  }

  accept(connection: ProxiedConnection): void {
    const { socket } = connection;
    const session = performServerHandshake(socket, { settings: SETTINGS });
    const upstream = new UpstreamSession(connection);
    session.on('stream', (stream, headers) => void this.handle(connection, upstream, stream, headers));
    session.on('error', () => session.destroy());
    session.once('close', () => upstream.close());
    socket.once('close', () => upstream.destroy());
  }

  private async handle(
    connection: ProxiedConnection,
    upstream: UpstreamSession,
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
  ): Promise<void> {
    stream.on('error', () => undefined); // its `close` says all
    if (!isOpen(stream)) return; // reset in the same breath
    const { path, isRedirected } = normalPath(headers[':path'] ?? '');
    if (isRedirected) {
      stream.respond({ ':status': 307, location: path, server: 'envoy' }, { endStream: true });
      return;
    }
    const exchange = new HttpExchange(connection, askedOf(headers, path), this.log);
    const passage = { stream, exchange, isGrpc: /^application\/grpc($|[+;])/.test(headers['content-type'] ?? '') };
    if (exchange.drop !== null) {
      reply(passage, 403, DENIED_BODY);
      return;
    }
    try {
      const session = await upstream.session();
      if (isOpen(stream)) forward(passage, session, headersTo(headers, path));
    } catch (error) {
      fail(passage, failureOf(error));
    }
  }
}

function forward(passage: Passage, session: ClientHttp2Session, headers: OutgoingHttpHeaders): void {
  const { stream } = passage;
  const upstream = session.request(headers, { endStream: stream.endAfterHeaders });
  upstream.on('continue', () => inform(passage, { ':status': 100 }));
  upstream.on('headers', (told) => inform(passage, told));
  upstream.on('response', (answer, flags) => pass(passage, upstream, answer, flags));
  upstream.on('error', (error) => fail(passage, failureOf(error)));
  upstream.once('close', () => fail(passage, REMOTE_RESET));
  stream.once('close', () => {
    if (!upstream.closed) upstream.close(stream.rstCode === NGHTTP2_NO_ERROR ? NGHTTP2_CANCEL : stream.rstCode);
  });
  if (!stream.endAfterHeaders) stream.pipe(upstream);
}

/** What a server says before its answer. */
function inform({ stream }: Passage, told: OutgoingHttpHeaders): void {
  if (isOpen(stream) && !stream.headersSent) sayOn(stream, () => stream.additionalHeaders(withoutHops(told)));
}

/** With what stands behind the body, as gRPC has its status there. */
function pass(passage: Passage, upstream: ClientHttp2Stream, answer: IncomingHttpHeaders, flags: number): void {
  const { stream, exchange } = passage;
  if (!isOpen(stream)) return;
  const status = Number(answer[':status']);
  if (status < LOWEST_FINAL_STATUS || status > HIGHEST_STATUS) {
    fail(passage, PROTOCOL_ERROR);
    upstream.close(NGHTTP2_PROTOCOL_ERROR);
    return;
  }
  const tookMs = `${Math.round(exchange.tookMs)}`;
  const said = { ...withoutHops(answer), server: 'envoy', 'x-envoy-upstream-service-time': tookMs };
  const isWhole = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
  let trailers: IncomingHttpHeaders = {};
  upstream.on('trailers', (told) => {
    trailers = told;
  });
  stream.on('wantTrailers', () => sayOn(stream, () => stream.sendTrailers(withoutHops(trailers))));
  exchange.answered(status);
  sayOn(stream, () => stream.respond(said, { endStream: isWhole, waitForTrailers: !isWhole }));
  if (isWhole) return;
  upstream.pipe(stream, { end: false }); // one that is reset ends as if it were whole
  upstream.once('end', () => {
    if (upstream.rstCode === NGHTTP2_NO_ERROR) stream.end();
    else stream.close(upstream.rstCode);
  });
  upstream.once('close', () => {
    if (!upstream.readableEnded) stream.close(upstream.rstCode || NGHTTP2_INTERNAL_ERROR);
  });
}

function fail(passage: Passage, failure: UpstreamFailure): void {
  const { stream } = passage;
  if (stream.headersSent || !isOpen(stream)) return; // it had an answer, whole or not
  reply(passage, failure.code, failureBody(failure));
}

/** The proxy's own answer; a client of gRPC gets it in the words of gRPC, without a body. */
function reply({ stream, exchange, isGrpc }: Passage, code: number, body: string): void {
  exchange.answered(code);
  stream.resume(); // what comes with the request goes nowhere
  if (isGrpc) {
    const status = { 'grpc-status': `${GRPC_STATUS[code]}`, 'grpc-message': grpcMessage(body) };
    const headers = { ':status': 200, 'content-type': 'application/grpc', ...status, server: 'envoy' };
    stream.respond(headers, { endStream: true });
    return;
  }
  const length = Buffer.byteLength(body);
  stream.respond({ ':status': code, 'content-length': length, 'content-type': 'text/plain', server: 'envoy' });
  stream.end(body);
}

/** A stream that was reset is no longer open, and not gone before what came with it was read. */
function isOpen({ closed, destroyed }: ServerHttp2Stream): boolean {
  return !closed && !destroyed;
}

/** Node throws for what it would not send, and a server may say anything: that ends the stream, and no more. */
function sayOn(stream: ServerHttp2Stream, say: () => void): void {
  try {
    say();
  } catch {
    stream.close(NGHTTP2_INTERNAL_ERROR);
  }
}

/** https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Percent-Encoded" */
function grpcMessage(text: string): string {
  return text.replace(/[^\x20-\x24\x26-\x7e]/g, (character) => encodeURIComponent(character));
}

function askedOf(headers: IncomingHttpHeaders, path: string) {
  const method = headers[':method'] ?? '';
  const listOf = (name: string) => (Object.hasOwn(headers, name) ? [headers[name] ?? []].flat() : []);
  return {
    method,
    path,
    host: headers[':authority'] ?? headers.host ?? '',
    version: 'HTTP/2',
    header: listOf,
    headers: Object.keys(headers)
      .filter((name) => !name.startsWith(':'))
      .map((name) => [name, listOf(name).join(', ')] as const),
    isOpaque: method === 'CONNECT',
  };
}

/** With one host alone, which the rules were asked about. */
function headersTo(headers: IncomingHttpHeaders, path: string): OutgoingHttpHeaders {
  const { host, ...others } = withoutHops(headers);
  const own = headers[':authority'] === undefined ? { host } : {};
  return { 'x-forwarded-proto': 'http', 'x-request-id': randomUUID(), ...others, ...own, ':path': path };
}

/** The one header of a single connection that parsers of HTTP/2 let through stays behind. */
function withoutHops({ 'http2-settings': _, ...headers }: OutgoingHttpHeaders): OutgoingHttpHeaders {
  return headers;
}

/** Of a stream, of its session, whose error may stand behind the stream's, or of the socket. */
function failureOf(error: unknown): UpstreamFailure {
  const code = codeOf(error);
  if (code === 'ERR_HTTP2_STREAM_ERROR') return REMOTE_RESET;
  const isProtocol = [code, codeOf(error instanceof Error ? error.cause : undefined)].includes('ERR_HTTP2_ERROR');
  return isProtocol ? PROTOCOL_ERROR : connectionFailure(code.startsWith('ERR_HTTP2') ? 'ECONNRESET' : code);
}

/** The connection to the server that a client's connection has: made when a stream wants it, and anew after the server's GOAWAY. */
class UpstreamSession {
  private readonly connection: ProxiedConnection;
  private current: Promise<ClientHttp2Session> | undefined;
  private readonly open = new Set<ClientHttp2Session>();

  constructor(connection: ProxiedConnection) {
    this.connection = connection;
  }

  /** Rejects with the error of the socket. */
  session(): Promise<ClientHttp2Session> {
    this.current ??= this.connect();
    return this.current;
  }

  close(): void {
    for (const session of this.open) session.close();
  }

  destroy(): void {
    for (const session of this.open) session.destroy();
  }

  private async connect(): Promise<ClientHttp2Session> {
    try {
      const socket = await this.connection.connect(false);
      if (this.connection.socket.destroyed) socket.destroy(); // who wanted it left meanwhile
      const session = connect('http://server', { createConnection: () => socket, settings: { enablePush: false } });
      this.open.add(session);
      const { current } = this; // which this is
      const over = (): void => {
        if (this.current === current) this.current = undefined;
      };
      session.on('error', over).on('goaway', over);
      session.once('close', () => {
        over();
        this.open.delete(session);
      });
      return session;
    } catch (error) {
      this.current = undefined;
      throw error;
    }
  }
}
