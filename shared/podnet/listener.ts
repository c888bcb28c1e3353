/** The event side of listening and UDP sockets, shared by both implementations; who creates one supplies what `close` and `send` do. */
import { EventEmitter } from 'node:events';
import { familyName, type IpFamilyName } from './ip-family-name.ts';
import type { PodTcpServer, PodTcpSocket, PodUdpSocket, SocketAddress } from './pod-network.ts';

export class TcpServer extends EventEmitter implements PodTcpServer {
  /** Connections beyond it are closed as soon as they are accepted, and `drop` tells of each. */
  maxConnections = Number.POSITIVE_INFINITY;
  listening = true;
  private readonly local: SocketAddress;
  private readonly release: () => void;
  private connections = 0;

  constructor(local: SocketAddress, release: () => void) {
    super();
    this.local = local;
    this.release = release;
  }

  address(): SocketAddress & { readonly family: IpFamilyName } {
    return { ...this.local, family: familyName(this.local.address) };
  }

  /** Hands an established connection to the program. */
  deliver(socket: PodTcpSocket): void {
    if (!this.listening) {
      socket.resetAndDestroy();
      return;
    }
    if (this.connections >= this.maxConnections) {
      const { localAddress, localPort, localFamily, remoteAddress, remotePort, remoteFamily } = socket;
      socket.destroy();
      this.emit('drop', { localAddress, localPort, localFamily, remoteAddress, remotePort, remoteFamily });
      return;
    }
    this.connections++;
    socket.once('close', () => {
      this.connections--;
      if (!this.listening && this.connections === 0) this.emit('close');
    });
    this.emit('connection', socket);
  }

  getConnections(callback: (error: Error | null, count: number) => void): this {
    queueMicrotask(() => callback(null, this.connections));
    return this;
  }

  async close(callback?: (error?: Error) => void): Promise<void> {
    if (!this.listening) {
      if (callback !== undefined) queueMicrotask(() => callback(new ServerNotRunningError()));
      return;
    }
    if (callback !== undefined) this.once('close', () => callback());
    this.listening = false;
    this.release();
    if (this.connections === 0) queueMicrotask(() => this.emit('close'));
  }
}

/** What `net.Server` says when it is closed twice. */
class ServerNotRunningError extends Error {
  readonly code = 'ERR_SERVER_NOT_RUNNING';

  constructor() {
    super('Server is not running.');
  }
}

export class UdpSocket extends EventEmitter implements PodUdpSocket {
  private readonly local: SocketAddress;
  private readonly transmit: (data: Uint8Array, port: number, address: string) => Promise<void>;
  private readonly release: () => void;
  private closed = false;

  constructor(
    local: SocketAddress,
    transmit: (data: Uint8Array, port: number, address: string) => Promise<void>,
    release: () => void,
  ) {
    super();
    this.local = local;
    this.transmit = transmit;
    this.release = release;
  }

  address(): SocketAddress {
    return this.local;
  }

  send(data: Uint8Array, port: number, address: string): Promise<void> {
    return this.transmit(data, port, address);
  }

  deliver(data: Uint8Array, from: SocketAddress): void {
    if (!this.closed) this.emit('message', data, from);
  }

  /** ICMP errors reach only programs that listen for them, as with an unconnected dgram socket. */
  deliverError(error: Error): void {
    if (!this.closed && this.listenerCount('error') > 0) this.emit('error', error);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.release();
    this.emit('close');
  }
}
