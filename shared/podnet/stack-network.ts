/**
 * A pod's network straight over its stack, in the process that has the stack. Calls enter the engine in a turn of their
 * own; what the stack tells comes out after the turn, so that no program ever runs inside the stack.
 */
import type { Host } from '../netstack/host.ts';
import type { PingRequest, PingResult } from '../netstack/icmp.ts';
import { DEFAULT_TTL } from '../netstack/ip-output.ts';
import type { PathProbe } from '../netstack/path-probe.ts';
import type { TcpConnection } from '../netstack/tcp/connection.ts';
import type { UdpSocket as StackUdpSocket } from '../netstack/udp-socket.ts';
import { formatAddress, parseAddress } from '../wire/ip-address.ts';
import { type Deliveries, deliveriesOf, type StackLoop } from './deliveries.ts';
import { TcpServer, UdpSocket } from './listener.ts';
import { pingOutcome } from './ping-outcome.ts';
import type {
  InterfaceAddress,
  PingOptions,
  PingOutcome,
  PodNetwork,
  PodTcpServer,
  PodTcpSocket,
  PodUdpSocket,
  SocketAddress,
  TcpConnectOptions,
  TcpListenOptions,
  UdpBindOptions,
} from './pod-network.ts';
import { countReceived } from './received-memory.ts';
import { isSocketErrorCode, SocketError, type SocketErrorCode, socketErrorCode } from './socket-error.ts';
import { holdSocket, letGoOfSocket } from './socket-owner.ts';
import { type TcpEndpoints, TcpSocket, type TcpTransport } from './tcp-socket.ts';

export interface StackNetworkOptions {
  readonly host: Host;
  readonly loop: StackLoop;
}

interface Closable {
  close(): void;
}

/** Above this the stack keeps what comes, and the peer's window closes. */
const MAX_UNDELIVERED_BYTES = 256 * 1024;

/** Tells pings apart whose caller gave no identifier. */
let nextPingIdentifier = 1;

export class StackNetwork implements PodNetwork {
  private readonly host: Host;
  private readonly loop: StackLoop;
  /** What is to be closed with the pod. */
  private readonly open = new Set<Closable>();
  private pingSequence = 0;
  private closed = false;
  private readonly deliveries: Deliveries;

  constructor(options: StackNetworkOptions) {
    this.host = options.host;
    this.loop = options.loop;
    this.deliveries = deliveriesOf(options.loop);
  }

  connectTcp(options: TcpConnectOptions, signal?: AbortSignal): Promise<PodTcpSocket> {
    return new Promise((resolve, reject) => {
      const { host: address, port } = options;
      if (signal?.aborted || this.closed) {
        reject(new SocketError(this.closed ? 'ENETUNREACH' : 'ECANCELED', 'connect', address, port));
        return;
      }
      try {
        // The answer may come within the turn: whoever listens for it must be there by then.
        const transport = this.loop.run(
          () => new StackTransport(this.begin(options), this.loop, options.allowHalfOpen ?? false),
        );
        this.track(transport);
        holdSocket(transport.connection, options.owner);
        const cancel = (): void => transport.abandon(new SocketError('ECANCELED', 'connect', address, port));
        signal?.addEventListener('abort', cancel, { once: true });
        transport.onOutcome = (code) => {
          signal?.removeEventListener('abort', cancel);
          if (code === null) resolve(transport.socket);
          else reject(new SocketError(code, 'connect', address, port));
        };
      } catch (error) {
        reject(asSocketError(error, 'connect', address, port));
      }
    });
  }

  async listenTcp(options: TcpListenOptions): Promise<PodTcpServer> {
    const { host: address = this.everywhere, port, backlog, ipv6Only } = options;
    this.assertOpen('listen', address, port);
    const local = this.addressOf(address, 'listen', port);
    try {
      const listener = this.loop.run(() => this.host.tcp.listen({ address: local, port, backlog, ipv6Only }));
      const server = new TcpServer({ address, port: listener.localPort }, () => {
        this.open.delete(closable);
        letGoOfSocket(listener);
        this.loop.run(() => listener.close());
      });
      const closable = { close: () => void server.close() };
      this.open.add(closable);
      holdSocket(listener, options.owner);
      listener.onConnection = (connection) => {
        const transport = new StackTransport(connection, this.loop, options.allowHalfOpen ?? false);
        this.track(transport);
        listener.queued();
        this.deliveries.add(() => {
          listener.accepted();
          holdSocket(connection, options.owner);
          server.deliver(transport.socket);
        });
      };
      return server;
    } catch (error) {
      throw asSocketError(error, 'listen', address, port);
    }
  }

  async bindUdp(options: UdpBindOptions = {}): Promise<PodUdpSocket> {
    const { port = 0, remote, ipv6Only } = options;
    const { address = remote === undefined ? this.everywhere : anyOf(remote.address) } = options;
    this.assertOpen('bind', address, port);
    const local = this.addressOf(address, 'bind', port);
    try {
      const bound = this.loop.run(() => this.host.udp.bind({ address: local, port, ipv6Only }));
      if (remote !== undefined) this.connectUdp(bound, remote);
      const socket = new UdpSocket(
        { address, port: bound.localPort },
        async (data, toPort, to) => this.sendDatagram(bound, data, to, toPort),
        () => {
          this.open.delete(socket);
          letGoOfSocket(bound);
          this.loop.run(() => bound.close());
        },
      );
      this.open.add(socket);
      holdSocket(bound, options.owner);
      bound.onMessage = (data, from, fromPort) =>
        this.deliveries.add(() => socket.deliver(data, { address: formatAddress(from), port: fromPort }));
      bound.onError = (code) => this.deliveries.add(() => socket.deliverError(new SocketError(codeOf(code), 'recv')));
      return socket;
    } catch (error) {
      throw asSocketError(error, 'bind', address, port);
    }
  }

  ping(options: PingOptions, signal?: AbortSignal): Promise<PingOutcome> {
    return new Promise((resolve, reject) => {
      const { address, payloadBytes, ttl, dontFragment, timeoutMs } = options;
      const sequence = options.sequence ?? this.nextSequence();
      const target = parseAddress(address);
      if (target === undefined || this.closed) {
        reject(new SocketError(this.closed ? 'ENETUNREACH' : 'EINVAL', 'ping', address));
        return;
      }
      const answered = (result: PingResult): void => {
        signal?.removeEventListener('abort', cancel);
        if (result.kind === 'error') reject(new SocketError(codeOf(result.error), 'ping', address));
        else resolve(pingOutcome(result, sequence, performance.now() - startedMs));
      };
      const startedMs = performance.now();
      const request = { address: target, payloadBytes, ttl, dontFragment, timeoutUs: timeoutMs * 1000 };
      const told = (result: PingResult): void => this.deliveries.add(() => answered(result));
      const forget = this.loop.run(() => {
        const { via, port = 0, identifier = nextPingIdentifier++ & 0xffff } = options;
        if (via === undefined) return this.host.icmp.ping({ ...request, identifier, sequence }, told);
        return this.host.probes.send(pathProbe(request, via, port), told);
      });
      const cancel = (): void => {
        this.loop.run(forget);
        reject(new SocketError('ECANCELED', 'ping', address));
      };
      signal?.addEventListener('abort', cancel, { once: true });
    });
  }

  async addresses(): Promise<InterfaceAddress[]> {
    return this.host.addresses().map(({ device, address, prefixLength }) => ({
      device: device.name,
      address: formatAddress(address),
      prefixLength,
    }));
  }

  /** Ends everything that is open, as the end of a network namespace does. */
  close(): void {
    this.closed = true;
    for (const closable of [...this.open]) closable.close();
    this.open.clear();
  }

  /** What a socket that names no address is bound to: all of both versions, where there are both. */
  private get everywhere(): string {
    return this.host.ipv6 ? '::' : '0.0.0.0';
  }

  private nextSequence(): number {
    this.pingSequence = (this.pingSequence + 1) & 0xffff;
    return this.pingSequence;
  }

  private begin(options: TcpConnectOptions): TcpConnection {
    const { host: address, port, localAddress, localPort } = options;
    return this.host.tcp.connect({
      remoteAddress: this.addressOf(address, 'connect', port),
      remotePort: port,
      localAddress: localAddress === undefined ? undefined : this.addressOf(localAddress, 'bind', localPort ?? 0),
      localPort,
    });
  }

  private track(transport: StackTransport): void {
    this.open.add(transport);
    transport.onGone = () => this.open.delete(transport);
  }

  private connectUdp(socket: StackUdpSocket, remote: SocketAddress): void {
    const error = socket.connect(this.addressOf(remote.address, 'connect', remote.port), remote.port);
    if (error === null) return;
    this.loop.run(() => socket.close());
    throw new SocketError(codeOf(error), 'connect', remote.address, remote.port);
  }

  private sendDatagram(socket: StackUdpSocket, data: Uint8Array, address: string, port: number): void {
    const destination = this.addressOf(address, 'send', port);
    const error = this.loop.run(() => socket.sendTo(data, destination, port));
    if (error !== null) throw new SocketError(codeOf(error), 'send', address, port);
  }

  private addressOf(text: string, syscall: string, port: number): number {
    const address = parseAddress(text === 'localhost' ? '127.0.0.1' : text);
    if (address === undefined) throw new SocketError('EINVAL', syscall, text, port);
    return address;
  }

  private assertOpen(syscall: string, address: string, port: number): void {
    if (this.closed) throw new SocketError('ENETUNREACH', syscall, address, port);
  }
}

/** What libuv sets beside the idle time it is given. */
const LIBUV_KEEP_ALIVE = { intervalUs: 1_000_000, probes: 10 };

/** A connection of the stack as the bytes' carrier of a TcpSocket. */
class StackTransport implements TcpTransport, Closable {
  readonly socket: TcpSocket;
  /** Told once: null when the handshake is complete, else why there is no connection. */
  onOutcome: ((code: SocketErrorCode | null) => void) | null = null;
  onGone: (() => void) | null = null;
  readonly connection: TcpConnection;
  private readonly loop: StackLoop;
  private established: boolean;
  private abandoned = false;
  private socketPaused = false;
  /** Handed over by the stack, not yet to the program. */
  private undeliveredBytes = 0;

  constructor(connection: TcpConnection, loop: StackLoop, allowHalfOpen: boolean) {
    this.connection = connection;
    this.loop = loop;
    const deliveries = deliveriesOf(loop);
    this.established = connection.state !== 'SYN-SENT' && connection.state !== 'CLOSED';
    this.socket = new TcpSocket(this, endpointsOf(connection), { allowHalfOpen });
    connection.onEstablished = () => deliveries.add(() => this.hasEstablished());
    connection.onData = (bytes, isLent) => {
      this.holdBack(bytes.length);
      const own = isLent ? connection.host.memory.copyOf(bytes) : bytes;
      countReceived(own.length);
      deliveries.add(() => this.deliver(own));
    };
    connection.onEnd = () => deliveries.add(() => this.socket.deliverEnd());
    connection.onWritable = () => deliveries.add(() => this.socket.deliverWritable());
    connection.onClose = (error) => deliveries.add(() => this.hasClosed(error === null ? null : codeOf(error)));
  }

  write(data: Uint8Array): number {
    return this.loop.run(() => this.connection.write(data));
  }

  end(): void {
    this.loop.run(() => this.connection.end());
  }

  close(): void {
    letGoOfSocket(this.connection);
    this.loop.run(() => this.connection.close());
  }

  reset(): void {
    letGoOfSocket(this.connection);
    this.loop.run(() => this.connection.abort());
  }

  pause(): void {
    this.socketPaused = true;
    this.connection.pause();
  }

  resume(): void {
    this.socketPaused = false;
    if (this.undeliveredBytes < MAX_UNDELIVERED_BYTES) this.loop.run(() => this.connection.resume());
  }

  setNoDelay(on: boolean): void {
    this.loop.run(() => this.connection.setNoDelay(on));
  }

  setKeepAlive(on: boolean, idleMs: number): void {
    const times = idleMs > 0 ? { ...LIBUV_KEEP_ALIVE, idleUs: idleMs * 1000 } : undefined;
    this.loop.run(() => this.connection.setKeepAlive(on, times));
  }

  /** Gives the attempt up. */
  abandon(reason: SocketError): void {
    if (this.established || this.abandoned) return;
    this.abandoned = true;
    this.reset();
    this.onOutcome?.(reason.code);
  }

  /** A program that sends without ever giving the event loop a chance must meet a full window, as it would in a kernel. */
  private holdBack(byteCount: number): void {
    this.undeliveredBytes += byteCount;
    if (this.undeliveredBytes >= MAX_UNDELIVERED_BYTES) this.connection.pause();
  }

  private deliver(bytes: Uint8Array): void {
    const wasFull = this.undeliveredBytes >= MAX_UNDELIVERED_BYTES;
    this.undeliveredBytes -= bytes.length;
    this.socket.deliver(bytes);
    if (wasFull && this.undeliveredBytes < MAX_UNDELIVERED_BYTES && !this.socketPaused) this.resume();
  }

  private hasEstablished(): void {
    this.established = true;
    if (!this.abandoned) this.onOutcome?.(null);
  }

  private hasClosed(code: SocketErrorCode | null): void {
    this.onGone?.();
    letGoOfSocket(this.connection);
    if (this.established) this.socket.deliverClosed(code);
    else {
      this.socket.deliverClosed(null);
      if (!this.abandoned) this.onOutcome?.(code ?? 'ECONNABORTED');
    }
  }
}

/** "Any" of a peer's version. */
function anyOf(address: string): string {
  return address.includes(':') ? '::' : '0.0.0.0';
}

function endpointsOf(connection: TcpConnection): TcpEndpoints {
  return {
    localAddress: formatAddress(connection.localAddress),
    localPort: connection.localPort,
    remoteAddress: formatAddress(connection.asked?.address ?? connection.remoteAddress),
    remotePort: connection.asked?.port ?? connection.remotePort,
  };
}

function pathProbe(
  request: Omit<PingRequest, 'identifier' | 'sequence'>,
  protocol: 'udp' | 'tcp',
  port: number,
): PathProbe {
  const { address, payloadBytes = 0, ttl = DEFAULT_TTL, dontFragment = false, timeoutUs = 0 } = request;
  return { protocol, address, port, ttl, payloadBytes, dontFragment, timeoutUs };
}

/** Codes that Node's errors have no name for here are shown as the nearest that they have. */
function codeOf(code: string): SocketErrorCode {
  return isSocketErrorCode(code) ? code : 'ECONNREFUSED';
}

function asSocketError(error: unknown, syscall: string, address: string, port: number): unknown {
  const code = socketErrorCode(error);
  return code === undefined ? error : new SocketError(code, syscall, address, port);
}
