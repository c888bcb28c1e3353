/** A stream of bytes that both ends can compute from its seed: the writer makes it, the reader compares. */

const PATTERN_BYTES = 65_521;

export class ByteStream {
  readonly totalBytes: number;
  /** Written, or read and found right. */
  position = 0;
  private readonly pattern: Uint8Array;

  constructor(seed: number, totalBytes: number) {
    this.totalBytes = totalBytes;
    this.pattern = new Uint8Array(PATTERN_BYTES);
    let state = (seed | 1) >>> 0;
    for (let i = 0; i < PATTERN_BYTES; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      this.pattern[i] = state >>> 24;
    }
  }

  get done(): boolean {
    return this.position === this.totalBytes;
  }

  /** The next bytes to write, at most `limit`; `advance` says how many were taken. */
  peek(limit: number): Uint8Array {
    const at = this.position % PATTERN_BYTES;
    return this.pattern.subarray(at, at + Math.min(limit, PATTERN_BYTES - at, this.totalBytes - this.position));
  }

  advance(bytes: number): void {
    this.position += bytes;
  }

  /** Throws at the first byte that is not the one written. */
  verify(received: Uint8Array): void {
    for (const byte of received) {
      if (this.position >= this.totalBytes) throw new Error(`bytes after the end, at ${this.position}`);
      if (byte !== this.pattern[this.position % PATTERN_BYTES]) {
        throw new Error(`byte ${this.position} of ${this.totalBytes} differs`);
      }
      this.position++;
    }
  }
}
