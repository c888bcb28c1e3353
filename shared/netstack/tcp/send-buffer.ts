/**
 * The bytes a program wrote that the peer has not acknowledged: a ring that starts small and doubles up to its bound.
 * Position 0 is the oldest byte kept.
 */

const INITIAL_BYTES = 4096;

export class SendBuffer {
  /** Bytes kept. */
  length = 0;
  private readonly limitBytes: number;
  private ring = new Uint8Array(0);
  private start = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get spaceBytes(): number {
    return this.limitBytes - this.length;
  }

  /** Takes as much as there is room for, and says how much. */
  write(bytes: Uint8Array): number {
    const accepted = Math.min(bytes.length, this.spaceBytes);
    if (accepted === 0) return 0;
    if (this.length + accepted > this.ring.length) this.grow(this.length + accepted);
    const at = (this.start + this.length) & (this.ring.length - 1);
    const untilEnd = this.ring.length - at;
    if (accepted <= untilEnd) this.ring.set(accepted === bytes.length ? bytes : bytes.subarray(0, accepted), at);
    else {
      this.ring.set(bytes.subarray(0, untilEnd), at);
      this.ring.set(bytes.subarray(untilEnd, accepted), 0);
    }
    this.length += accepted;
    return accepted;
  }

  /** Copies `length` bytes from `position` to `target`. */
  copyTo(target: Uint8Array, targetOffset: number, position: number, length: number): void {
    const at = (this.start + position) & (this.ring.length - 1);
    const untilEnd = this.ring.length - at;
    if (length <= untilEnd) target.set(this.ring.subarray(at, at + length), targetOffset);
    else {
      target.set(this.ring.subarray(at), targetOffset);
      target.set(this.ring.subarray(0, length - untilEnd), targetOffset + untilEnd);
    }
  }

  /** Forgets the oldest bytes. An empty buffer gives its memory back. */
  release(bytes: number): void {
    this.length -= bytes;
    if (this.length > 0) this.start = (this.start + bytes) & (this.ring.length - 1);
    else {
      this.start = 0;
      if (this.ring.length > INITIAL_BYTES * 16) this.ring = new Uint8Array(0);
    }
  }

  private grow(needed: number): void {
    let size = Math.max(this.ring.length, INITIAL_BYTES);
    while (size < needed) size *= 2;
    const ring = new Uint8Array(size);
    if (this.length > 0) this.copyTo(ring, 0, 0, this.length);
    this.ring = ring;
    this.start = 0;
  }
}
