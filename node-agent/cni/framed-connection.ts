/** Messages over a TCP connection of the node's own stack: cut out of the byte stream, and written into it. */
import type { TcpConnection } from '../../shared/netstack/tcp/connection.ts';

export interface FrameEvents {
  /** The length of the frame that begins here; undefined while that cannot be told. */
  lengthOf(bytes: Uint8Array): number | undefined;
  frame(bytes: Uint8Array): void;
  closed(): void;
}

export class FramedConnection {
  private readonly connection: TcpConnection;
  private readonly events: FrameEvents;
  private received = new Uint8Array(0);
  private isOver = false;

  constructor(connection: TcpConnection, events: FrameEvents) {
    this.connection = connection;
    this.events = events;
    connection.onData = (bytes) => this.take(bytes);
    connection.onEnd = () => this.close();
    connection.onClose = () => this.close();
  }

  /** A peer that reads nothing loses the connection: what would wait for it would be old. */
  send(frame: Uint8Array): void {
    if (!this.isOver && this.connection.write(frame) < frame.length) this.close();
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
    while (!this.isOver) {
      const length = this.events.lengthOf(this.received);
      if (length === undefined || this.received.length < length) return;
      const frame = this.received.slice(0, length);
      this.received = this.received.slice(length);
      this.events.frame(frame);
    }
  }
}
