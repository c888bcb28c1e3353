/** BGP messages over a TCP connection of the node's own stack: cut out of the byte stream, and written into it. */
import type { TcpConnection } from '../../../shared/netstack/tcp/connection.ts';
import { BgpError, type BgpMessage, decodeMessage, encodeMessage, messageLength } from './message.ts';

export interface TransportEvents {
  message(message: BgpMessage): void;
  /** What came is no BGP. */
  broken(error: BgpError): void;
  closed(): void;
}

export class BgpTransport {
  readonly connection: TcpConnection;
  private readonly events: TransportEvents;
  private received = new Uint8Array(0);
  private isOver = false;

  constructor(connection: TcpConnection, events: TransportEvents) {
    this.connection = connection;
    this.events = events;
    connection.onData = (bytes) => this.take(bytes);
    connection.onEnd = () => this.close();
    connection.onClose = () => this.close();
  }

  /** A peer that reads nothing loses the connection: routes that wait would be old ones. */
  send(message: BgpMessage): void {
    if (this.isOver) return;
    const bytes = encodeMessage(message);
    if (this.connection.write(bytes) < bytes.length) this.close();
  }

  /** Without `closed`: whoever calls knows. */
  end(): void {
    this.isOver = true;
    this.connection.close();
  }

  private close(): void {
    if (this.isOver) return;
    this.end();
    this.events.closed();
  }

  private take(bytes: Uint8Array): void {
    const all = new Uint8Array(this.received.length + bytes.length);
    all.set(this.received);
    all.set(bytes, this.received.length);
    this.received = all;
    try {
      while (!this.isOver) {
        const length = messageLength(this.received);
        if (length === undefined || this.received.length < length) return;
        const message = decodeMessage(this.received.subarray(0, length));
        this.received = this.received.slice(length);
        this.events.message(message);
      }
    } catch (error) {
      if (!(error instanceof BgpError)) throw error;
      this.events.broken(error);
    }
  }
}
