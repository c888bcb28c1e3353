/** Packets made of real ones by changing, cutting, stretching and splicing; the same ones again for the same seed. */
import * as ipv4 from '../../shared/wire/ipv4.ts';

export class Mutator {
  private readonly originals: readonly Uint8Array[];
  /** Of the IP header in an original; undefined where there is none. */
  private readonly network: number | undefined;
  private state: number;

  constructor(originals: readonly Uint8Array[], network: number | undefined, seed: number) {
    this.originals = originals;
    this.network = network;
    this.state = seed >>> 0 || 1;
  }

  next(): Uint8Array {
    const original = this.originals[this.below(this.originals.length)]!;
    const growth = this.below(4) === 0 ? this.below(160) - 120 : 0;
    const bytes = new Uint8Array(Math.max(0, original.length + growth));
    bytes.set(original.subarray(0, bytes.length));
    for (let changes = this.below(6); changes > 0 && bytes.length > 0; changes--) this.change(bytes);
    if (this.below(2) === 0) this.repair(bytes);
    return bytes;
  }

  /** xorshift32 */
  private below(limit: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % limit;
  }

  private change(bytes: Uint8Array): void {
    // Headers stand in front: most changes go there.
    const at = this.below(this.below(4) === 0 ? bytes.length : Math.min(bytes.length, 80));
    switch (this.below(4)) {
      case 0:
        bytes[at] = this.below(256);
        break;
      case 1:
        bytes[at]! ^= 1 << this.below(8);
        break;
      case 2:
        bytes[at] = [0, 1, 0x7f, 0x80, 0xff][this.below(5)]!;
        break;
      default: {
        const other = this.originals[this.below(this.originals.length)]!;
        bytes.set(other.subarray(at, Math.min(at + this.below(24), bytes.length, other.length)), at);
      }
    }
  }

  /** A right IP checksum, or hardly anything would get past it. */
  private repair(bytes: Uint8Array): void {
    if (this.network === undefined) return;
    const view = new DataView(bytes.buffer);
    if (ipv4.check(view, this.network, bytes.length - this.network)) ipv4.writeChecksum(view, this.network);
  }
}
