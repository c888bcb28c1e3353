/**
 * The HTTPS front of the API:
 *
 *   TLS -> URL -> authentication -> paths | connect (exec, log, ...) | watch | body -> core -> answer in the wanted shape
 *
 * What a client sends never ends the process: everything that is thrown becomes a Status.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { ResourceDefinition } from '../../../shared/api/registry.ts';
import { badRequest, forbiddenPath, notAcceptable, unauthorized } from '../../../shared/api/status.ts';
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { HostPort } from '../../../shared/runtime/config.ts';
import type { Logger } from '../../../shared/runtime/log.ts';
import type { Random } from '../../../shared/runtime/random.ts';
import type { Authenticator, Credentials } from '../authentication/authentication.ts';
import { impersonated } from '../authentication/impersonation.ts';
import type { User } from '../authentication/user.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { ConnectFront } from '../connect/connect-front.ts';
import type { Pki } from '../pki/pki.ts';
import type { ApiCore, Request } from '../registry/api-core.ts';
import { type IncludeObject, isForeign, listHead, type ObjectAnswer, shapeAnswer } from './answer-shape.ts';
import { discardBody, readBody } from './body.ts';
import { type Negotiated, negotiate, SUPPORTED_MEDIA_TYPES } from './negotiation.ts';
import { answerPath, isPublicPath, type ServerFacts } from './non-resource.ts';
import { type RequestInfo, type ResourceRequestInfo, requestInfo } from './request-info.ts';
import type { RequestMetrics } from './request-metrics.ts';
import { type Reply, sendBody, sendError, sendList, sendObject, toApiError } from './response.ts';
import { streamWatch } from './watch-response.ts';

const MAX_HEADER_BYTES = 64 * 1024;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** How long a client that was refused may go on sending. */
const LINGER_MS = 1000;
const MAX_AGENT_LENGTH = 128;
const KEEP_ALIVE_MS = 90_000;
/** TLS sessions and half-open handshakes cost memory: so many at a time are enough for a cluster. */
const MAX_CONNECTIONS = 4096;

export interface HttpsServerOptions {
  readonly core: ApiCore;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly connect: ConnectFront;
  readonly pki: Pki;
  readonly facts: ServerFacts;
  readonly metrics: RequestMetrics;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

/** A request whose client is known. */
export interface Arrival {
  readonly request: IncomingMessage;
  readonly url: URL;
  readonly info: RequestInfo;
  readonly user: User;
}

export class HttpsServer {
  private readonly options: HttpsServerOptions;
  private readonly server: Server;
  private readonly certificates = new WeakMap<TLSSocket, Credentials['certificate']>();

  constructor(options: HttpsServerOptions) {
    this.options = options;
    const { pki } = options;
    this.server = createServer(
      {
        key: pki.servingKey,
        cert: pki.servingCertificate,
        ca: pki.caCertificate,
        requestCert: true,
        rejectUnauthorized: false,
        minVersion: 'TLSv1.2',
        ALPNProtocols: ['http/1.1'],
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        keepAlive: true,
        noDelay: true,
      },
      (request, response) => void this.serve(request, response),
    );
    this.server.maxConnections = MAX_CONNECTIONS;
    this.server.on('upgrade', (request, socket, head) => void this.serveUpgrade(request, socket, head));
    this.server.on('clientError', (error, socket) => refuseMalformed(error, socket));
    this.server.on('tlsClientError', (error) => options.log.debug({ error }, 'a TLS handshake failed'));
  }

  /** Resolves to the bound address. Rejects when it cannot be had. */
  listen({ host, port }: HostPort): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () => {
        this.server.off('error', reject);
        // A server on a TCP port has an address of this kind.
        resolve(this.server.address() as AddressInfo);
      });
    });
  }

  /** A connection that came by another way than the port. */
  accept(connection: Duplex): void {
    this.server.getConnections((_error, count) => {
      if (count >= MAX_CONNECTIONS) connection.destroy();
      else this.server.emit('connection', connection);
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let reply: Reply = { request, response, encoding: 'json', pretty: false };
    response.on('error', () => response.destroy());
    try {
      const negotiated = negotiate(request.headers.accept);
      const url = parseUrl(request);
      reply = { ...reply, encoding: negotiated?.encoding ?? 'json', pretty: isPretty(request, url) };
      const arrival = this.receive(request, url);
      await this.answer(arrival, reply, negotiated);
    } catch (error) {
      await this.fail(reply, error);
    }
  }

  private async answer(arrival: Arrival, reply: Reply, negotiated: Negotiated | undefined): Promise<void> {
    const { url, info } = arrival;
    if (info.kind === 'path') {
      this.checkPath(arrival);
      return answerPath(reply, info.segments, url.searchParams, this.options.facts);
    }
    const counted = this.count(info, reply);
    const { subresource } = this.options.core.admit(info, arrival.user, 'client');
    if (subresource?.connects) return this.options.connect.serve(arrival, info, reply);
    if (negotiated === undefined) throw notAcceptable(SUPPORTED_MEDIA_TYPES);
    if (info.verb === 'watch') return this.watch(arrival, info, reply, negotiated);
    counted.timed = true;
    const body = await readBody(arrival.request);
    const answer = await this.options.core.handle(this.coreRequest(arrival, info, reply, body));
    const { definition } = this.options.core.admit(info, arrival.user, 'client');
    const { shape } = negotiated;
    if (answer.kind === 'status') return sendBody(reply, answer.code, answer.status);
    if (shape.kind === 'object' || isForeign(answer, definition)) return sendWhole(reply, answer, definition);
    const shaped = shapeAnswer(answer, definition, shape, includeObject(url), this.options.clock.nowMs());
    await sendBody(reply, answer.code, shaped);
  }

  private async watch(
    arrival: Arrival,
    info: ResourceRequestInfo,
    reply: Reply,
    negotiated: Negotiated,
  ): Promise<void> {
    const { core, metrics, clock, random } = this.options;
    const { definition } = core.admit(info, arrival.user, 'client');
    const watch = await core.watch(this.coreRequest(arrival, info, reply, undefined));
    const format = {
      definition,
      shape: negotiated.shape,
      includeObject: includeObject(arrival.url),
      nowMs: () => clock.nowMs(),
    };
    metrics.watches++;
    try {
      await streamWatch(reply, watch, format, random.next());
    } finally {
      metrics.watches--;
    }
  }

  private coreRequest(
    { request, url, user }: Arrival,
    info: ResourceRequestInfo,
    { response }: Reply,
    body: Request['body'],
  ): Request {
    const warnings: string[] = [];
    const warn = (message: string) => {
      warnings.push(warningHeader(message));
      response.setHeader('Warning', warnings);
    };
    return { info, query: url.searchParams, body, user, origin: 'client', agent: agentOf(request), warn };
  }

  /** Counts the answer whenever it comes; `timed` answers also count in the histogram. */
  private count(info: ResourceRequestInfo, { response }: Reply): { timed: boolean } {
    const { metrics, clock } = this.options;
    const began = clock.monotonicMs();
    const counted = { timed: false };
    metrics.inFlight++;
    response.on('close', () => {
      metrics.inFlight--;
      const { verb, group, version, resource, subresource = '' } = info;
      const known = response.statusCode !== 404;
      metrics.count(
        known
          ? { verb, group, version, resource, subresource, code: response.statusCode }
          : { verb, group: '', version: '', resource: '', subresource: '', code: 404 },
        counted.timed ? (clock.monotonicMs() - began) / 1000 : undefined,
      );
    });
    return counted;
  }

  private async serveUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    try {
      const arrival = this.receive(request, parseUrl(request));
      const { info } = arrival;
      if (info.kind !== 'resource') throw badRequest('nothing here can be upgraded to');
      const { subresource } = this.options.core.admit(info, arrival.user, 'client');
      if (!subresource?.connects) throw badRequest('nothing here can be upgraded to');
      await this.options.connect.upgrade(arrival, info, socket, head);
    } catch (error) {
      refuseUpgrade(socket, toApiError(error));
    }
  }

  /** Throws BadRequest and Unauthorized. */
  private receive(request: IncomingMessage, url: URL): Arrival {
    const info = requestInfo(request.method ?? 'GET', url);
    if (info === undefined) throw badRequest('the URL has a malformed percent-encoding');
    const user = this.authenticate(request);
    if (user !== undefined) {
      return { request, url, info, user: impersonated(user, request.headers, this.options.authorizer) };
    }
    if (info.kind === 'path' && isPublicPath(info.segments)) {
      return { request, url, info, user: { name: 'system:anonymous', groups: ['system:unauthenticated'] } };
    }
    throw unauthorized();
  }

  private checkPath({ request, url, user }: Arrival): void {
    const verb = (request.method ?? 'GET').toLowerCase();
    const decision = this.options.authorizer.authorize(user, { kind: 'path', verb, path: url.pathname });
    if (!decision.allowed) throw forbiddenPath(user.name, verb, url.pathname);
  }

  private authenticate(request: IncomingMessage): User | undefined {
    // The server only takes TLS connections.
    const socket = request.socket as TLSSocket;
    if (!this.certificates.has(socket)) {
      this.certificates.set(socket, socket.authorized ? socket.getPeerCertificate() : undefined);
    }
    const credentials = {
      authorization: request.headers.authorization,
      certificate: this.certificates.get(socket),
    };
    return this.options.authenticator.authenticate(credentials, this.options.clock.nowMs());
  }

  private async fail(reply: Reply, error: unknown): Promise<void> {
    const status = toApiError(error);
    const { method, url } = reply.request;
    if (status.code >= 500) this.options.log.warn({ error, method, url }, 'a request failed');
    else this.options.log.debug({ reason: status.message, method, url }, 'a request was refused');
    // The rest of a body that nobody reads must not be taken for the next request.
    if (!reply.response.headersSent && !(await discardBody(reply.request))) {
      reply.response.setHeader('Connection', 'close');
    }
    await sendError(reply, status);
  }
}

function sendWhole(reply: Reply, answer: ObjectAnswer, definition: ResourceDefinition): Promise<void> {
  if (answer.kind === 'object') return sendObject(reply, answer.code, answer.object);
  return sendList(reply, listHead(answer.list, definition), answer.list.items);
}

function parseUrl(request: IncomingMessage): URL {
  const url = URL.parse(request.url ?? '/', 'https://localhost');
  if (url === null) throw badRequest('the URL is malformed');
  return url;
}

/** `kubectl/v1.32.0 (linux/amd64) ...` is kubectl. */
function agentOf(request: IncomingMessage): string {
  return (request.headers['user-agent'] ?? '').split('/')[0]!.slice(0, MAX_AGENT_LENGTH) || 'unknown';
}

/** People read with these; programs do not. */
function isPretty(request: IncomingMessage, url: URL): boolean {
  const asked = url.searchParams.get('pretty');
  if (asked !== null) return asked === 'true' || asked === '1';
  return /^(curl|Wget|Mozilla)\b/.test(request.headers['user-agent'] ?? '');
}

function includeObject(url: URL): IncludeObject {
  const value = url.searchParams.get('includeObject') || 'Metadata';
  if (value === 'None' || value === 'Metadata' || value === 'Object') return value;
  throw badRequest(`Invalid value: ${JSON.stringify(value)}: must be Metadata, Object, None, or empty`);
}

/** RFC 9111 section 5.5: code 299, agent unknown. */
function warningHeader(message: string): string {
  const printable = message.replace(/[^\x20-\x7e]/g, '?');
  return `299 - "${printable.replace(/(["\\])/g, '\\$1')}"`;
}

const PARSER_ERRORS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** What Node's parser did not take never becomes a request. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const status = PARSER_ERRORS[error.code ?? ''] ?? '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  // Who closes with bytes unread resets the connection, and the client may never see the answer.
  socket.resume();
  const linger = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.on('close', () => clearTimeout(linger));
}

/** An answer to a request whose connection Node has already handed over. */
function refuseUpgrade(socket: Duplex, error: ReturnType<typeof toApiError>): void {
  const body = `${JSON.stringify(error.toStatus())}\n`;
  const head = [
    `HTTP/1.1 ${error.code} ${error.reason || 'Error'}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
