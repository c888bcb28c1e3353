import * as tcp from '../../wire/tcp.ts';
import type { Host } from '../host.ts';
import { sendBareSegment } from './bare-segment.ts';
import type { TcpConnection } from './connection.ts';
import type { TcpEndpoint } from './endpoint-table.ts';
import type { Segment } from './segment.ts';
import * as seq from './seq.ts';

/** What is left of a closed connection for 2 MSL: enough to acknowledge a FIN again and to tell old segments from new. */
export class TimeWait implements TcpEndpoint {
  readonly state = 'TIME-WAIT';
  readonly localAddress: number;
  readonly localPort: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
  nextInBucket: TcpEndpoint | null = null;
  expiresUs: number;
  private readonly host: Host;
  /** SND.NXT: what begins anew on these endpoints begins beyond it (RFC 9293 section 3.6.1). */
  readonly sendNext: number;
  private readonly receiveNext: number;
  private readonly window: number;
  private readonly timestampsEnabled: boolean;
  private readonly timestampRecent: number;
  private readonly timestampBase: number;

  constructor(connection: TcpConnection) {
    const { host } = connection;
    this.host = host;
    this.localAddress = connection.localAddress;
    this.localPort = connection.localPort;
    this.remoteAddress = connection.remoteAddress;
    this.remotePort = connection.remotePort;
    this.sendNext = connection.sender.next;
    this.receiveNext = connection.receiver.next;
    this.window = connection.receiver.windowField();
    this.timestampsEnabled = connection.timestampsEnabled;
    this.timestampRecent = connection.timestampRecent;
    this.timestampBase = connection.timestampNow() - Math.floor(host.engine.nowUs / 1000);
    this.expiresUs = host.engine.nowUs + host.tcp.settings.timeWaitUs;
  }

  /**
   * A SYN that can only be of a new connection (RFC 9293 section 3.10.7.4, RFC 6191): its timestamp, or if that says nothing
   * its sequence number, is beyond all that the old one had.
   */
  admitsNew(segment: Segment): boolean {
    if (!segment.isPlainSyn) return false;
    if (this.timestampsEnabled && segment.options.hasTimestamps) {
      const newer = seq.distance(segment.options.timestampValue, this.timestampRecent);
      if (newer !== 0) return newer > 0;
    }
    return seq.after(segment.sequence, this.receiveNext);
  }

  /** RFC 1337: a reset does not end TIME-WAIT. All else is acknowledged; a FIN begins the wait anew. */
  input(segment: Segment): void {
    if (segment.has(tcp.RST)) return;
    if (segment.length === 0 && segment.sequence === this.receiveNext) return;
    if (segment.has(tcp.FIN)) this.host.tcp.renewTimeWait(this);
    this.acknowledge();
  }

  /** Nothing of a connection that is over is in flight, so that no error is about it. */
  hasInFlight(): boolean {
    return false;
  }

  icmpError(): void {
    throw new Error('an ICMP error about TIME-WAIT was believed');
  }

  private acknowledge(): void {
    const { localAddress, localPort, remoteAddress, remotePort } = this;
    const now = (Math.floor(this.host.engine.nowUs / 1000) + this.timestampBase) >>> 0;
    sendBareSegment(this.host, {
      localAddress,
      localPort,
      remoteAddress,
      remotePort,
      sequence: this.sendNext,
      acknowledgement: this.receiveNext,
      flags: tcp.ACK,
      window: this.window,
      ...(this.timestampsEnabled ? { timestamps: { value: now, echo: this.timestampRecent } } : {}),
    });
  }
}
