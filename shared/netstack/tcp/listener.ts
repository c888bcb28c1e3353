import type { TcpConnection } from './connection.ts';

/** Connections a listener holds whose handshake is under way, unless `backlog` says otherwise (Node's own default). */
export const DEFAULT_BACKLOG = 511;
export const MAX_BACKLOG = 4096;

export interface TcpListenerOptions {
  readonly localAddress: number;
  readonly localPort: number;
  readonly ipv6Only: boolean;
  readonly backlog: number;
  /** Gives the port back. */
  readonly release: () => void;
}

/** A port that accepts connections. `onConnection` runs inside the stack, when a handshake is complete. */
export class TcpListener {
  /** 0 for any. */
  readonly localAddress: number;
  readonly localPort: number;
  readonly ipv6Only: boolean;
  readonly backlog: number;
  onConnection: ((connection: TcpConnection) => void) | null = null;
  /** SYNs dropped because the backlog was full, and handshakes that were not completed because the accept queue was. */
  backlogDrops = 0;
  acceptQueueDrops = 0;
  /** Connections in the accept queue: established, and not taken by the program. */
  unaccepted = 0;
  closed = false;
  private readonly pending = new Set<TcpConnection>();
  private readonly release: () => void;

  constructor(options: TcpListenerOptions) {
    this.localAddress = options.localAddress;
    this.localPort = options.localPort;
    this.ipv6Only = options.ipv6Only;
    this.backlog = Math.max(1, Math.min(options.backlog, MAX_BACKLOG));
    this.release = options.release;
  }

  /** Handshakes under way. */
  get pendingConnections(): number {
    return this.pending.size;
  }

  /** Accepts no more; handshakes under way end, established connections go on. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.release();
    for (const connection of [...this.pending]) connection.abort();
  }

  /** A connection that `onConnection` told of waits for its program; `accepted` follows. Both are the program's to call. */
  queued(): void {
    this.unaccepted++;
  }

  accepted(): void {
    this.unaccepted--;
  }

  /** For TcpLayer: false when there is no room for a SYN, in either queue. */
  admits(): boolean {
    if (this.unaccepted < this.backlog && this.pending.size < this.backlog) return true;
    this.backlogDrops++;
    return false;
  }

  /** False while the accept queue is full: the last segment of a handshake is dropped, and the SYN-ACK goes again, as in Linux. */
  completes(): boolean {
    if (this.unaccepted < this.backlog) return true;
    this.acceptQueueDrops++;
    return false;
  }

  begun(connection: TcpConnection): void {
    this.pending.add(connection);
  }

  established(connection: TcpConnection): void {
    this.pending.delete(connection);
    this.onConnection?.(connection);
  }

  abandoned(connection: TcpConnection): void {
    this.pending.delete(connection);
  }
}
