/** Which of the bytes in flight are lost, and how many are still on the way: RFC 6675, and RFC 6582 without SACK. */

import * as seq from './seq.ts';
import { SequenceRanges } from './sequence-ranges.ts';

/** Duplicate acknowledgements, or ranges above a hole, that mean loss. */
export const DUPLICATE_THRESHOLD = 3;

export class LossDetection {
  /** What the peer reported beyond the cumulative acknowledgement. */
  readonly sacked = new SequenceRanges();
  /** Bytes before it that were not reported are lost. */
  lostEdge = 0;
  /** Lost bytes before it were sent again (HighRxt). */
  retransmittedEdge = 0;
  /** `fast`: recovery by acknowledgements; `timeout`: after the timer fired. Both end when `recoveryPoint` is acknowledged. */
  recovery: 'open' | 'fast' | 'timeout' = 'open';
  recoveryPoint = 0;
  duplicates = 0;

  start(sequence: number): void {
    this.lostEdge = sequence;
    this.retransmittedEdge = sequence;
    this.recoveryPoint = sequence;
  }

  /** The cumulative acknowledgement moved on to `una`; true when that ended a recovery. */
  advanced(una: number, mssBytes: number): boolean {
    this.duplicates = 0;
    this.sacked.removeBefore(una);
    this.retransmittedEdge = seq.later(this.retransmittedEdge, una);
    this.lostEdge = seq.later(this.lostEdge, una);
    if (this.recovery === 'open') return false;
    if (!seq.before(una, this.recoveryPoint)) {
      this.cancelRecovery(una);
      return true;
    }
    // A partial acknowledgement: what follows it was in flight before the retransmission, so it is lost too (RFC 6582).
    if (this.recovery === 'fast') this.lostEdge = seq.later(this.lostEdge, seq.add(una, mssBytes));
    return false;
  }

  /** Up to where the scoreboard (IsLost) and duplicate acknowledgements say that all is lost; `una` when nothing is. */
  suspectedEdge(una: number, mssBytes: number): number {
    const edge = seq.later(this.lostEdge, this.edgeByScoreboard(una, mssBytes));
    return this.duplicates >= DUPLICATE_THRESHOLD ? seq.later(edge, seq.add(una, mssBytes)) : edge;
  }

  beginFastRecovery(una: number, next: number): void {
    this.recovery = 'fast';
    this.recoveryPoint = next;
    this.retransmittedEdge = una;
  }

  /** The recovery was for nothing: what seemed lost came late. */
  cancelRecovery(una: number): void {
    this.recovery = 'open';
    this.lostEdge = una;
    this.retransmittedEdge = una;
  }

  /** The timer fired: all that was not reported is lost. A report that contradicts the cumulative acknowledgement is forgotten. */
  beginTimeoutRecovery(una: number, next: number, repeated: boolean): void {
    if (repeated || (this.sacked.count > 0 && this.sacked.left(0) === una)) this.sacked.clear();
    this.recovery = 'timeout';
    this.recoveryPoint = next;
    this.lostEdge = next;
    this.retransmittedEdge = una;
    this.duplicates = 0;
  }

  /** Where the next lost byte stands that was not sent again; `lostEdge` or beyond when there is none (NextSeg, rule 1). */
  nextLost(una: number): number {
    return this.sacked.nextUncovered(seq.later(this.retransmittedEdge, una));
  }

  /** Bytes on the way (RFC 6675's pipe). */
  pipeBytes(una: number, next: number, mssBytes: number, sackEnabled: boolean): number {
    const outstanding = seq.distance(next, una);
    if (this.recovery === 'open' && this.sacked.count === 0 && this.duplicates === 0) return outstanding;
    const notLost = this.sacked.uncovered(seq.later(this.lostEdge, una), next);
    const sentAgain = this.sacked.uncovered(una, this.retransmittedEdge);
    const left = sackEnabled ? 0 : this.duplicates * mssBytes;
    return Math.max(notLost + sentAgain - left, 0);
  }

  /** Below the topmost ranges that hold more than two segments, or are three, everything unreported is lost. */
  private edgeByScoreboard(una: number, mssBytes: number): number {
    let bytes = 0;
    for (let i = this.sacked.count - 1; i >= 0; i--) {
      bytes += seq.distance(this.sacked.right(i), this.sacked.left(i));
      const ranges = this.sacked.count - i;
      if (ranges >= DUPLICATE_THRESHOLD || bytes > (DUPLICATE_THRESHOLD - 1) * mssBytes) return this.sacked.left(i);
    }
    return una;
  }
}
