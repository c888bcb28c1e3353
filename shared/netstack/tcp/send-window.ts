import * as tcp from '../../wire/tcp.ts';
import type { Segment } from './segment.ts';
import * as seq from './seq.ts';

/** What the peer takes: SND.WND, and SND.WL1 and SND.WL2, the segment it was taken from (RFC 9293 section 3.3.1). */
export class SendWindow {
  bytes = 0;
  /** The largest it was. */
  maxBytes = 0;
  /** The peer's window scale (RFC 7323). */
  shift = 0;
  private sequence = 0;
  private acknowledgement = 0;

  /** From a SYN, whose window is not scaled. */
  begin(segment: Segment): void {
    this.take(segment, 0);
  }

  /**
   * From a later segment, whose acknowledgement is not old, unless a newer one was seen (RFC 9293 section 3.10.7.4); false when
   * nothing changed. An acknowledgement of more is newer in any case, as in Linux: what was sent again carries it under an old
   * sequence number, and the window, which is counted from it, would reach too far.
   */
  update(segment: Segment): boolean {
    if (segment.has(tcp.SYN)) return false;
    if (segment.acknowledgement === this.acknowledgement && seq.before(segment.sequence, this.sequence)) return false;
    const before = this.bytes;
    this.take(segment, this.shift);
    return this.bytes !== before;
  }

  /** Bytes that may still be sent; negative when the window was taken back. */
  usable(unacknowledged: number, next: number): number {
    return seq.distance(seq.add(unacknowledged, this.bytes), next);
  }

  private take(segment: Segment, shift: number): void {
    this.bytes = segment.window << shift;
    this.maxBytes = Math.max(this.maxBytes, this.bytes);
    this.sequence = segment.sequence;
    this.acknowledgement = segment.acknowledgement;
  }
}
