/** The event side of listening and UDP sockets, shared by both implementations; who creates one supplies what `close` and `send` do. */
import { EventEmitter } from 'node:events';
import type { PodTcpServer, PodTcpSocket, PodUdpSocket, SocketAddress } from './pod-network.ts';

export class TcpServer extends EventEmitter implements PodTcpServer {
  private readonly local: SocketAddress;
  private readonly release: () => void;
  private closed = false;

  constructor(local: SocketAddress, release: () => void) {
    super();
    this.local = local;
    this.release = release;
  }

  address(): SocketAddress {
    return this.local;
  }

  /** Hands an established connection to the program; without a listener for it the connection is reset. */
  deliver(socket: PodTcpSocket): void {
    if (this.closed || !this.emit('connection', socket)) socket.resetAndDestroy();
  }

  /** Closes the listening socket only; accepted connections live on. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.release();
    this.emit('close');
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
