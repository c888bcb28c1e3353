import * as tcp from '../../wire/tcp.ts';
import { Alarm } from '../alarm.ts';
import { TurnEndCall } from '../turn-end.ts';
import type { TcpConnection } from './connection.ts';
import { OutOfOrderQueue } from './out-of-order-queue.ts';
import type { Segment } from './segment.ts';
import { sendAcknowledgement } from './segment-output.ts';
import * as seq from './seq.ts';

const MAX_WINDOW_SHIFT = 14;
const MAX_WINDOW_FIELD = 0xffff;
/** Full segments that are acknowledged together (RFC 5681 section 4.2). */
const SEGMENTS_PER_ACKNOWLEDGEMENT = 2;
/** An eighth of the buffer is acknowledged within the turn, or the sender would stand still meanwhile. */
const ACKNOWLEDGED_SHARE_SHIFT = 3;

/** The receiving half of a connection: what is in order, what is not, the window, and when to acknowledge. */
export class Receiver {
  readonly outOfOrder = new OutOfOrderQueue();
  readonly windowShift: number;
  /** RCV.NXT. */
  next = 0;
  initialSequence = 0;
  /** Data in order that the paused program has not taken. */
  queuedBytes = 0;
  paused = false;
  /** The FIN and all before it have been received. */
  finished = false;
  private readonly connection: TcpConnection;
  private readonly bufferBytes: number;
  private readonly delayedAck: Alarm;
  private queue: Uint8Array[] = [];
  /** Right edge of the window the peer knows; never goes back (RFC 9293 section 3.8.6). */
  private advertisedEdge = 0;
  private lastAcknowledged = 0;
  private unacknowledgedBytes = 0;
  private acknowledgeNow = false;
  /** Enough came for an acknowledgement; that of the turn's end covers all that came in it. */
  private acknowledgeSoon = false;
  private readonly turnEnd: TurnEndCall;
  /** Where the FIN stands that came before what precedes it; -1 when none did. */
  private finSequence = -1;
  private endDelivered = false;
  /** Of the urgent byte that has not come to its turn; -1 when there is none. */
  private urgentSequence = -1;

  constructor(connection: TcpConnection, bufferBytes: number) {
    this.connection = connection;
    this.bufferBytes = bufferBytes;
    this.windowShift = shiftFor(bufferBytes);
    this.turnEnd = new TurnEndCall(connection.host.engine, () => {
      if (this.acknowledgeSoon) sendAcknowledgement(connection);
    });
    this.delayedAck = new Alarm(connection.host.engine, () => sendAcknowledgement(connection));
  }

  /** The peer's SYN. */
  synchronize(initialSequence: number): void {
    this.initialSequence = initialSequence;
    this.next = seq.add(initialSequence, 1);
    this.lastAcknowledged = this.next;
    this.advertisedEdge = seq.add(this.next, Math.min(this.bufferBytes, MAX_WINDOW_FIELD));
  }

  /** Everything received was handed to the program, its end included. */
  get drained(): boolean {
    return this.endDelivered;
  }

  get hasUnread(): boolean {
    return this.queuedBytes > 0;
  }

  /** Up to here, RCV.NXT was acknowledged (Last.ACK.sent of RFC 7323). */
  get acknowledged(): number {
    return this.lastAcknowledged;
  }

  /** The window now: what the peer was told, moved on by what is free beyond it unless that is too little to tell (SWS). */
  windowBytes(): number {
    const promised = seq.distance(this.advertisedEdge, this.next);
    const free = Math.min(this.freeBytes, this.largestWindowBytes);
    if (free - promised < Math.min(this.largestWindowBytes >>> 1, this.connection.sender.mssBytes))
      return Math.max(promised, 0);
    return free;
  }

  /**
   * The same as the header field, scaled. Rounded up, so that the edge does not go back (RFC 7323 section 2.4); down once that
   * used up the buffer, or the edge would move on with each small segment that a paused program does not take.
   */
  windowField(): number {
    const bytes = this.windowBytes();
    if (!this.connection.windowScalingEnabled) return Math.min(bytes, MAX_WINDOW_FIELD);
    const rounding = bytes > this.freeBytes ? 0 : (1 << this.windowShift) - 1;
    return Math.min((bytes + rounding) >>> this.windowShift, MAX_WINDOW_FIELD);
  }

  /** A segment with this acknowledgement and this window, in bytes as the peer reads it, is on its way. */
  acknowledgementSent(acknowledgement: number, windowBytes: number): void {
    this.advertisedEdge = seq.later(this.advertisedEdge, seq.add(acknowledgement, windowBytes));
    this.lastAcknowledged = acknowledgement;
    this.unacknowledgedBytes = 0;
    this.acknowledgeNow = false;
    this.acknowledgeSoon = false;
    this.delayedAck.clear();
  }

  /**
   * The acceptability test of RFC 9293 section 3.10.7.4. A segment may stand right behind the window, as in Linux: so does the
   * acknowledgement of a peer that used the window up while some of what it sent is lost, and what comes into a closed window,
   * which acknowledges all the same. Its data is cut off later; a FIN needs no room, so that the end need not wait for the program.
   */
  accepts(segment: Segment): boolean {
    const window = seq.distance(this.advertisedEdge, this.next);
    const { length } = segment;
    const start = seq.distance(segment.sequence, this.next);
    return start <= window && (length === 0 ? start >= 0 : start + length > 0);
  }

  /** Data and FIN of an acceptable segment. The program's callbacks run inside. */
  receive(segment: Segment): void {
    const { sequence, dataBytes } = segment;
    const end = seq.add(sequence, dataBytes);
    if (segment.has(tcp.FIN)) this.finSequence = end;
    const known = seq.distance(this.next, sequence);
    // What is beyond the window is cut off; the sender had no right to send it.
    const usable = Math.min(dataBytes, seq.distance(this.advertisedEdge, sequence));
    if (usable < dataBytes) {
      this.finSequence = -1;
      this.acknowledgeNow = true;
    }
    if (dataBytes > 0 && known >= dataBytes) this.refused(segment);
    else if (usable > Math.max(known, 0)) {
      const { memory } = this.connection.host;
      const from = segment.dataOffset;
      if (known < 0) this.keep(sequence, memory.copyOut(from, usable));
      else this.advance(memory.lend(from + known, usable - known));
    }
    if (this.connection.state === 'CLOSED') return;
    this.receiveFin();
    this.deliverEnd();
  }

  /** Sends what acknowledgement is due; `output` of the sender may have sent it already. */
  acknowledge(): void {
    if (this.acknowledgeNow) sendAcknowledgement(this.connection);
    else if (this.acknowledgeSoon) this.turnEnd.request();
    else if (this.unacknowledgedBytes > 0 && !this.delayedAck.isSet) {
      const { engine, tcp: layer } = this.connection.host;
      this.delayedAck.set(engine.nowUs + layer.settings.delayedAckUs);
    }
  }

  /** A segment outside the window is acknowledged again; that it came twice is reported (RFC 2883). */
  refused(segment: Segment): void {
    this.acknowledgeNow = true;
    const end = seq.add(segment.sequence, segment.dataBytes);
    if (segment.dataBytes > 0 && !seq.after(end, this.next)) this.outOfOrder.noteDuplicate(segment.sequence, end);
  }

  /**
   * The byte before the pointer is urgent (RFC 1122 section 4.2.2.4 would have it the one at it; nobody does, RFC 6093). Linux
   * takes it out of the stream for whoever did not set SO_OOBINLINE, and nobody here can.
   */
  takeUrgentPointer(segment: Segment): void {
    const sequence = seq.add(segment.sequence, Math.max(segment.urgentPointer, 1) - 1);
    if (seq.before(sequence, this.next)) return;
    if (this.urgentSequence < 0 || seq.after(sequence, this.urgentSequence)) this.urgentSequence = sequence;
  }

  requestAcknowledgement(): void {
    this.acknowledgeNow = true;
  }

  pause(): void {
    this.paused = true;
  }

  /** Hands over what waited, and tells the peer if the window opened by much. */
  resume(): void {
    this.paused = false;
    while (this.queue.length > 0 && !this.paused && this.connection.state !== 'CLOSED') {
      const bytes = this.queue.shift()!;
      this.queuedBytes -= bytes.length;
      this.connection.deliver(bytes, false);
    }
    if (this.connection.state === 'CLOSED') return;
    this.deliverEnd();
    const promised = seq.distance(this.advertisedEdge, this.next);
    if (!this.finished && this.windowBytes() > promised && this.connection.isSynchronized) {
      if (promised < this.largestWindowBytes >>> 1) sendAcknowledgement(this.connection);
    }
  }

  dispose(): void {
    this.delayedAck.dispose();
    this.acknowledgeSoon = false;
    this.outOfOrder.clear();
    this.queue = [];
    this.queuedBytes = 0;
  }

  private get freeBytes(): number {
    return this.bufferBytes - this.queuedBytes;
  }

  /** The largest that can be told. */
  private get largestWindowBytes(): number {
    return this.connection.windowScalingEnabled ? this.bufferBytes : Math.min(this.bufferBytes, MAX_WINDOW_FIELD);
  }

  private keep(sequence: number, bytes: Uint8Array): void {
    this.outOfOrder.insert(sequence, bytes);
    this.acknowledgeNow = true;
  }

  /** `bytes`, lent by packet memory, are the next in order, and may fill a hole. */
  private advance(bytes: Uint8Array): void {
    const fillsHole = !this.outOfOrder.isEmpty;
    const from = this.next;
    this.next = seq.add(from, bytes.length);
    this.unacknowledgedBytes += bytes.length;
    if (fillsHole) this.acknowledgeNow = true;
    else if (this.unacknowledgedBytes >= SEGMENTS_PER_ACKNOWLEDGEMENT * this.connection.sender.mssBytes) {
      if (this.unacknowledgedBytes >= this.bufferBytes >>> ACKNOWLEDGED_SHARE_SHIFT) this.acknowledgeNow = true;
      else this.acknowledgeSoon = true;
    }
    this.passFrom(from, bytes, true);
    if (!fillsHole) return;
    for (;;) {
      const more = this.outOfOrder.take(this.next);
      if (more === undefined || this.connection.state === 'CLOSED') return;
      const start = this.next;
      this.next = seq.add(start, more.length);
      this.passFrom(start, more, false);
    }
  }

  /** Passes on what stands at `from`, but for the urgent byte. */
  private passFrom(from: number, bytes: Uint8Array, isLent: boolean): void {
    if (this.urgentSequence < 0 || !seq.before(this.urgentSequence, this.next)) {
      this.pass(bytes, isLent);
      return;
    }
    const urgent = seq.distance(this.urgentSequence, from);
    this.urgentSequence = -1;
    if (urgent > 0) this.pass(bytes.subarray(0, urgent), isLent);
    if (urgent + 1 < bytes.length && this.connection.state !== 'CLOSED') this.pass(bytes.subarray(urgent + 1), isLent);
  }

  private pass(bytes: Uint8Array, isLent: boolean): void {
    this.connection.counters.bytesReceived += bytes.length;
    if (!this.paused && this.queue.length === 0) {
      this.connection.deliver(bytes, isLent);
      return;
    }
    this.queue.push(isLent ? this.connection.host.memory.copyOf(bytes) : bytes);
    this.queuedBytes += bytes.length;
  }

  private receiveFin(): void {
    if (this.finished || this.finSequence !== this.next) return;
    this.finished = true;
    this.next = seq.add(this.next, 1);
    this.acknowledgeNow = true;
    this.connection.finReceived();
  }

  private deliverEnd(): void {
    if (!this.finished || this.endDelivered || this.queue.length > 0) return;
    this.endDelivered = true;
    this.connection.deliverEnd();
  }
}

/** The least shift by which a 16-bit field spans the buffer (RFC 7323 section 2.3). */
function shiftFor(bufferBytes: number): number {
  let shift = 0;
  while (shift < MAX_WINDOW_SHIFT && 0xffff << shift < bufferBytes) shift++;
  return shift;
}
