import * as seq from './seq.ts';

/** Ranges one set holds; a peer that makes more is not believed further. */
export const MAX_RANGES = 1024;

/** A sorted set of disjoint ranges of sequence numbers, `[left, right)`: the scoreboard of a sender (RFC 6675 section 4). */
export class SequenceRanges {
  /** Ranges held. */
  count = 0;
  /** Bytes in all ranges. */
  bytes = 0;
  private lefts: number[] = [];
  private rights: number[] = [];

  left(index: number): number {
    return this.lefts[index]!;
  }

  right(index: number): number {
    return this.rights[index]!;
  }

  /** Joins `[left, right)` in; false when it was there already, or there is no room. */
  add(left: number, right: number): boolean {
    let first = this.count;
    while (first > 0 && !seq.before(this.rights[first - 1]!, left)) first--;
    let end = first;
    let newLeft = left;
    let newRight = right;
    let covered = 0;
    while (end < this.count && !seq.after(this.lefts[end]!, right)) {
      newLeft = seq.earlier(newLeft, this.lefts[end]!);
      newRight = seq.later(newRight, this.rights[end]!);
      covered += seq.distance(this.rights[end]!, this.lefts[end]!);
      end++;
    }
    const added = seq.distance(newRight, newLeft) - covered;
    if (added === 0 || (end === first && this.count >= MAX_RANGES)) return false;
    this.lefts.splice(first, end - first, newLeft);
    this.rights.splice(first, end - first, newRight);
    this.count = this.lefts.length;
    this.bytes += added;
    return true;
  }

  /** Forgets everything before `sequence`. */
  removeBefore(sequence: number): void {
    while (this.count > 0 && !seq.after(this.rights[0]!, sequence)) {
      this.bytes -= seq.distance(this.rights[0]!, this.lefts[0]!);
      this.lefts.shift();
      this.rights.shift();
      this.count--;
    }
    if (this.count > 0 && seq.before(this.lefts[0]!, sequence)) {
      this.bytes -= seq.distance(sequence, this.lefts[0]!);
      this.lefts[0] = sequence;
    }
  }

  clear(): void {
    this.lefts = [];
    this.rights = [];
    this.count = 0;
    this.bytes = 0;
  }

  /** Bytes of `[left, right)` that are in no range. */
  uncovered(left: number, right: number): number {
    let bytes = seq.distance(right, left);
    if (bytes <= 0) return 0;
    for (let i = this.firstEndingAfter(left); i < this.count && seq.before(this.lefts[i]!, right); i++) {
      const overlap = seq.distance(seq.earlier(this.rights[i]!, right), seq.later(this.lefts[i]!, left));
      if (overlap > 0) bytes -= overlap;
    }
    return bytes;
  }

  /** Whether `sequence` lies in a range. */
  covers(sequence: number): boolean {
    const index = this.firstEndingAfter(sequence);
    return index < this.count && !seq.before(sequence, this.lefts[index]!);
  }

  /** The first number from `sequence` on that is in no range. */
  nextUncovered(sequence: number): number {
    const index = this.firstEndingAfter(sequence);
    return index < this.count && !seq.before(sequence, this.lefts[index]!) ? this.rights[index]! : sequence;
  }

  /** The left edge of the first range that begins after `sequence`; `fallback` when there is none. */
  nextLeft(sequence: number, fallback: number): number {
    let index = this.firstEndingAfter(sequence);
    if (index < this.count && !seq.after(this.lefts[index]!, sequence)) index++;
    return index < this.count ? this.lefts[index]! : fallback;
  }

  private firstEndingAfter(sequence: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (seq.after(this.rights[middle]!, sequence)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
