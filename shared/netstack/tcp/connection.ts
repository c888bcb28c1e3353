/**
 * One TCP connection (RFC 9293): its identity and state, and the program's side of it.
 *
 *   program -> write/end -> Sender -> segment-output ->      -> segment-input -> Sender (acknowledgements)
 *           <- onWritable                                                     -> Receiver (data, FIN) -> onData, onEnd
 *
 * Callbacks run inside the stack: they may write, end, pause and abort, and must not throw.
 */

import type { Packet } from '../../wire/packet-memory.ts';
import * as tcp from '../../wire/tcp.ts';
import { Alarm } from '../alarm.ts';
import type { Host } from '../host.ts';
import type { IcmpErrorReport } from '../icmp-error.ts';
import type { SocketBackend } from '../socket-balancer.ts';
import { icmpErrorCode } from '../socket-error.ts';
import type { TokenBucket } from '../token-bucket.ts';
import { TurnEndCall } from '../turn-end.ts';
import { ConnectionCounters } from './connection-counters.ts';
import type { TcpEndpoint } from './endpoint-table.ts';
import { KeepAlive, type KeepAliveTimes } from './keep-alive.ts';
import type { TcpListener } from './listener.ts';
import { TcpPath } from './path.ts';
import { Receiver } from './receiver.ts';
import type { Segment } from './segment.ts';
import { processSegment } from './segment-input.ts';
import { sendReset, sendSyn } from './segment-output.ts';
import { DEFAULT_MSS_BYTES, MIN_MSS_BYTES, Sender } from './sender.ts';
import * as seq from './seq.ts';
import type { TcpErrorCode, TcpState } from './state.ts';

export interface TcpConnectionOptions {
  readonly localAddress: number;
  readonly localPort: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
  /** The listener that a passive connection goes to once it is established. */
  readonly listener?: TcpListener;
  /** By RFC 6528 when absent. */
  readonly initialSequence?: number;
}

export class TcpConnection implements TcpEndpoint {
  readonly host: Host;
  readonly localAddress: number;
  readonly localPort: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
  /** What the program asked for, where that is a Service's: its peer's name. */
  asked: SocketBackend | null = null;
  readonly path: TcpPath;
  readonly sender: Sender;
  readonly receiver: Receiver;
  state: TcpState = 'CLOSED';
  nextInBucket: TcpEndpoint | null = null;

  onEstablished: (() => void) | null = null;
  /** `bytes` that are lent are the callee's until it returns: whoever keeps them copies them. Others are its own. */
  onData: ((bytes: Uint8Array, isLent: boolean) => void) | null = null;
  /** The peer sent its FIN and all its data was handed over. */
  onEnd: (() => void) | null = null;
  /** Called once, when nothing more will happen; null when the connection closed in order or by `abort()`. */
  onClose: ((error: TcpErrorCode | null) => void) | null = null;
  /** There is room again after `write` took less than it was given. */
  onWritable: (() => void) | null = null;

  /** Agreed upon with the SYNs. */
  timestampsEnabled: boolean;
  windowScalingEnabled: boolean;
  sackEnabled: boolean;
  /** TS.Recent (RFC 7323). */
  timestampRecent = 0;
  readonly counters: ConnectionCounters;
  /** For what would be a part of a super-segment: more may be written in this turn. */
  readonly outputSoon: TurnEndCall;
  /** An ICMP error that does not end an established connection, but says why it timed out (RFC 1122 section 4.2.3.9). */
  private softError: TcpErrorCode | null = null;
  private listener: TcpListener | null;
  /** Bounds how often the peer is challenged; null until it is. */
  challenges: TokenBucket | null = null;
  private readonly timestampOffset: number;
  private writeRefused = false;
  /** The program called `close`: nobody reads what comes. */
  readerGone = false;
  private closeReported = false;
  private keepAlive: KeepAlive | null = null;
  private finWait2: Alarm | null = null;

  constructor(host: Host, options: TcpConnectionOptions) {
    const { localAddress, localPort, remoteAddress, remotePort } = options;
    const { settings, secrets } = host.tcp;
    this.host = host;
    this.counters = new ConnectionCounters(host.tcp.counters);
    this.localAddress = localAddress;
    this.localPort = localPort;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
    this.listener = options.listener ?? null;
    this.timestampsEnabled = settings.timestamps;
    this.windowScalingEnabled = settings.windowScaling;
    this.sackEnabled = settings.sack;
    this.timestampOffset = secrets.timestampOffset(localAddress, localPort, remoteAddress, remotePort);
    const { nowUs } = host.engine;
    this.path = new TcpPath(host, localAddress, remoteAddress);
    this.outputSoon = new TurnEndCall(host.engine, () => this.sender.output());
    const { initialSequence = secrets.initialSequence(nowUs, localAddress, localPort, remoteAddress, remotePort) } =
      options;
    this.sender = new Sender(this, initialSequence);
    this.receiver = new Receiver(this, settings.receiveBufferBytes);
  }

  // ---- the program's side ----

  /** Takes bytes to send, as many as the send buffer has room for, and says how many; `onWritable` tells of room. */
  write(bytes: Uint8Array): number {
    if (!this.writable) return 0;
    const accepted = this.sender.buffer.write(bytes);
    if (accepted < bytes.length) this.writeRefused = true;
    this.sender.output(true);
    return accepted;
  }

  /** False once `end`, `close` or `abort` was called or the connection is gone. */
  get writable(): boolean {
    return this.state !== 'CLOSED' && this.state !== 'TIME-WAIT' && !this.sender.finQueued;
  }

  /** Bytes written that are not acknowledged. */
  get sendQueueBytes(): number {
    return this.sender.buffer.length;
  }

  /** Nothing follows what was written: a FIN goes after it. Receiving goes on (half close). */
  end(): void {
    if (!this.writable) return;
    if (this.state === 'SYN-SENT' && this.sender.buffer.length === 0) {
      this.finish(null);
      return;
    }
    this.sender.finQueued = true;
    if (this.state === 'ESTABLISHED') this.state = 'FIN-WAIT-1';
    else if (this.state === 'CLOSE-WAIT') this.state = 'LAST-ACK';
    this.sender.output();
  }

  /**
   * Ends, and reads no more. Unread data, or data that still comes, resets the connection, for the peer must learn that
   * nobody took it (RFC 1122 section 4.2.2.13).
   */
  close(): void {
    if (this.state === 'CLOSED') return;
    if (this.receiver.hasUnread) {
      this.abort();
      return;
    }
    this.readerGone = true;
    this.end();
    if (this.state === 'FIN-WAIT-2') this.waitForFin();
  }

  /** Resets the connection. */
  abort(error: TcpErrorCode | null = null): void {
    if (this.state === 'CLOSED') return;
    if (this.isSynchronized && this.state !== 'TIME-WAIT') sendReset(this);
    this.finish(error);
  }

  /** Stops `onData`; what comes fills the receive window, and then the peer waits. */
  pause(): void {
    this.receiver.pause();
  }

  resume(): void {
    this.receiver.resume();
    this.reportClose();
  }

  /** Sends small segments at once (TCP_NODELAY). */
  setNoDelay(on: boolean): void {
    this.sender.noDelay = on;
    if (on) this.sender.output();
  }

  /** Probes a silent peer (RFC 1122 section 4.2.3.6), in the pauses of `times` or else of the host. */
  setKeepAlive(on: boolean, times?: KeepAliveTimes): void {
    this.keepAlive?.dispose();
    this.keepAlive = on && this.state !== 'CLOSED' ? new KeepAlive(this, times) : null;
  }

  /** Smoothed round-trip time; 0 before the first measurement. */
  get rttUs(): number {
    return this.sender.rto.smoothedRttUs;
  }

  // ---- opening ----

  /** Active open: sends the SYN. */
  open(): void {
    this.state = 'SYN-SENT';
    this.sender.startSyn();
    sendSyn(this, false);
  }

  /** A SYN for a listener, or one that crosses ours: takes what the peer offers and answers. */
  acceptSyn(segment: Segment): void {
    const crossed = this.state === 'SYN-SENT';
    this.takeSyn(segment);
    this.state = 'SYN-RECEIVED';
    if (!crossed) this.sender.startSyn();
    sendSyn(this, true);
  }

  /** What both SYNs carry is agreed (RFC 7323, RFC 2018). */
  takeSyn(segment: Segment): void {
    const { options } = segment;
    this.receiver.synchronize(segment.sequence);
    this.timestampsEnabled = this.timestampsEnabled && options.hasTimestamps;
    if (this.timestampsEnabled) this.timestampRecent = options.timestampValue;
    this.sackEnabled = this.sackEnabled && options.sackPermitted;
    this.windowScalingEnabled = this.windowScalingEnabled && options.windowScale >= 0;
    this.sender.window.shift = this.windowScalingEnabled ? Math.min(options.windowScale, 14) : 0;
    const peerMss = options.mss === 0 ? DEFAULT_MSS_BYTES : options.mss;
    this.sender.synchronize(segment, this.dataBytesOf(Math.min(peerMss, this.path.mssBytes())));
  }

  /** False while the listener's program has too many to accept. */
  mayEstablish(): boolean {
    return this.listener === null || this.listener.completes();
  }

  /** The handshake is complete. */
  establish(): void {
    this.state = 'ESTABLISHED';
    this.listener?.established(this);
    this.listener = null;
    // `end` was called before there was a connection to end.
    if (this.sender.finQueued) this.state = 'FIN-WAIT-1';
    this.onEstablished?.();
  }

  resendSyn(): void {
    this.counters.sentAgain();
    sendSyn(this, this.state === 'SYN-RECEIVED');
  }

  // ---- segments ----

  input(segment: Segment): void {
    this.counters.segmentsReceived++;
    this.keepAlive?.heard();
    processSegment(this, segment);
    if (this.state !== 'CLOSED') this.tellWritable();
  }

  /** Gives a transport packet to IP. */
  transmit(packet: Packet): void {
    this.counters.segmentsSent++;
    const error = this.path.transmit(packet);
    if (error === 'EMSGSIZE') this.sender.reduceMss(this.dataBytesOf(this.path.mssBytes()));
  }

  hasInFlight(sequence: number): boolean {
    return !seq.before(sequence, this.sender.unacknowledged) && seq.before(sequence, this.sender.next);
  }

  icmpError(report: IcmpErrorReport): void {
    const error = icmpErrorCode(report);
    if (error === 'EMSGSIZE') this.sender.reduceMss(this.dataBytesOf(this.path.mssBytes()));
    else if (error === null) return;
    else if (this.state === 'SYN-SENT' || this.state === 'SYN-RECEIVED') this.finish(error);
    else this.softError = error;
  }

  /** The retransmission timer gave up. */
  timedOut(): void {
    if (this.isSynchronized) sendReset(this);
    this.finish(this.softError ?? 'ETIMEDOUT');
  }

  retryLimit(): number {
    const { settings } = this.host.tcp;
    if (this.state === 'SYN-SENT') return settings.synRetries;
    if (this.state === 'SYN-RECEIVED') return settings.synAckRetries;
    return settings.retries;
  }

  /** A state in which data or a FIN may go out. */
  get maySend(): boolean {
    switch (this.state) {
      case 'ESTABLISHED':
      case 'CLOSE-WAIT':
      case 'FIN-WAIT-1':
      case 'CLOSING':
      case 'LAST-ACK':
        return true;
      default:
        return false;
    }
  }

  /** Both sides know the other's sequence numbers. */
  get isSynchronized(): boolean {
    return this.state !== 'CLOSED' && this.state !== 'SYN-SENT' && this.state !== 'LISTEN';
  }

  /** A passive connection that has not left its listener. */
  get isPending(): boolean {
    return this.listener !== null;
  }

  /** Milliseconds of the timestamp option. */
  timestampNow(): number {
    return (Math.floor(this.host.engine.nowUs / 1000) + this.timestampOffset) >>> 0;
  }

  // ---- what the state machine calls ----

  deliver(bytes: Uint8Array, isLent: boolean): void {
    if (this.readerGone) {
      this.abort();
      return;
    }
    this.onData?.(bytes, isLent);
  }

  deliverEnd(): void {
    this.onEnd?.();
  }

  finReceived(): void {
    if (this.state === 'ESTABLISHED') this.state = 'CLOSE-WAIT';
    else if (this.state === 'FIN-WAIT-1') this.state = this.sender.finAcknowledged ? 'TIME-WAIT' : 'CLOSING';
    else if (this.state === 'FIN-WAIT-2') this.state = 'TIME-WAIT';
  }

  finAcknowledged(): void {
    if (this.state === 'FIN-WAIT-1') {
      this.state = 'FIN-WAIT-2';
      if (this.readerGone) this.waitForFin();
    } else if (this.state === 'CLOSING') this.state = 'TIME-WAIT';
    else if (this.state === 'LAST-ACK') this.finish(null);
  }

  /** The connection is over for this object; the host remembers its numbers for 2 MSL. */
  enterTimeWait(): void {
    this.host.tcp.keepTimeWait(this);
    this.dispose();
    this.reportClose();
  }

  /** Ends now, for the error or in order. */
  finish(error: TcpErrorCode | null): void {
    if (this.state === 'CLOSED') return;
    this.state = 'CLOSED';
    this.host.tcp.forget(this);
    this.listener?.abandoned(this);
    this.listener = null;
    this.dispose();
    this.receiver.dispose();
    if (this.closeReported) return;
    this.closeReported = true;
    this.onClose?.(error);
  }

  /** A paused program is told of the close when it has read everything. */
  private reportClose(): void {
    if (this.state !== 'TIME-WAIT' || this.closeReported || !this.receiver.drained) return;
    this.closeReported = true;
    this.onClose?.(null);
  }

  private dispose(): void {
    this.sender.dispose();
    this.keepAlive?.dispose();
    this.finWait2?.dispose();
  }

  /** A third of the buffer is worth a call; a sixteenth is, where all is sent and the path would stand empty meanwhile. */
  private tellWritable(): void {
    if (!this.writeRefused) return;
    const { buffer, unsentBytes, mssBytes } = this.sender;
    if (buffer.spaceBytes < buffer.length >>> (unsentBytes < mssBytes ? 4 : 1)) return;
    this.writeRefused = false;
    this.onWritable?.();
  }

  private waitForFin(): void {
    this.finWait2 ??= new Alarm(this.host.engine, () => this.finish(null));
    this.finWait2.set(this.host.engine.nowUs + this.host.tcp.settings.finWait2Us);
  }

  /** What a segment of that MSS has room for beside the options that each one carries. */
  private dataBytesOf(mssBytes: number): number {
    return Math.max(mssBytes, MIN_MSS_BYTES) - (this.timestampsEnabled ? tcp.TIMESTAMPS_BYTES : 0);
  }
}
