import * as tcp from '../../wire/tcp.ts';
import { Alarm } from '../alarm.ts';
import { type CongestionControl, windowWasLimit } from './congestion.ts';
import { createCongestionControl } from './congestion-controls.ts';
import type { TcpConnection } from './connection.ts';
import { EifelDetection } from './eifel.ts';
import { LossDetection } from './loss-detection.ts';
import { ReorderingWindow } from './reordering.ts';
import { RetransmissionTimer } from './retransmission-timer.ts';
import { RoundTripMeter } from './round-trip.ts';
import { RetransmissionTimeout } from './rto.ts';
import type { Segment } from './segment.ts';
import { sackOptionBytes, sendSegment } from './segment-output.ts';
import { SendBuffer } from './send-buffer.ts';
import { SendWindow } from './send-window.ts';
import * as seq from './seq.ts';
import { WindowProbes } from './window-probes.ts';

/** What a peer that says nothing takes (RFC 9293 section 3.7.1). */
export const DEFAULT_MSS_BYTES = 536;
/** The least MSS that is used, whatever a peer or a path says (Linux' tcp_min_snd_mss); the longest options fit in it. */
export const MIN_MSS_BYTES = 48;

/** The sending half of a connection: what was written, what is in flight, and when which of it goes out. */
export class Sender {
  readonly buffer: SendBuffer;
  readonly rto: RetransmissionTimeout;
  readonly loss = new LossDetection();
  congestion: CongestionControl;
  /** ISS, SND.UNA, SND.NXT. */
  readonly initialSequence: number;
  unacknowledged: number;
  next: number;
  readonly window = new SendWindow();
  mssBytes = DEFAULT_MSS_BYTES;
  noDelay = false;
  /** The program said that nothing follows what it wrote. */
  finQueued = false;
  private readonly connection: TcpConnection;
  private readonly timer: RetransmissionTimer;
  private readonly reordering = new ReorderingWindow();
  private readonly reorderingTimer: Alarm;
  private readonly eifel = new EifelDetection();
  /** End of the last segment sent that was not full (Minshall's variant of Nagle's algorithm). */
  private smallSegmentEnd: number;
  private readonly roundTrip: RoundTripMeter;
  private lastSentUs = 0;
  private readonly probes = new WindowProbes();
  /** Data that fits a segment now: the MSS but for the SACK blocks that go with it. */
  private payloadBytes = DEFAULT_MSS_BYTES;

  constructor(connection: TcpConnection, initialSequence: number) {
    const { settings } = connection.host.tcp;
    this.connection = connection;
    this.buffer = new SendBuffer(settings.sendBufferBytes, connection.host.engine);
    this.rto = new RetransmissionTimeout(settings.minRtoUs);
    this.roundTrip = new RoundTripMeter(this.rto);
    this.congestion = createCongestionControl(settings.congestionControl, this.mssBytes);
    this.timer = new RetransmissionTimer(connection.host.engine, this.rto, () => this.timerFired());
    this.reorderingTimer = new Alarm(connection.host.engine, () => {
      this.beginFastRecovery();
      this.output();
    });
    this.initialSequence = initialSequence;
    this.unacknowledged = initialSequence;
    this.next = initialSequence;
    this.buffer.sequence = seq.add(initialSequence, 1);
    this.smallSegmentEnd = initialSequence;
  }

  get inFlightBytes(): number {
    return seq.distance(this.next, this.unacknowledged);
  }

  /** What a loss halves: not more than the window, for in recovery what lies between holes and the peer has counts as in flight. */
  private get flightBytes(): number {
    return Math.min(this.inFlightBytes, this.congestion.windowBytes);
  }

  /** The FIN was sent, and acknowledged. */
  get finAcknowledged(): boolean {
    return this.finQueued && this.buffer.length === 0 && seq.after(this.unacknowledged, this.buffer.sequence);
  }

  /** Written and not yet sent. */
  get unsentBytes(): number {
    return Math.max(this.buffer.length - seq.distance(this.next, this.buffer.sequence), 0);
  }

  /** All data was sent, and the FIN was not. */
  private get finWaits(): boolean {
    return this.finQueued && this.next === this.buffer.endSequence;
  }

  /** The SYN goes out now: it takes a sequence number and is timed. */
  startSyn(): void {
    this.next = seq.add(this.initialSequence, 1);
    this.loss.start(this.initialSequence);
    this.roundTrip.retransmitted(this.connection.timestampNow());
    this.roundTrip.start(this.next, this.connection.host.engine.nowUs);
    this.armTimer();
  }

  /** The peer's SYN is known: its MSS bounds ours, and its window begins. */
  synchronize(segment: Segment, mssBytes: number): void {
    this.mssBytes = mssBytes;
    this.congestion = createCongestionControl(this.connection.host.tcp.settings.congestionControl, this.mssBytes);
    this.window.begin(segment);
  }

  /** The path takes less than thought: what is in flight and too long is sent again in smaller segments. */
  reduceMss(mssBytes: number): void {
    if (mssBytes >= this.mssBytes) return;
    this.mssBytes = mssBytes;
    this.congestion.mssChanged(this.mssBytes);
    if (this.inFlightBytes === 0) return;
    this.loss.beginTimeoutRecovery(this.unacknowledged, this.next, false);
    this.roundTrip.retransmitted(this.connection.timestampNow());
    this.output();
  }

  /**
   * An acknowledgement that is neither old nor of what was not sent: frees what it covers, measures, finds losses.
   * The caller calls `output` afterwards.
   */
  acknowledged(segment: Segment): void {
    const { acknowledgement } = segment;
    const advance = seq.distance(acknowledgement, this.unacknowledged);
    const windowMoved = this.window.update(segment);
    const reported = this.connection.sackEnabled && this.loss.recordSack(segment.options, acknowledgement, this.next);
    if (advance > 0) this.advance(segment, advance);
    else {
      const usable = this.window.usable(this.unacknowledged, this.next);
      this.probes.answered(usable);
      const isDuplicate = segment.length === 0 && (this.connection.sackEnabled ? reported : !windowMoved);
      if (this.inFlightBytes === 0 && usable > 0) this.rto.progressed();
      else if (this.inFlightBytes > 0 && isDuplicate) this.loss.duplicates++;
    }
    if (this.inFlightBytes > 0) this.recover();
  }

  /** Sends what may be sent as far as both windows reach, in the order of RFC 6675's NextSeg: lost, new, doubtful. */
  output(restWaits = false): void {
    if (!this.connection.maySend) return;
    this.payloadBytes = this.mssBytes - sackOptionBytes(this.connection);
    let pipe = this.loss.pipeBytes(this.unacknowledged, this.next, this.mssBytes, this.connection.sackEnabled);
    pipe = this.resendLost(pipe);
    if (this.buffer.length > 0) pipe = this.sendNew(pipe, restWaits);
    if (this.loss.recovery === 'fast' && this.connection.sackEnabled) this.resendDoubtful(pipe);
    if (this.finWaits && this.window.usable(this.unacknowledged, this.next) > 0) {
      this.next = seq.add(this.next, this.sendAt(this.next, 0));
    }
    this.armTimer();
  }

  dispose(): void {
    this.timer.dispose();
    this.reorderingTimer.dispose();
    this.buffer.dispose();
  }

  private advance(segment: Segment, advance: number): void {
    const { host } = this.connection;
    const { nowUs } = host.engine;
    const flightBefore = this.inFlightBytes;
    if (this.unacknowledged === this.initialSequence) this.synAcknowledged();
    this.measure(segment, nowUs);
    this.unacknowledged = segment.acknowledgement;
    this.buffer.acknowledged(this.unacknowledged);
    this.rto.progressed();
    this.connection.path.confirm();
    this.timer.clear();
    this.reorderingTimer.clear();
    if (this.loss.recovery === 'open' && this.loss.sacked.count > 0) this.reordering.swapped();
    const ended = this.loss.advanced(this.unacknowledged, this.mssBytes);
    const forNothing = this.wasForNothing(segment);
    const { recovery } = this.loss;
    if (ended && !forNothing) this.congestion.recovered(this.inFlightBytes);
    // Without reports the next hole is only known by the partial acknowledgement (RFC 6582 section 3.2, step 3).
    else if (recovery === 'fast' && !this.connection.sackEnabled) this.resend(this.unacknowledged);
    else if (recovery !== 'fast' && windowWasLimit(this.congestion, flightBefore, this.mssBytes)) {
      this.congestion.acknowledged(advance, nowUs, this.rto.smoothedRttUs);
    }
  }

  /** A SYN that had to go again leaves care behind: RFC 6298 section 5.7, and RFC 5681 section 3.1 from the second time on as Linux. */
  private synAcknowledged(): void {
    if (this.rto.expirations > 0) this.rto.synTimedOut();
    if (this.rto.expirations > 1) this.congestion.timedOut(0, false, this.connection.host.engine.nowUs);
  }

  private measure(segment: Segment, nowUs: number): void {
    // A SYN-ACK sent again echoes the same SYN: its timestamp is of no use.
    const ofSyn = this.unacknowledged === this.initialSequence;
    const stamped = this.connection.timestampsEnabled && !ofSyn;
    this.roundTrip.acknowledged(segment, nowUs, stamped ? this.connection.timestampNow() : undefined);
  }

  /** Begins fast recovery when something is lost; on a path that swaps segments, only if it still is after a while. */
  private recover(): void {
    const { loss } = this;
    const edge = loss.suspectedEdge(this.unacknowledged, this.mssBytes);
    if (loss.recovery !== 'open') {
      loss.lostEdge = edge;
      return;
    }
    if (!seq.after(edge, this.unacknowledged)) {
      this.reorderingTimer.clear();
      return;
    }
    const delayUs = this.reordering.delayUs(this.rto.minRttUs, this.rto.smoothedRttUs);
    if (delayUs === 0) this.beginFastRecovery();
    else if (!this.reorderingTimer.isSet) this.reorderingTimer.set(this.connection.host.engine.nowUs + delayUs);
  }

  private beginFastRecovery(): void {
    const { loss } = this;
    loss.lostEdge = loss.suspectedEdge(this.unacknowledged, this.mssBytes);
    if (loss.recovery !== 'open' || !seq.after(loss.lostEdge, this.unacknowledged)) return;
    this.connection.counters.lostEarly();
    this.congestion.lost(this.flightBytes, this.connection.host.engine.nowUs);
    loss.beginFastRecovery(this.next);
    if (seq.before(this.unacknowledged, loss.retransmittedEdge)) return;
    this.payloadBytes = this.mssBytes - sackOptionBytes(this.connection);
    // The first lost segment goes out whatever is in flight (RFC 6675 section 5, step 4.3).
    this.resend(this.unacknowledged);
    if (this.connection.timestampsEnabled) this.eifel.begin(this.roundTrip.resentTimestamp);
  }

  /** The window is given back when the recovery was for nothing (RFC 4015). */
  private wasForNothing(segment: Segment): boolean {
    const verdict = this.eifel.judge(segment);
    if (verdict === 'genuine') this.reordering.genuine();
    if (verdict !== 'spurious') return false;
    this.reordering.spurious();
    this.connection.counters.spuriousRecoveries++;
    this.congestion.undoLoss();
    this.loss.cancelRecovery(this.unacknowledged);
    return true;
  }

  private resendLost(inFlight: number): number {
    let pipe = inFlight;
    if (this.loss.recovery === 'open') return pipe;
    this.resendLostAgain();
    for (;;) {
      const from = this.loss.nextLost(this.unacknowledged);
      if (!seq.before(from, this.loss.lostEdge)) return pipe;
      if (pipe > 0 && pipe + this.mssBytes > this.congestion.windowBytes) return pipe;
      const sent = this.resend(from);
      if (sent === 0) return pipe;
      pipe += sent;
    }
  }

  /** A retransmission that is lost makes room for itself: it is counted as on the way still. */
  private resendLostAgain(): void {
    const { loss, mssBytes, rto } = this;
    const roundTripUs = rto.minRttUs + this.reordering.delayUs(rto.minRttUs, rto.smoothedRttUs);
    const sentBeforeUs = this.connection.host.engine.nowUs - roundTripUs;
    for (;;) {
      const from = loss.resent.takeLost(this.unacknowledged, loss.sacked, mssBytes, sentBeforeUs);
      if (from < 0 || this.resend(from) === 0) return;
    }
  }

  /** Sends the segment at `from` again, up to what the peer has; answers the sequence numbers it took. */
  private resend(from: number): number {
    const gapEnd = this.loss.sacked.nextLeft(from, this.next);
    const sent = this.sendAgain(from, Math.min(this.payloadBytes, seq.distance(gapEnd, from)));
    this.loss.retransmittedEdge = seq.later(this.loss.retransmittedEdge, seq.add(from, sent));
    return sent;
  }

  private sendAgain(from: number, length: number): number {
    const sent = this.sendAt(from, Math.min(length, seq.distance(this.next, from)));
    this.roundTrip.retransmitted(this.connection.timestampNow());
    this.connection.counters.sentAgain();
    if (this.connection.sackEnabled) this.loss.resent.sent(from, this.next, this.connection.host.engine.nowUs);
    return sent;
  }

  /** NextSeg's rules 3 and 4: with nothing new to send, the holes that may yet be filled, and once the end of the flight. */
  private resendDoubtful(inFlight: number): void {
    for (let pipe = inFlight; pipe + this.mssBytes <= this.congestion.windowBytes; ) {
      const hole = this.loss.nextHole(this.unacknowledged);
      const from = hole >= 0 ? hole : this.loss.rescueFrom(this.unacknowledged, this.next, this.payloadBytes);
      if (from < 0) return;
      pipe += hole >= 0 ? this.resend(hole) : this.sendAgain(from, this.payloadBytes);
    }
  }

  private sendNew(inFlight: number, restWaits: boolean): number {
    const { engine } = this.connection.host;
    if (this.inFlightBytes === 0 && engine.nowUs - this.lastSentUs > this.rto.currentUs) this.congestion.idle();
    const limit = this.connection.path.segmentLimitBytes(this.payloadBytes);
    let pipe = inFlight;
    for (;;) {
      const length = this.nextLength(pipe, limit);
      if (length === 0) return pipe;
      if (restWaits && length >= this.payloadBytes && length < limit) {
        this.connection.outputSoon.request();
        return pipe;
      }
      if (!this.roundTrip.timing && this.loss.recovery === 'open') {
        this.roundTrip.start(seq.add(this.next, length), engine.nowUs);
      }
      const sent = this.sendAt(this.next, length);
      this.next = seq.add(this.next, sent);
      if (length < this.payloadBytes) this.smallSegmentEnd = this.next;
      pipe += sent;
    }
  }

  /** Data of the next new segment; 0 when none may go now (RFC 9293 section 3.8.6.2.1, and Nagle). */
  private nextLength(pipe: number, limit: number): number {
    const unsent = this.unsentBytes;
    const usable = this.window.usable(this.unacknowledged, this.next);
    const room = this.congestion.windowBytes - pipe;
    const full = this.payloadBytes;
    let length = Math.min(unsent, usable, limit);
    if (length <= 0 || (room < Math.min(length, full) && pipe > 0)) return 0;
    if (length > full) {
      length = Math.max(Math.min(length, room), full);
      if (length < unsent) length -= length % full;
    }
    if (length >= full) return length;
    if (length < unsent) return length >= this.window.maxBytes >>> 1 ? length : 0;
    if (this.noDelay || this.finQueued || !seq.after(this.smallSegmentEnd, this.unacknowledged)) return length;
    return 0;
  }

  /** Sends up to `length` bytes from `sequence`, with the FIN if it follows at once; answers the sequence numbers used. */
  private sendAt(sequence: number, length: number): number {
    const position = seq.distance(sequence, this.buffer.sequence);
    const available = this.buffer.length - position;
    const bytes = Math.max(Math.min(length, available), 0);
    const last = bytes === available;
    // What is sent again takes the FIN along only if that was sent before.
    const fin = last && this.finQueued && (sequence === this.next || !this.finWaits);
    const flags = tcp.ACK | (last && bytes > 0 ? tcp.PSH : 0) | (fin ? tcp.FIN : 0);
    sendSegment(this.connection, flags, sequence, position, bytes);
    this.connection.counters.bytesSent += bytes;
    this.lastSentUs = this.connection.host.engine.nowUs;
    return bytes + (fin ? 1 : 0);
  }

  private armTimer(): void {
    const waits = this.unsentBytes > 0 || this.finWaits ? 'window' : 'nothing';
    this.timer.arm(this.inFlightBytes > 0 ? 'acknowledgement' : waits);
  }

  private timerFired(): void {
    if (this.inFlightBytes === 0) this.probeWindow();
    else this.timedOut();
  }

  /** RFC 6298 section 5.4 to 5.6. */
  private timedOut(): void {
    const repeated = this.rto.expirations > 0;
    if (this.rto.expirations >= this.connection.retryLimit() && !this.probes.excuse(this.connection)) {
      this.connection.timedOut();
      return;
    }
    this.rto.expired();
    this.roundTrip.retransmitted(this.connection.timestampNow());
    this.eifel.cancel();
    this.connection.counters.timedOut();
    if (this.unacknowledged === this.initialSequence) this.connection.resendSyn();
    else {
      this.congestion.timedOut(this.flightBytes, !repeated, this.connection.host.engine.nowUs);
      this.loss.beginTimeoutRecovery(this.unacknowledged, this.next, repeated);
      this.payloadBytes = this.mssBytes - sackOptionBytes(this.connection);
      this.resend(this.unacknowledged);
    }
    this.armTimer();
  }

  /**
   * RFC 9293 section 3.8.6.1. The probe carries no data and an old sequence number: the peer must answer it with its
   * window and has nothing to keep, so that a probe never has to be sent again. A window that is open but smaller than is
   * worth while is used after this long all the same (the override of section 3.8.6.2.1).
   */
  private probeWindow(): void {
    if (this.unsentBytes === 0 && !this.finWaits) return;
    const usable = this.window.usable(this.unacknowledged, this.next);
    if (usable > 0) {
      const bytes = Math.min(usable, this.unsentBytes, this.payloadBytes);
      this.next = seq.add(this.next, this.sendAt(this.next, bytes));
    } else if (this.probes.givesUp(this.connection, this.rto.currentUs)) {
      this.connection.timedOut();
      return;
    } else {
      this.probes.sent();
      this.rto.expired();
      sendSegment(this.connection, tcp.ACK, seq.add(this.unacknowledged, -1), 0, 0);
    }
    this.armTimer();
  }
}
