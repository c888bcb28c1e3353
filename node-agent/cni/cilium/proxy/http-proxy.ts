/**
 * The HTTP part of cilium's proxy, as its Envoy behaves: each request is asked about by the rules of that moment; what they
 * allow goes on to the server, what they do not is answered with 403. Requests of one connection share one to the server.
 */
import {
  Agent,
  type ClientRequest,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream';
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
import { forwardedHeaders, headersTo, hostOf, isKnownUpgrade, wantsHttp2 } from './http-headers.ts';
import type { ProxiedConnection } from './proxied-connection.ts';

/** RFC 9110 section 15; parsers let less through. */
const LOWEST_STATUS = 100;
const SWITCHING_PROTOCOLS = 101;

export class HttpProxy {
  private readonly log: HttpLog;
  private readonly server: Server;
  private readonly connections = new WeakMap<Duplex, UpstreamAgent>();

  constructor(log: HttpLog) {
    this.log = log;
    this.server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout: 0, requestTimeout: 0 });
    this.server.headersTimeout = 0;
    this.server.on('request', (request, response) => this.handle(request, response));
    this.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.upgrade(request, socket, head),
    );
    this.server.on('clientError', (error, socket) => this.refuse(error, socket));
  }

  accept(connection: ProxiedConnection): void {
    const { socket } = connection;
    const agent = new UpstreamAgent(connection);
    this.connections.set(socket, agent);
    socket.once('close', () => agent.destroy());
    this.server.emit('connection', socket);
  }

  private handle(request: IncomingMessage, response: ServerResponse): void {
    const exchange = this.admitted(request, request.socket, response);
    if (exchange === undefined) return;
    const upstream = this.ask(exchange, response, headersTo(request, false));
    upstream.on('upgrade', (_, server: Duplex) => {
      server.destroy(); // nobody asked for it
      this.fail(exchange, PROTOCOL_ERROR, response);
    });
    response.once('close', () => {
      if (!response.writableFinished) upstream.destroy();
    });
    request.pipe(upstream); // which may fail before all was read, and then the answer says so
  }

  /**
   * A protocol within: once the server agrees, bytes pass as they are. So only WebSocket may, as in the original. Who would
   * rather speak HTTP/2 is answered in HTTP/1.1.
   */
  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(request.socket);
    response.once('finish', () => socket.resume().end()); // read on, so that its end is seen
    const exchange = this.admitted(request, socket, response);
    if (exchange === undefined) return;
    const changes = !wantsHttp2(request);
    const upstream = this.ask(exchange, response, headersTo(request, changes));
    upstream.on('upgrade', (answer, server: Duplex, serverHead: Buffer) => {
      if (!changes) {
        server.destroy();
        this.fail(exchange, PROTOCOL_ERROR, response);
        return;
      }
      exchange.said.answered(SWITCHING_PROTOCOLS);
      response.detachSocket(request.socket);
      socket.write(switchingText(answer));
      if (serverHead.length > 0) socket.write(serverHead);
      if (head.length > 0) server.write(head);
      pipeline(server, socket, server, () => undefined);
    });
    upstream.end();
  }

  /** What is no HTTP/1.1. */
  private refuse(error: unknown, socket: Duplex): void {
    const agent = this.connections.get(socket);
    if (agent === undefined || !socket.writable || agent.unanswered > 0) {
      socket.destroy(); // an answer that is under way cannot be added to
      return;
    }
    const isTooLarge = codeOf(error) === 'HPE_HEADER_OVERFLOW';
    const status = isTooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request';
    socket.write(`HTTP/1.1 ${status}\r\nconnection: close\r\n\r\n`);
    agent.connection.socket.destroySoon();
  }

  /** Undefined for what is answered already: it is denied, or has to be said in another way. */
  private admitted(request: IncomingMessage, socket: Duplex, response: ServerResponse): Exchange | undefined {
    const agent = this.connections.get(socket);
    if (agent === undefined) return undefined;
    agent.unanswered++;
    response.once('close', () => agent.unanswered--);
    const { path, isRedirected } = normalPath(request.url ?? '');
    if (isRedirected) {
      response.writeHead(307, { location: path, 'content-length': 0, server: 'envoy' }).end();
      request.resume();
      return undefined;
    }
    const { connection } = agent;
    const said = new HttpExchange(connection, askedOf(request, path), this.log);
    if (said.drop === null) return { agent, request, said };
    deny(request, response);
    said.answered(response.statusCode);
    return undefined;
  }

  private ask(exchange: Exchange, response: ServerResponse, headers: string[]): ClientRequest {
    const { agent, said } = exchange;
    const { method, path } = said.asked;
    const upstream = httpRequest({ agent, method, path, headers, setHost: false });
    upstream.on('response', (answer) => this.answer(exchange, answer, response));
    upstream.on('error', (error) => this.fail(exchange, failureOf(error), response));
    return upstream;
  }

  /** With the words for the status that everybody has: the server's may be anything. */
  private answer(exchange: Exchange, answer: IncomingMessage, response: ServerResponse): void {
    const { statusCode = 0 } = answer;
    if (statusCode < LOWEST_STATUS) {
      answer.destroy();
      this.fail(exchange, PROTOCOL_ERROR, response);
      return;
    }
    exchange.said.answered(statusCode);
    const tookMs = Math.round(exchange.said.tookMs);
    const left = exchange.request.httpVersion === '1.0' ? ['server', 'transfer-encoding'] : ['server'];
    const headers = [...forwardedHeaders(answer, left), 'server', 'envoy'];
    response.writeHead(statusCode, [...headers, 'x-envoy-upstream-service-time', `${tookMs}`]);
    pipeline(answer, response, () => undefined); // either end that breaks ends the other
  }

  /** As Envoy says it; in the middle of an answer the connection ends. */
  private fail(exchange: Exchange, failure: UpstreamFailure, response: ServerResponse): void {
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    send(response, failure.code, failureBody(failure));
    exchange.request.unpipe();
    exchange.request.resume();
    exchange.said.answered(failure.code);
  }
}

function failureOf(error: unknown): UpstreamFailure {
  const code = codeOf(error);
  if (code.startsWith('HPE_')) return PROTOCOL_ERROR; // of the parser
  return connectionFailure(code);
}

interface Exchange {
  readonly agent: UpstreamAgent;
  readonly request: IncomingMessage;
  readonly said: HttpExchange;
}

/** The connections to the server that one client's connection has: one at a time, kept open as long as it is. */
class UpstreamAgent extends Agent {
  readonly connection: ProxiedConnection;
  /** Requests of the client's. */
  unanswered = 0;

  constructor(connection: ProxiedConnection) {
    super({ keepAlive: true, maxSockets: 1 });
    this.connection = connection;
  }

  override createConnection(
    _options: object,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    this.connection.connect(false).then(
      (socket) => {
        if (this.connection.socket.destroyed) socket.destroy(); // who wanted it left meanwhile
        callback?.(null, socket);
      },
      (error: Error) => callback?.(error, undefined as unknown as Duplex), // none, as the types cannot say
    );
    return undefined;
  }
}

function askedOf(request: IncomingMessage, path: string) {
  const { method = '', httpVersion, headers, headersDistinct } = request;
  return {
    method,
    path,
    host: hostOf(request),
    version: `HTTP/${httpVersion}`,
    headers: Object.entries(headers).map(([name, value]) => [name, `${value}`] as const),
    header: (name: string) => (Object.hasOwn(headersDistinct, name) ? (headersDistinct[name] ?? []) : []),
    isOpaque: !isKnownUpgrade(request),
  };
}

function deny(request: IncomingMessage, response: ServerResponse): void {
  send(response, 403, DENIED_BODY);
  request.resume(); // what comes with the request goes nowhere
}

function send(response: ServerResponse, code: number, body: string): void {
  const headers = { 'content-length': Buffer.byteLength(body), 'content-type': 'text/plain', server: 'envoy' };
  response.writeHead(code, headers).end(body);
}

function switchingText({ rawHeaders }: IncomingMessage): string {
  let text = `HTTP/1.1 ${SWITCHING_PROTOCOLS} Switching Protocols\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) text += `${rawHeaders[i]?.toLowerCase()}: ${rawHeaders[i + 1]}\r\n`;
  return `${text}\r\n`;
}
