/** A pod's network used from another process, over the Unix socket that the node-agent serves for the pod. */
import { connect, type Socket } from 'node:net';
import { type ChannelLink, ChannelTransport } from './channel-transport.ts';
import { exchangeNow } from './exchange-now.ts';
import { TcpServer, UdpSocket } from './listener.ts';
import type {
  InterfaceAddress,
  PingOptions,
  PingOutcome,
  PodNetwork,
  PodTcpServer,
  PodTcpSocket,
  PodUdpSocket,
  TcpConnectOptions,
  TcpListenOptions,
  UdpBindOptions,
} from './pod-network.ts';
import { decodeAddresses, decodePingOutcome } from './reply-decoder.ts';
import { SocketError } from './socket-error.ts';
import {
  decodeAccepted,
  decodeCode,
  decodeDatagram,
  decodeEndpoints,
  decodeFailure,
  decodeMessage,
  decodeSocketAddress,
  decodeUint32,
  encodeDatagram,
  encodeFrame,
  encodeMessage,
  FRAME_KIND,
  type Frame,
  FrameReader,
  type PodRequest,
  ProtocolError,
} from './socket-protocol.ts';
import type { TcpEndpoints } from './tcp-socket.ts';

export interface SocketClientOptions {
  /** Path of the Unix socket (`PODWIRE_PODNET_SOCKET`). */
  readonly path: string;
  /** Called once when the node-agent goes away: every socket has failed with ECONNRESET by then. */
  readonly onLost?: () => void;
}

/** A network whose link is still being connected: what is asked of it meanwhile waits, and fails when nobody serves there. */
export function openPodNetwork(options: SocketClientOptions): SocketNetwork {
  return new SocketNetwork(connect(options.path), options.onLost);
}

/** Connects; rejects with the file system's error when nobody serves at the path. */
export function connectPodNetwork(options: SocketClientOptions): Promise<PodNetwork> {
  return new Promise((resolve, reject) => {
    const link = connect(options.path);
    link.once('error', reject);
    link.once('connect', () => {
      link.removeListener('error', reject);
      resolve(new SocketNetwork(link, options.onLost));
    });
  });
}

/** A request that opens something, and what its answer makes. */
interface Opening<T> {
  readonly channel: number;
  readonly request: PodRequest;
  readonly opened: (message: Record<string, unknown>) => T;
}

interface PendingRequest {
  resolve(message: Record<string, unknown>): void;
  reject(error: Error): void;
}

export class SocketNetwork implements PodNetwork, ChannelLink {
  private readonly link: Socket;
  private readonly reader = new FrameReader();
  private readonly requests = new Map<number, PendingRequest>();
  private readonly connections = new Map<number, ChannelTransport>();
  private readonly listeners = new Map<number, { readonly server: TcpServer; readonly allowHalfOpen: boolean }>();
  private readonly datagrams = new Map<number, ChannelDatagrams>();
  private nextChannel = 2;
  private lost = false;

  constructor(link: Socket, onLost: (() => void) | undefined) {
    this.link = link;
    link.on('data', (chunk: Buffer) => {
      for (const frame of this.reader.push(chunk)) this.handle(frame);
    });
    link.on('error', () => link.destroy());
    link.once('close', () => {
      this.fail();
      onLost?.();
    });
  }

  async connectTcp(options: TcpConnectOptions, signal?: AbortSignal): Promise<PodTcpSocket> {
    const channel = this.takeChannel();
    const { host, port, localAddress, localPort } = options;
    const request: PodRequest = { op: 'connect', host, port, localAddress, localPort };
    const opened = (message: Record<string, unknown>): PodTcpSocket =>
      this.open(channel, decodeEndpoints(message), options.allowHalfOpen ?? false).socket;
    // Opened inside the reply's turn: data frames may follow in the same chunk.
    return this.request(channel, request, opened, 'connect', signal);
  }

  async listenTcp(options: TcpListenOptions): Promise<PodTcpServer> {
    const { channel, request, opened } = this.listening(options);
    return this.request(channel, request, opened, 'listen');
  }

  /** The same without a turn of the event loop in between; only as the first use of this network. */
  listenTcpNow(options: TcpListenOptions): PodTcpServer {
    const { channel, request, opened } = this.listening(options);
    return this.requestNow(channel, request, opened);
  }

  async bindUdp(options: UdpBindOptions = {}): Promise<PodUdpSocket> {
    const { channel, request, opened } = this.binding(options);
    return this.request(channel, request, opened, 'bind');
  }

  /** The same without a turn of the event loop in between; only as the first use of this network. */
  bindUdpNow(options: UdpBindOptions): PodUdpSocket {
    const { channel, request, opened } = this.binding(options);
    return this.requestNow(channel, request, opened);
  }

  private listening(options: TcpListenOptions): Opening<PodTcpServer> {
    const channel = this.takeChannel();
    const { host, port, backlog, ipv6Only } = options;
    const opened = (message: Record<string, unknown>): PodTcpServer => {
      const server = new TcpServer(decodeSocketAddress(message), () => this.release(channel));
      this.listeners.set(channel, { server, allowHalfOpen: options.allowHalfOpen ?? false });
      return server;
    };
    return { channel, request: { op: 'listen', host, port, backlog, ipv6Only }, opened };
  }

  private binding(options: UdpBindOptions): Opening<PodUdpSocket> {
    const channel = this.takeChannel();
    const { address, port = 0, remote, ipv6Only } = options;
    const opened = (message: Record<string, unknown>): PodUdpSocket => {
      const sends = new Map<number, PendingSend>();
      let nextSend = 1;
      const transmit = (data: Uint8Array, port: number, address: string): Promise<void> =>
        new Promise((resolve, reject) => {
          if (this.lost) {
            reject(new SocketError('ENETUNREACH', 'send', address, port));
            return;
          }
          const number = nextSend;
          nextSend = (nextSend + 1) >>> 0;
          sends.set(number, { resolve, reject, address, port });
          this.send(FRAME_KIND.datagram, channel, encodeDatagram({ number, address, port, data }));
        });
      const socket = new UdpSocket(decodeSocketAddress(message), transmit, () => this.release(channel));
      this.datagrams.set(channel, { socket, sends });
      return socket;
    };
    return { channel, request: { op: 'bind-udp', address, port, remote, ipv6Only }, opened };
  }

  ping(options: PingOptions, signal?: AbortSignal): Promise<PingOutcome> {
    // The outcome comes from our own server; its shape is the interface's.
    return this.request(this.takeChannel(), { op: 'ping', ...options }, decodePingOutcome, 'ping', signal);
  }

  addresses(): Promise<InterfaceAddress[]> {
    return this.request(this.takeChannel(), { op: 'addresses' }, decodeAddresses, 'addresses');
  }

  close(): void {
    this.link.destroy();
  }

  /** Closes the link when all that was sent has left. */
  finish(): void {
    this.link.end();
  }

  /** What was sent in this turn leaves now instead of after it. */
  flush(): void {
    this.link.uncork();
  }

  /** Keeps the process alive, as an open socket does by default; `unref` lets it end. */
  ref(): void {
    this.link.ref();
  }

  unref(): void {
    this.link.unref();
  }

  send(kind: number, channel: number, payload?: Uint8Array): void {
    if (this.lost) return;
    this.link.cork();
    for (const part of encodeFrame(kind, channel, payload)) this.link.write(part);
    process.nextTick(uncork, this.link);
  }

  forget(channel: number): void {
    this.connections.delete(channel);
  }

  private takeChannel(): number {
    const channel = this.nextChannel;
    this.nextChannel += 2;
    return channel;
  }

  private request<T>(
    channel: number,
    request: PodRequest,
    accept: (message: Record<string, unknown>) => T,
    syscall: string,
    signal?: AbortSignal,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.lost) {
        reject(new SocketError('ENETUNREACH', syscall));
        return;
      }
      const cancel = (): void => {
        this.requests.delete(channel);
        this.send(FRAME_KIND.cancel, channel);
        reject(new SocketError('ECANCELED', syscall));
      };
      if (signal?.aborted) {
        reject(new SocketError('ECANCELED', syscall));
        return;
      }
      signal?.addEventListener('abort', cancel, { once: true });
      const settled = (): void => signal?.removeEventListener('abort', cancel);
      this.requests.set(channel, {
        resolve: (message) => {
          settled();
          resolve(accept(message));
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      this.send(FRAME_KIND.request, channel, encodeMessage(request));
    });
  }

  private requestNow<T>(channel: number, request: PodRequest, accept: (message: Record<string, unknown>) => T): T {
    let outcome: { readonly value: T } | { readonly error: Error } | undefined;
    this.requests.set(channel, {
      resolve: (message) => {
        outcome = { value: accept(message) };
      },
      reject: (error) => {
        outcome = { error };
      },
    });
    const early: Frame[] = [];
    exchangeNow(this.link, encodeFrame(FRAME_KIND.request, channel, encodeMessage(request)), (chunk) => {
      for (const frame of this.reader.push(chunk)) {
        // What follows the answer is for listeners that our caller has yet to set.
        if (outcome === undefined) this.handle(frame);
        else early.push(frame);
      }
      return outcome !== undefined;
    });
    process.nextTick(() => {
      for (const frame of early) this.handle(frame);
    });
    if (outcome === undefined) throw new SocketError('ENETUNREACH', request.op);
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  }

  private open(channel: number, endpoints: TcpEndpoints, allowHalfOpen: boolean): ChannelTransport {
    const transport = new ChannelTransport(this, channel, endpoints, allowHalfOpen);
    this.connections.set(channel, transport);
    return transport;
  }

  private release(channel: number): void {
    this.listeners.delete(channel);
    this.datagrams.delete(channel);
    this.send(FRAME_KIND.close, channel);
  }

  private handle(frame: Frame): void {
    const connection = this.connections.get(frame.channel);
    switch (frame.kind) {
      case FRAME_KIND.reply:
        this.settle(frame.channel)?.resolve(decodeMessage(frame.payload));
        return;
      case FRAME_KIND.failure: {
        const failure = decodeFailure(frame.payload);
        const error = new SocketError(failure.code, failure.syscall, failure.address, failure.port);
        this.settle(frame.channel)?.reject(error);
        return;
      }
      case FRAME_KIND.accepted:
        this.accept(frame);
        return;
      case FRAME_KIND.data:
        // A copy, for the program may keep the bytes longer than the read buffer lives.
        connection?.receive(Uint8Array.from(frame.payload));
        return;
      case FRAME_KIND.credit:
        connection?.addCredit(decodeUint32(frame.payload));
        return;
      case FRAME_KIND.end:
        connection?.socket.deliverEnd();
        return;
      case FRAME_KIND.close:
        connection?.closed(decodeCode(frame.payload));
        return;
      case FRAME_KIND.datagram: {
        const { data, address, port } = decodeDatagram(frame.payload);
        this.datagrams.get(frame.channel)?.socket.deliver(Uint8Array.from(data), { address, port });
        return;
      }
      case FRAME_KIND.sent:
        this.sent(frame);
        return;
      case FRAME_KIND.socketError: {
        const code = decodeCode(frame.payload) ?? 'ECONNREFUSED';
        this.datagrams.get(frame.channel)?.socket.deliverError(new SocketError(code, 'recv'));
        return;
      }
      default:
        throw new ProtocolError(`unexpected frame kind ${frame.kind}`);
    }
  }

  private settle(channel: number): PendingRequest | undefined {
    const request = this.requests.get(channel);
    this.requests.delete(channel);
    // The server may have connected in the moment in which we gave up: the socket must not stay open there.
    if (request === undefined) this.send(FRAME_KIND.close, channel);
    return request;
  }

  private accept(frame: Frame): void {
    const accepted = decodeAccepted(frame.payload);
    const listener = this.listeners.get(frame.channel);
    if (listener === undefined) {
      this.send(FRAME_KIND.reset, accepted.channel);
      return;
    }
    listener.server.deliver(this.open(accepted.channel, accepted, listener.allowHalfOpen).socket);
  }

  private sent(frame: Frame): void {
    const sends = this.datagrams.get(frame.channel)?.sends;
    const number = decodeUint32(frame.payload);
    const send = sends?.get(number);
    if (sends === undefined || send === undefined) return;
    sends.delete(number);
    const code = decodeCode(frame.payload.subarray(4));
    if (code === null) send.resolve();
    else send.reject(new SocketError(code, 'send', send.address, send.port));
  }

  private fail(): void {
    this.lost = true;
    for (const request of this.requests.values()) request.reject(new SocketError('ENETUNREACH', 'connect'));
    for (const connection of this.connections.values()) connection.closed('ECONNRESET');
    for (const listener of this.listeners.values()) void listener.server.close();
    for (const { socket, sends } of this.datagrams.values()) {
      for (const send of sends.values()) send.reject(new SocketError('ENETUNREACH', 'send', send.address, send.port));
      socket.close();
    }
    this.requests.clear();
  }
}

function uncork(link: Socket): void {
  link.uncork();
}

interface PendingSend {
  resolve(): void;
  reject(error: Error): void;
  readonly address: string;
  readonly port: number;
}

interface ChannelDatagrams {
  readonly socket: UdpSocket;
  readonly sends: Map<number, PendingSend>;
}
