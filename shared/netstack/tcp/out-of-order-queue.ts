import * as seq from './seq.ts';

/** Pieces one connection keeps beyond a hole; the window bounds their bytes. */
export const MAX_PIECES = 2048;
/** Blocks reported to the peer. */
const MAX_SACK_BLOCKS = 4;

interface Piece {
  sequence: number;
  bytes: Uint8Array;
}

/** Data that came before what precedes it: sorted, disjoint pieces, and the SACK blocks that tell of them (RFC 2018). */
export class OutOfOrderQueue {
  /** Bytes kept. */
  bytes = 0;
  /** Pieces refused because there were too many. */
  refused = 0;
  private pieces: Piece[] = [];
  /** Where data came last: its block is reported first (RFC 2018 section 4). */
  private recent: number[] = [];
  /** What came twice, until it was reported; both edges equal when nothing did. */
  private duplicateLeft = 0;
  private duplicateRight = 0;

  get isEmpty(): boolean {
    return this.pieces.length === 0;
  }

  /** Whether the next acknowledgement has blocks to carry. */
  get hasReport(): boolean {
    return this.pieces.length > 0 || this.duplicateLeft !== this.duplicateRight;
  }

  /** Bytes that were there already: the next acknowledgement says so (RFC 2883 section 4), and only that one. */
  noteDuplicate(left: number, right: number): void {
    this.duplicateLeft = left;
    this.duplicateRight = right;
  }

  /** An acknowledgement is on its way. */
  reported(): void {
    this.duplicateLeft = this.duplicateRight;
  }

  /** Keeps what of `bytes` is not there yet. `bytes` is owned from now on. */
  insert(sequence: number, bytes: Uint8Array): void {
    this.noteRecent(sequence);
    const end = seq.add(sequence, bytes.length);
    let index = this.pieces.length;
    while (index > 0 && seq.after(this.pieces[index - 1]!.sequence, sequence)) index--;
    const previous = this.pieces[index - 1];
    const piecesBefore = this.pieces.length;
    let start = sequence;
    if (previous !== undefined) start = seq.later(start, endOf(previous));
    // Between the pieces that are there, only the gaps are filled: the first copy of a byte stays.
    while (seq.before(start, end)) {
      const next = this.pieces[index];
      const gapEnd = next === undefined ? end : seq.earlier(end, next.sequence);
      if (seq.before(start, gapEnd)) {
        if (this.pieces.length >= MAX_PIECES) {
          this.refused++;
          return;
        }
        const piece = bytes.subarray(seq.distance(start, sequence), seq.distance(gapEnd, sequence));
        this.pieces.splice(index, 0, { sequence: start, bytes: piece });
        this.bytes += piece.length;
        index++;
      }
      if (next === undefined) return;
      start = seq.later(start, endOf(next));
      index++;
    }
    if (this.pieces.length === piecesBefore) this.noteDuplicate(sequence, end);
  }

  /** The next bytes in order from `sequence`, or undefined while the hole is there. */
  take(sequence: number): Uint8Array | undefined {
    for (;;) {
      const first = this.pieces[0];
      if (first === undefined || seq.after(first.sequence, sequence)) return undefined;
      this.pieces.shift();
      this.bytes -= first.bytes.length;
      const known = seq.distance(sequence, first.sequence);
      if (known < first.bytes.length) return known === 0 ? first.bytes : first.bytes.subarray(known);
    }
  }

  clear(): void {
    this.pieces = [];
    this.recent = [];
    this.bytes = 0;
    this.reported();
  }

  /** Writes up to `limit` blocks as left and right edges, the one that changed last first; answers how many. */
  sackBlocks(edges: Uint32Array, limit: number): number {
    let blocks = 0;
    if (this.duplicateLeft !== this.duplicateRight) {
      edges[0] = this.duplicateLeft;
      edges[1] = this.duplicateRight;
      blocks = 1;
    }
    const first = blocks;
    for (const sequence of this.recent) {
      if (blocks === limit) break;
      const index = this.pieceAt(sequence);
      if (index < 0) continue;
      const [left, right] = this.blockAround(index);
      if (contains(edges, first, blocks, left)) continue;
      edges[2 * blocks] = left;
      edges[2 * blocks + 1] = right;
      blocks++;
    }
    return blocks;
  }

  private noteRecent(sequence: number): void {
    if (this.recent[0] === sequence) return;
    this.recent.unshift(sequence);
    // More than are reported, since several may lie in one block by now.
    if (this.recent.length > 4 * MAX_SACK_BLOCKS) this.recent.pop();
  }

  /** Binary search for the piece that holds `sequence`. */
  private pieceAt(sequence: number): number {
    let low = 0;
    let high = this.pieces.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const piece = this.pieces[middle]!;
      if (seq.before(sequence, piece.sequence)) high = middle - 1;
      else if (seq.before(sequence, endOf(piece))) return middle;
      else low = middle + 1;
    }
    return -1;
  }

  private blockAround(index: number): [number, number] {
    let first = index;
    let last = index;
    while (first > 0 && endOf(this.pieces[first - 1]!) === this.pieces[first]!.sequence) first--;
    while (last + 1 < this.pieces.length && this.pieces[last + 1]!.sequence === endOf(this.pieces[last]!)) last++;
    return [this.pieces[first]!.sequence, endOf(this.pieces[last]!)];
  }
}

function endOf(piece: Piece): number {
  return seq.add(piece.sequence, piece.bytes.length);
}

function contains(edges: Uint32Array, first: number, blocks: number, left: number): boolean {
  for (let i = first; i < blocks; i++) if (edges[2 * i] === left) return true;
  return false;
}
