/**
 * The frame of images that serve: what a program opened is closed when it ends, however it ends; a port that is taken
 * ends it with a sentence. Load it lazily: it brings Node's HTTP with it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { listenHttp } from '../../../shared/podnet/http.ts';
import type { PodTcpSocket, PodUdpSocket, SocketAddress } from '../../../shared/podnet/pod-network.ts';
import { socketErrorCode, socketErrorText } from '../../../shared/podnet/socket-error.ts';
import { UsageError } from '../coreutils/options.ts';
import type { Program, ProgramContext } from '../image.ts';
import type { SignalName } from '../process.ts';
import { aborted } from '../program-io.ts';
import { HttpListener } from './http-listener.ts';

export interface ListenAddress {
  readonly port: number;
  readonly host?: string;
}

export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** Stops listening; connections that are open `graceMs` later (0 by default) are cut. */
export type Closer = (graceMs?: number) => Promise<void>;

/** What a Go program exits with on SIGTERM when it has no handler and is process 1. */
export const GO_TERMINATED = 2;

export class Service {
  readonly context: ProgramContext;
  private readonly closers: (() => void | Promise<void>)[] = [];
  private readonly finished = Promise.withResolvers<number>();

  constructor(context: ProgramContext) {
    this.context = context;
  }

  /** Ends the program with this exit code; what is open is closed first. */
  finish(code: number): void {
    this.finished.resolve(code);
  }

  /** The exit code that something called for, or 0 when the process was ended from outside. */
  ended(): Promise<number> {
    return Promise.race([this.finished.promise, aborted(this.context.signal).then(() => 0)]);
  }

  onSignals(names: readonly SignalName[], handler: (name: SignalName) => void): void {
    for (const name of names) this.context.process.onSignal(name, handler);
  }

  onClose(closer: () => void | Promise<void>): void {
    this.closers.push(closer);
  }

  async close(): Promise<void> {
    await Promise.all(this.closers.splice(0).map((closer) => closer()));
  }

  /** A line to standard error as it is. */
  log(line: string): void {
    const { stderr } = this.context;
    if (!stderr.destroyed) stderr.write(`${line}\n`);
  }

  print(line: string): void {
    const { stdout } = this.context;
    if (!stdout.destroyed) stdout.write(`${line}\n`);
  }

  /** Serves HTTP. Throws `ListenError`. */
  async http(listen: ListenAddress, handler: HttpHandler): Promise<HttpListener> {
    const listener = new HttpListener();
    const server = await opened('tcp', listen, () =>
      listenHttp(this.context.container.network, listen, (request, response) => {
        listener.hasRequest(response);
        void this.answer(handler, request, response);
      }),
    );
    server.http.on('connection', (socket: Duplex) => listener.hasConnection(socket));
    listener.upgrades = server.http;
    listener.closer = (graceMs) => server.close(graceMs);
    this.onClose(() => listener.close());
    return listener;
  }

  /** Runs a handler; one that throws answers 500 and is written to the log. */
  async answer(handler: HttpHandler, request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await handler(request, response);
    } catch (error) {
      this.log(`${request.method} ${request.url}: ${error instanceof Error ? error.message : String(error)}`);
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    }
  }

  /**
   * Returns what closes the port, and after `graceMs` the connections that are still open.
   * Throws `ListenError`. Errors of single connections end those and nothing else.
   */
  async tcp(listen: ListenAddress, onConnection: (socket: PodTcpSocket) => void): Promise<Closer> {
    const server = await opened('tcp', listen, () =>
      this.context.container.network.listenTcp({ ...listen, allowHalfOpen: true }),
    );
    const sockets = new Map<PodTcpSocket, Promise<void>>();
    server.on('connection', (socket: PodTcpSocket) => {
      const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      sockets.set(socket, gone);
      void gone.then(() => sockets.delete(socket));
      socket.on('error', () => socket.destroy());
      onConnection(socket);
    });
    const close: Closer = async (graceMs = 0) => {
      await server.close();
      const timer = setTimeout(() => destroyAll(sockets.keys()), graceMs);
      if (graceMs === 0) destroyAll(sockets.keys());
      await Promise.all(sockets.values());
      clearTimeout(timer);
    };
    this.onClose(() => close());
    return close;
  }

  /** Answers each datagram with what `answer` returns (nothing for undefined). Throws `ListenError`. */
  async udp(
    listen: ListenAddress,
    answer: (data: Uint8Array, from: SocketAddress) => string | undefined,
  ): Promise<PodUdpSocket> {
    const socket = await opened('udp', listen, () =>
      this.context.container.network.bindUdp({ port: listen.port, address: listen.host }),
    );
    socket.on('message', (data: Uint8Array, from: SocketAddress) => {
      const reply = answer(data, from);
      if (reply === undefined) return;
      socket.send(Buffer.from(reply), from.port, from.address).catch((error: unknown) => {
        this.log(`write udp ${from.address}:${from.port}: ${String(error)}`);
      });
    });
    this.onClose(() => socket.close());
    return socket;
  }
}

function destroyAll(sockets: Iterable<PodTcpSocket>): void {
  for (const socket of [...sockets]) socket.destroy();
}

/** A port that cannot be had; the words are those of Go's `net.Listen`. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

async function opened<Server>(
  protocol: 'tcp' | 'udp',
  { host, port }: ListenAddress,
  open: () => Promise<Server>,
): Promise<Server> {
  try {
    return await open();
  } catch (error) {
    const code = socketErrorCode(error);
    if (code === undefined) throw error;
    throw new ListenError(`listen ${protocol} ${host ?? ''}:${port}: bind: ${socketErrorText(code).toLowerCase()}`);
  }
}

/** A program that sets itself up, then serves until it is told to end. Bad flags and taken ports exit with 1. */
export function serviceProgram(setUp: (service: Service) => void | Promise<void>): Program {
  return async (context) => {
    const service = new Service(context);
    try {
      await setUp(service);
      return await service.ended();
    } catch (error) {
      if (!(error instanceof ListenError || error instanceof UsageError)) throw error;
      service.log(`${context.argv[0]}: ${error.message}`);
      return 1;
    } finally {
      await service.close();
    }
  };
}
