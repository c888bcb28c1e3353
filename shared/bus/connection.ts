/**
 * A process' connection to NATS. It waits for the server at first, reconnects for ever afterwards, and says so:
 * while it is down requests fail at once instead of queueing, and those under way fail instead of waiting for their limit.
 */
import {
  connect,
  ErrorCode,
  type JetStreamClient,
  type JetStreamManager,
  type Msg,
  type NatsConnection,
  NatsError,
} from 'nats';
import { isJsonObject } from '../api/object.ts';
import { type Logger, silentLogger } from '../runtime/log.ts';
import { BusTimeoutError, BusUnavailableError, errorFromFailure, failureFromError } from './bus-error.ts';
import { decodeMessage, encodeMessage } from './codec.ts';
import { type EventSubject, type RequestSubject, type SubjectParameters, subjectText } from './subjects.ts';

export interface BusOptions {
  /** `nats://127.0.0.1:4222`; several, separated by commas, for a NATS cluster. */
  readonly url: string;
  readonly token?: string;
  readonly cluster: string;
  /** Shown by the server's monitoring: `scheduler`, `node-agent worker-1`. */
  readonly clientName: string;
  readonly log?: Logger;
  /** How long the first connection may take; for ever by default. */
  readonly connectTimeoutMs?: number;
}

export interface RequestOptions {
  /** 5000 by default. */
  readonly timeoutMs?: number;
}

export interface ServeOptions {
  /** Of all servers with the same queue name one gets each request. */
  readonly queue?: string;
}

export interface BusSubscription {
  unsubscribe(): void;
}

export type ConnectionState = 'connected' | 'disconnected';

export interface Bus {
  readonly cluster: string;
  readonly connected: boolean;
  /** For `shared/bus` itself. */
  readonly nats: NatsConnection;
  readonly jetStream: JetStreamClient;
  readonly jetStreamManager: JetStreamManager;
  readonly log: Logger;
  /** Told of every change of `connected`. */
  onStateChange(listener: (state: ConnectionState) => void): BusSubscription;
  /** Runs an exchange with the server; fails with BusUnavailableError as soon as the connection is or goes down. */
  whileConnected<T>(exchange: () => Promise<T>): Promise<T>;
  /** Throws BusTimeoutError, BusUnavailableError, RemoteError. */
  request<Request, Response>(
    subject: RequestSubject<Request, Response>,
    parameters: SubjectParameters,
    request: Request,
    options?: RequestOptions,
  ): Promise<Response>;
  /** Answers requests; what the handler throws becomes a RemoteError over there. */
  serve<Request, Response>(
    subject: RequestSubject<Request, Response>,
    parameters: SubjectParameters,
    handler: (request: Request) => Promise<Response>,
    options?: ServeOptions,
  ): BusSubscription;
  /** Sent at most once; lost while the connection is down. */
  publish<T>(subject: EventSubject<T>, parameters: SubjectParameters, event: T): void;
  /** Parameters may be `ANY`. */
  subscribe<T>(subject: EventSubject<T>, parameters: SubjectParameters, handler: (event: T) => void): BusSubscription;
  /** Sends what is under way and closes. */
  close(): Promise<void>;
}

const DEFAULT_TIMEOUT_MS = 5000;

/** Resolves once the server is there. Rejects when it refuses the token, or after `connectTimeoutMs`. */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const delays = new ReconnectDelays();
  const connecting = connect({
    servers: options.url.split(','),
    token: options.token,
    name: `podwire ${options.cluster} ${options.clientName}`,
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => delays.nextMs(),
    timeout: 5000,
    // A server that hangs (stopped, or its machine asleep) is given up after two unanswered pings.
    pingInterval: 5000,
    maxPingOut: 2,
    noAsyncTraces: true,
    ignoreClusterUpdates: true,
  });
  const nats = await withinTime(connecting, options);
  const jetStreamManager = await nats.jetstreamManager({ checkAPI: false, timeout: DEFAULT_TIMEOUT_MS });
  const jetStream = nats.jetstream({ timeout: DEFAULT_TIMEOUT_MS });
  return new NatsBus(options, nats, jetStream, jetStreamManager, delays);
}

async function withinTime(connecting: Promise<NatsConnection>, options: BusOptions): Promise<NatsConnection> {
  const { connectTimeoutMs } = options;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    if (connectTimeoutMs === undefined) return;
    timer = setTimeout(() => {
      connecting.then(
        (nats) => nats.close(),
        (error: unknown) => options.log?.debug({ error }, 'gave up connecting'),
      );
      reject(new BusUnavailableError(`no NATS server answered at ${options.url} within ${connectTimeoutMs} ms`));
    }, connectTimeoutMs);
  });
  try {
    return await Promise.race([connecting, late]);
  } catch (error) {
    if (error instanceof NatsError && error.isAuthError()) {
      throw new BusUnavailableError(`the NATS server at ${options.url} refused the token`);
    }
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Eager at first (a server that just restarts is back within a second), patient later, spread out always. */
class ReconnectDelays {
  private sinceMs = performance.now();

  restart(): void {
    this.sinceMs = performance.now();
  }

  nextMs(): number {
    const elapsedMs = performance.now() - this.sinceMs;
    const baseMs = elapsedMs < 3000 ? 15 : elapsedMs < 20_000 ? 100 : 500;
    return baseMs * (1 + Math.random());
  }
}

class NatsBus implements Bus {
  readonly cluster: string;
  readonly nats: NatsConnection;
  readonly jetStream: JetStreamClient;
  readonly jetStreamManager: JetStreamManager;
  readonly log: Logger;
  private isConnected = true;
  private readonly url: string;
  private readonly delays: ReconnectDelays;
  private readonly listeners = new Set<(state: ConnectionState) => void>();
  /** Rejecters of the requests under way. */
  private readonly underWay = new Set<(error: Error) => void>();

  constructor(
    options: BusOptions,
    nats: NatsConnection,
    jetStream: JetStreamClient,
    jetStreamManager: JetStreamManager,
    delays: ReconnectDelays,
  ) {
    this.cluster = options.cluster;
    this.url = options.url;
    this.log = options.log ?? silentLogger();
    this.nats = nats;
    this.jetStream = jetStream;
    this.jetStreamManager = jetStreamManager;
    this.delays = delays;
    void this.followStatus();
    void nats.closed().then((error) => {
      this.setConnected(false);
      if (error) this.log.error({ error }, 'the connection to NATS was closed');
    });
  }

  get connected(): boolean {
    return this.isConnected;
  }

  onStateChange(listener: (state: ConnectionState) => void): BusSubscription {
    this.listeners.add(listener);
    return { unsubscribe: () => void this.listeners.delete(listener) };
  }

  async whileConnected<T>(exchange: () => Promise<T>): Promise<T> {
    if (!this.isConnected) throw new BusUnavailableError(`not connected to NATS at ${this.url}`);
    const broken = Promise.withResolvers<never>();
    this.underWay.add(broken.reject);
    try {
      return await Promise.race([exchange(), broken.promise]);
    } finally {
      this.underWay.delete(broken.reject);
    }
  }

  async request<Request, Response>(
    subject: RequestSubject<Request, Response>,
    parameters: SubjectParameters,
    request: Request,
    options: RequestOptions = {},
  ): Promise<Response> {
    const name = subjectText(this.cluster, subject.pattern, parameters);
    const reply = await this.requestRaw(name, encodeMessage(request), options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const message = decodeMessage(reply.data);
    if (isJsonObject(message) && 'failure' in message) throw errorFromFailure(message.failure);
    return subject.decodeResponse(isJsonObject(message) ? message.result : undefined);
  }

  serve<Request, Response>(
    subject: RequestSubject<Request, Response>,
    parameters: SubjectParameters,
    handler: (request: Request) => Promise<Response>,
    options: ServeOptions = {},
  ): BusSubscription {
    const name = subjectText(this.cluster, subject.pattern, parameters);
    return this.nats.subscribe(name, {
      queue: options.queue,
      callback: (error, message) => {
        if (error !== null) this.log.warn({ error, subject: name }, 'a subscription failed');
        else void this.answer(subject, message, handler);
      },
    });
  }

  publish<T>(subject: EventSubject<T>, parameters: SubjectParameters, event: T): void {
    if (!this.isConnected) return;
    this.nats.publish(subjectText(this.cluster, subject.pattern, parameters), encodeMessage(event));
  }

  subscribe<T>(subject: EventSubject<T>, parameters: SubjectParameters, handler: (event: T) => void): BusSubscription {
    const name = subjectText(this.cluster, subject.pattern, parameters);
    return this.nats.subscribe(name, {
      callback: (error, message) => {
        if (error !== null) {
          this.log.warn({ error, subject: name }, 'a subscription failed');
          return;
        }
        try {
          handler(subject.decode(decodeMessage(message.data)));
        } catch (cause) {
          this.log.warn({ error: cause, subject: message.subject }, 'an event could not be handled');
        }
      },
    });
  }

  async close(): Promise<void> {
    if (this.nats.isClosed()) return;
    if (this.isConnected) await this.nats.drain();
    else await this.nats.close();
  }

  private async requestRaw(subject: string, data: Uint8Array, timeoutMs: number): Promise<Msg> {
    try {
      return await this.whileConnected(() => this.nats.request(subject, data, { timeout: timeoutMs }));
    } catch (error) {
      throw requestError(error, subject, timeoutMs);
    }
  }

  private async answer<Request, Response>(
    subject: RequestSubject<Request, Response>,
    message: Msg,
    handler: (request: Request) => Promise<Response>,
  ): Promise<void> {
    let reply: Uint8Array;
    try {
      reply = encodeMessage({ result: await handler(subject.decodeRequest(decodeMessage(message.data))) });
      const limit = this.nats.info?.max_payload;
      if (limit !== undefined && reply.length > limit) {
        throw new Error(`the answer of ${reply.length} bytes exceeds the bus' limit of ${limit} bytes`);
      }
    } catch (error) {
      this.log.debug({ error, subject: message.subject }, 'a request failed');
      reply = encodeMessage({ failure: failureFromError(error) });
    }
    if (this.isConnected) message.respond(reply);
  }

  private async followStatus(): Promise<void> {
    for await (const status of this.nats.status()) {
      if (status.type === 'disconnect') this.setConnected(false);
      else if (status.type === 'reconnect') this.setConnected(true);
      else if (status.type === 'error') this.log.warn({ reason: status.data }, 'NATS reports an error');
    }
  }

  private setConnected(connected: boolean): void {
    if (connected === this.isConnected) return;
    this.isConnected = connected;
    this.delays.restart();
    if (connected) {
      this.log.info('connected to NATS again');
    } else {
      if (!this.nats.isClosed()) this.log.warn('lost the connection to NATS');
      for (const reject of this.underWay) reject(new BusUnavailableError('the connection to NATS broke', true));
    }
    for (const listener of this.listeners) listener(connected ? 'connected' : 'disconnected');
  }
}

function requestError(error: unknown, subject: string, timeoutMs: number): unknown {
  if (!(error instanceof NatsError)) return error;
  if (error.code === ErrorCode.NoResponders) return new BusUnavailableError(`nobody answers on ${subject}`);
  if (error.code === ErrorCode.Timeout) return new BusTimeoutError(`no answer on ${subject} within ${timeoutMs} ms`);
  if (error.code === ErrorCode.ConnectionClosed || error.code === ErrorCode.ConnectionDraining) {
    return new BusUnavailableError('the connection to NATS is closed');
  }
  return error;
}
