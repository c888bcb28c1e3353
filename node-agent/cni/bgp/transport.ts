/** BGP messages over a TCP connection of the node's own stack. */
import type { TcpConnection } from '../../../shared/netstack/tcp/connection.ts';
import { FramedConnection } from '../framed-connection.ts';
import { BgpError, type BgpMessage, decodeMessage, encodeMessage, messageLength } from './message.ts';

export interface TransportEvents {
  message(message: BgpMessage): void;
  /** What came is no BGP. */
  broken(error: BgpError): void;
  closed(): void;
}

export class BgpTransport {
  private readonly frames: FramedConnection;
  private readonly events: TransportEvents;

  constructor(connection: TcpConnection, events: TransportEvents) {
    this.events = events;
    this.frames = new FramedConnection(connection, {
      lengthOf: (bytes) => this.checked(() => messageLength(bytes)),
      frame: (bytes) => {
        const message = this.checked(() => decodeMessage(bytes));
        if (message !== undefined) events.message(message);
      },
      closed: () => events.closed(),
    });
  }

  send(message: BgpMessage): void {
    this.frames.send(encodeMessage(message));
  }

  /** Without `closed`: whoever calls knows. */
  end(): void {
    this.frames.end();
  }

  /** Undefined, and `broken`, for what is no BGP; the session ends the connection then. */
  private checked<Result>(decode: () => Result): Result | undefined {
    try {
      return decode();
    } catch (error) {
      if (!(error instanceof BgpError)) throw error;
      this.events.broken(error);
      return undefined;
    }
  }
}
