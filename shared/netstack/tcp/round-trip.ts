import type { RetransmissionTimeout } from './rto.ts';
import type { Segment } from './segment.ts';
import * as seq from './seq.ts';

/** Measures round trips for the time-out (RFC 6298 section 3): by one timed segment at a time, or by echoed timestamps. */
export class RoundTripMeter {
  private readonly rto: RetransmissionTimeout;
  /** End of the timed segment, and when it left; no segment is timed while `sentUs` is 0. */
  private end = 0;
  private sentUs = 0;
  /** Timestamp of the last retransmission: an echo of an earlier one says nothing of the path's present delay. */
  private resent = 0;

  constructor(rto: RetransmissionTimeout) {
    this.rto = rto;
  }

  get timing(): boolean {
    return this.sentUs > 0;
  }

  get resentTimestamp(): number {
    return this.resent;
  }

  /** Times the segment that ends at `end`. */
  start(end: number, nowUs: number): void {
    this.end = end;
    this.sentUs = nowUs;
  }

  /** Something was sent again: what is timed might be either copy (Karn's rule). */
  retransmitted(timestamp: number): void {
    this.sentUs = 0;
    this.resent = timestamp;
  }

  /** New data is acknowledged. `timestamp` is the connection's present one; undefined when it has none. */
  acknowledged(segment: Segment, nowUs: number, timestamp: number | undefined): void {
    if (this.sentUs > 0) {
      if (seq.before(segment.acknowledgement, this.end)) return;
      this.rto.measured(nowUs - this.sentUs);
      this.sentUs = 0;
      return;
    }
    const { options } = segment;
    if (timestamp === undefined || !options.hasTimestamps || seq.before(options.timestampEcho, this.resent)) return;
    const elapsedMs = seq.distance(timestamp, options.timestampEcho);
    if (elapsedMs >= 0) this.rto.measured(elapsedMs * 1000);
  }
}
