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
import type { DropReason } from '../../../../shared/netstack/hooks.ts';
import { socketErrorCode } from '../../../../shared/podnet/socket-error.ts';
import { httpRuleAllows } from '../../../../shared/policy/http-match.ts';
import type { L7Decision } from '../../../../shared/policy/l7-rules.ts';
import type { FlowLog } from '../../../datapath/cilium/flow-log.ts';
import { L7_DENIED } from '../../../datapath/policy/l7-denied.ts';
import { forwardedHeaders, headersTo, hostOf } from './http-headers.ts';
import type { ProxiedConnection } from './proxied-connection.ts';

const DENIED_BODY = 'Access denied\r\n';
/** So that what a pod leaves behind that is gone does not stay. */
const KEEP_ALIVE_MS = 60_000;
const MAX_HEADER_BYTES = 60 * 1024; // Envoy's

export class HttpProxy {
  private readonly flows: FlowLog;
  private readonly inTurn: (call: () => void) => void;
  private readonly server: Server;
  private readonly connections = new WeakMap<Duplex, UpstreamAgent>();

  /** `inTurn`: the log reads the data path's time. */
  constructor(flows: FlowLog, inTurn: (call: () => void) => void) {
    this.flows = flows;
    this.inTurn = inTurn;
    this.server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout: 0, requestTimeout: 0 });
    this.server.headersTimeout = 0;
    this.server.on('request', (request, response) => this.handle(request, response));
    this.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.upgrade(request, socket, head),
    );
  }

  accept(connection: ProxiedConnection): void {
    const { socket } = connection;
    const agent = new UpstreamAgent(connection);
    this.connections.set(socket, agent);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => agent.destroy());
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.server.emit('connection', socket);
  }

  private handle(request: IncomingMessage, response: ServerResponse): void {
    const agent = this.connections.get(request.socket);
    if (agent === undefined) return;
    const exchange = this.begin(agent, request);
    if (exchange.drop !== null) {
      deny(request, response);
      this.answered(exchange, response.statusCode);
      return;
    }
    const upstream = this.ask(exchange);
    upstream.on('response', (answer) => this.answer(exchange, answer, response));
    upstream.on('error', (error) => this.fail(exchange, error, response));
    response.once('close', () => {
      if (!response.writableFinished) upstream.destroy();
    });
    request.pipe(upstream); // which may fail before all was read, and then the answer says so
  }

  /** A protocol within: once the server agrees, bytes pass as they are. */
  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const agent = this.connections.get(socket);
    if (agent === undefined) return;
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(request.socket);
    response.once('finish', () => socket.end());
    const exchange = this.begin(agent, request);
    if (exchange.drop !== null) {
      deny(request, response);
      this.answered(exchange, response.statusCode);
      return;
    }
    const upstream = this.ask(exchange);
    upstream.on('response', (answer) => this.answer(exchange, answer, response));
    upstream.on('error', (error) => this.fail(exchange, error, response));
    upstream.on('upgrade', (answer, server: Duplex, serverHead: Buffer) => {
      this.answered(exchange, answer.statusCode ?? 0);
      response.detachSocket(request.socket);
      socket.write(switchingText(answer));
      if (serverHead.length > 0) socket.write(serverHead);
      if (head.length > 0) server.write(head);
      pipeline(server, socket, server, () => undefined);
    });
    upstream.end();
  }

  private begin(agent: UpstreamAgent, request: IncomingMessage): Exchange {
    const { connection } = agent;
    const { method = '', url = '' } = request;
    const host = hostOf(request);
    const exchange = {
      connection,
      agent,
      request,
      url: url.startsWith('/') ? `http://${host}${url}` : url,
      drop: refusalOf(connection.decision(), request, host),
      beganMs: performance.now(),
    };
    this.log(exchange, { isResponse: false, code: 0, latencyMs: 0 }, exchange.drop);
    return { ...exchange, method };
  }

  private ask({ request, agent, method }: Exchange): ClientRequest {
    return httpRequest({ agent, method, path: request.url, headers: headersTo(request), setHost: false });
  }

  private answer(exchange: Exchange, answer: IncomingMessage, response: ServerResponse): void {
    const { statusCode = 502, statusMessage } = answer;
    this.answered(exchange, statusCode);
    const tookMs = Math.round(performance.now() - exchange.beganMs);
    const headers = [...forwardedHeaders(answer, ['server']), 'server', 'envoy'];
    response.writeHead(statusCode, statusMessage, [...headers, 'x-envoy-upstream-service-time', `${tookMs}`]);
    pipeline(answer, response, () => undefined); // either end that breaks ends the other
  }

  /** As Envoy says it; in the middle of an answer the connection ends. */
  private fail(exchange: Exchange, error: unknown, response: ServerResponse): void {
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const reset = socketErrorCode(error) === 'ECONNRESET';
    const reason = reset ? 'connection termination' : 'connection failure';
    send(response, 503, `upstream connect error or disconnect/reset before headers. reset reason: ${reason}`);
    exchange.request.unpipe();
    exchange.request.resume();
    this.answered(exchange, 503);
  }

  private answered(exchange: Exchange, code: number): void {
    this.log(exchange, { isResponse: true, code, latencyMs: performance.now() - exchange.beganMs }, null);
  }

  private log(
    { connection: { ends }, request, url }: Omit<Exchange, 'method'>,
    said: { readonly isResponse: boolean; readonly code: number; readonly latencyMs: number },
    drop: DropReason | null,
  ): void {
    const { method = '', httpVersion, headers } = request;
    const shown = Object.entries(headers).map(([name, value]) => [name, `${value}`] as const);
    const l7 = { kind: 'http', method, url, version: `HTTP/${httpVersion}`, headers: shown, ...said } as const;
    this.inTurn(() => this.flows.addL7(ends, l7, drop));
  }
}

interface Exchange {
  readonly connection: ProxiedConnection;
  readonly agent: UpstreamAgent;
  readonly request: IncomingMessage;
  readonly method: string;
  readonly url: string;
  readonly drop: DropReason | null;
  readonly beganMs: number;
}

/** The connections to the server that one client's connection has: one at a time, kept open as long as it is. */
class UpstreamAgent extends Agent {
  readonly connection: ProxiedConnection;

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
        socket.setNoDelay(true);
        socket.setKeepAlive(true, KEEP_ALIVE_MS);
        callback?.(null, socket);
      },
      (error: Error) => callback?.(error, undefined as unknown as Duplex), // none, as the types cannot say
    );
    return undefined;
  }
}

function refusalOf(decision: L7Decision | null, request: IncomingMessage, host: string): DropReason | null {
  if (decision === null) return null;
  const { alternatives } = decision;
  const { method = '', url: path = '', headersDistinct } = request;
  const facts = { method, path, host, header: (name: string) => headersDistinct[name] ?? [] };
  const allows = alternatives.some(
    ({ rules }) => rules === null || (rules.kind === 'http' && rules.rules.some((rule) => httpRuleAllows(rule, facts))),
  );
  if (allows) return null;
  return { code: L7_DENIED, cause: [...new Set(alternatives.map(({ cause }) => cause))].sort().join(', ') };
}

function deny(request: IncomingMessage, response: ServerResponse): void {
  send(response, 403, DENIED_BODY);
  request.resume(); // what comes with the request goes nowhere
}

function send(response: ServerResponse, code: number, body: string): void {
  const headers = { 'content-length': Buffer.byteLength(body), 'content-type': 'text/plain', server: 'envoy' };
  response.writeHead(code, headers).end(body);
}

function switchingText(answer: IncomingMessage): string {
  const { statusCode, statusMessage, rawHeaders } = answer;
  let text = `HTTP/1.1 ${statusCode} ${statusMessage}\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) text += `${rawHeaders[i]?.toLowerCase()}: ${rawHeaders[i + 1]}\r\n`;
  return `${text}\r\n`;
}
