/** Which of the bytes in flight are lost, and how many are still on the way: RFC 6675, and RFC 6582 without SACK. */

import type { TcpOptions } from '../../wire/tcp.ts';
import { Retransmissions } from './retransmissions.ts';
import * as seq from './seq.ts';
import { SequenceRanges } from './sequence-ranges.ts';

/** Duplicate acknowledgements, or ranges above a hole, that mean loss. */
export const DUPLICATE_THRESHOLD = 3;

export class LossDetection {
  /** What the peer reported beyond the cumulative acknowledgement. */
  readonly sacked = new SequenceRanges();
  readonly resent = new Retransmissions();
  /** Bytes before it that were not reported are lost. */
  lostEdge = 0;
  /** Lost bytes before it were sent again (HighRxt). */
  retransmittedEdge = 0;
  /** `fast`: recovery by acknowledgements; `timeout`: after the timer fired. Both end when `recoveryPoint` is acknowledged. */
  recovery: 'open' | 'fast' | 'timeout' = 'open';
  recoveryPoint = 0;
  duplicates = 0;
  /** From where on the end of the flight was sent again in this recovery, which is done once (RescueRxt); -1 before. */
  private rescuedFrom = -1;

  start(sequence: number): void {
    this.lostEdge = sequence;
    this.retransmittedEdge = sequence;
    this.recoveryPoint = sequence;
  }

  /** Takes the blocks of an acknowledgement of `una` that lie in what is in flight; true when they tell something new. */
  recordSack(options: TcpOptions, una: number, next: number): boolean {
    const { sackBlocks, sackEdges } = options;
    let news = false;
    for (let i = 0; i < sackBlocks; i++) {
      const left = seq.later(sackEdges[2 * i]!, una);
      const right = sackEdges[2 * i + 1]!;
      if (seq.before(left, right) && !seq.after(right, next)) news = this.sacked.add(left, right) || news;
    }
    return news;
  }

  /** The cumulative acknowledgement moved on to `una`; true when that ended a recovery. */
  advanced(una: number, mssBytes: number): boolean {
    this.duplicates = 0;
    this.sacked.removeBefore(una);
    this.retransmittedEdge = seq.later(this.retransmittedEdge, una);
    this.lostEdge = seq.later(this.lostEdge, una);
    if (this.recovery === 'open') return false;
    if (!seq.before(una, this.recoveryPoint)) {
      // What was lost since, and sent again, stays known: it must not go out a third time.
      this.recovery = 'open';
      return true;
    }
    const rescued = this.rescuedFrom >= 0 && !seq.before(una, this.rescuedFrom);
    // A partial acknowledgement: what follows it was in flight before the retransmission, so it is lost too (RFC 6582).
    if (this.recovery === 'fast' && !rescued) this.lostEdge = seq.later(this.lostEdge, seq.add(una, mssBytes));
    return false;
  }

  /** Up to where the scoreboard (IsLost) and duplicate acknowledgements say that all is lost; `una` when nothing is. */
  suspectedEdge(una: number, mssBytes: number): number {
    const edge = seq.later(this.lostEdge, this.edgeByScoreboard(una, mssBytes));
    return this.duplicates >= DUPLICATE_THRESHOLD ? seq.later(edge, seq.add(una, mssBytes)) : edge;
  }

  beginFastRecovery(next: number): void {
    this.recovery = 'fast';
    this.recoveryPoint = next;
    this.rescuedFrom = -1;
  }

  /** The recovery was for nothing: what seemed lost came late. */
  cancelRecovery(una: number): void {
    this.resent.clear();
    this.recovery = 'open';
    this.lostEdge = una;
    this.retransmittedEdge = una;
  }

  /** The timer fired: all that was not reported is lost. A report that contradicts the cumulative acknowledgement is forgotten. */
  beginTimeoutRecovery(una: number, next: number, repeated: boolean): void {
    if (repeated || (this.sacked.count > 0 && this.sacked.left(0) === una)) this.sacked.clear();
    this.resent.clear();
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

  /** A hole below what the peer reported that is not known to be lost and was not sent again; -1 when there is none (rule 3). */
  nextHole(una: number): number {
    const { count } = this.sacked;
    if (count === 0) return -1;
    const hole = this.nextLost(una);
    return seq.before(hole, this.sacked.left(count - 1)) ? hole : -1;
  }

  /**
   * Where the last segment of the flight begins, for it may be lost with nothing behind it to tell (rule 4): once a
   * recovery, and not if it was sent again already; -1 then.
   */
  rescueFrom(una: number, next: number, segmentBytes: number): number {
    if (this.rescuedFrom >= 0) return -1;
    const top = this.sacked.count - 1;
    const covered = top >= 0 && this.sacked.right(top) === next;
    const below = covered ? top - 1 : top;
    const end = covered ? this.sacked.left(top) : next;
    const start = seq.later(below < 0 ? una : this.sacked.right(below), this.retransmittedEdge);
    if (!seq.before(start, end)) return -1;
    this.rescuedFrom = seq.later(seq.add(end, -segmentBytes), start);
    return this.rescuedFrom;
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
