import * as seq from './seq.ts';
import type { SequenceRanges } from './sequence-ranges.ts';

/** What was sent again, in the order it left. */
interface Retransmission {
  readonly left: number;
  /** SND.NXT then: what lies beyond it was sent later. */
  readonly next: number;
  readonly sentUs: number;
}

/** Deliveries of what left later that mean that a retransmission is lost too. */
const LATER_DELIVERIES = 3;

/**
 * Retransmissions on the way, to tell which of them were lost as well: those that the peer still lacks although it reports
 * several segments that left after them (what RFC 8985 finds by time, found here by order).
 */
export class Retransmissions {
  private queue: Retransmission[] = [];

  sent(left: number, next: number, nowUs: number): void {
    this.queue.push({ left, next, sentUs: nowUs });
  }

  clear(): void {
    if (this.queue.length > 0) this.queue = [];
  }

  /**
   * Takes the oldest one that is lost off the queue and answers where it began; -1 when none is known to be.
   * `sentBeforeUs`: what left later may still come in its time.
   */
  takeLost(una: number, sacked: SequenceRanges, mssBytes: number, sentBeforeUs: number): number {
    for (;;) {
      const first = this.queue[0];
      if (first === undefined) return -1;
      if (seq.before(first.left, una) || sacked.covers(first.left)) this.queue.shift();
      else if (first.sentUs > sentBeforeUs || !this.overtaken(first, sacked, mssBytes)) return -1;
      else {
        this.queue.shift();
        return first.left;
      }
    }
  }

  private overtaken(first: Retransmission, sacked: SequenceRanges, mssBytes: number): boolean {
    const top = sacked.count === 0 ? first.next : sacked.right(sacked.count - 1);
    let deliveries = Math.max(Math.floor(seq.distance(top, first.next) / mssBytes), 0);
    for (let i = 1; deliveries < LATER_DELIVERIES && i < this.queue.length; i++) {
      if (sacked.covers(this.queue[i]!.left)) deliveries++;
    }
    return deliveries >= LATER_DELIVERIES;
  }
}
