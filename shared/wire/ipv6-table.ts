/**
 * IPv6 addresses as numbers. The packet path keeps every address in an unsigned 32-bit number; the 128 bits of an IPv6
 * address are therefore interned: they stand once in this table, and 0xf0000000 + their place in it is their number.
 *
 *   0x00000000 ... 0xefffffff   IPv4, as on the wire
 *   0xf0000000                  no address: the table was full, or the text was none
 *   0xf0000001 ... 0xfffffffe   IPv6: this table
 *   0xffffffff                  IPv4, 255.255.255.255
 *
 * The numbers taken are those of 240.0.0.0/4, which no packet may come from or go to (RFC 6890, table 15), and which the
 * stack drops as martians. So one comparison tells two addresses apart whatever their family, one set of sockets, tables
 * and translations serves both, and what IPv4 costs does not change.
 *
 * The table is bounded: packets can name any address. What no table refers to (`AddressHolder`) and no packet named since
 * the sweep before is swept; it happens between two turns of the engine, when no number is on its way.
 */

/** 8 MiB of addresses when full; the table grows to it by doubling. */
export const MAX_IPV6_ADDRESSES = 2 ** 19;
/** The number of no address: equal to none, routed nowhere. */
export const NO_ADDRESS = 0xf000_0000;

const INDEX_MASK = 0x0fff_ffff;
const FIRST_CAPACITY = 1024;
/** A sweep costs a pass over the table, so that this many look-ups must have paid for it. */
const LOOKUPS_BETWEEN_SWEEPS = MAX_IPV6_ADDRESSES / 16;

/** Keeps numbers of addresses from one turn to the next, and so must name them to a sweep. */
export interface AddressHolder {
  visitAddresses(visit: (address: number) => void): void;
}

/** Whether a number is that of an IPv6 address (or of none). */
export function isIpv6(address: number): boolean {
  return address >> 28 === -1 && (address | 0) !== -1;
}

export class Ipv6Table {
  /** Addresses refused because the table was full. */
  refused = 0;
  /** Four words an address, in network order. */
  private words = new Int32Array(4 * FIRST_CAPACITY);
  /** The one's complement sum of each address, which checksums need. */
  private sums = new Uint16Array(FIRST_CAPACITY);
  /** Looked up since the last sweep; held, as the sweep under way has found. */
  private touched = new Uint8Array(FIRST_CAPACITY);
  private held = new Uint8Array(FIRST_CAPACITY);
  /** Open addressing with twice as many slots as addresses; 0 is free. */
  private slots = new Int32Array(2 * FIRST_CAPACITY);
  private free: number[] = [];
  /** Place 0 is that of no address. */
  private next = 1;
  private seed = 0;
  private lookups = 0;
  private readonly permanent: number[] = [];
  private readonly holders = new Set<WeakRef<AddressHolder>>();
  private readonly maxAddresses: number;

  constructor(maxAddresses = MAX_IPV6_ADDRESSES) {
    this.maxAddresses = maxAddresses;
  }

  get size(): number {
    return this.next - 1 - this.free.length;
  }

  /** With a number nobody outside knows, nobody outside can choose addresses that collide. */
  reseed(seed: number): void {
    this.seed = seed | 0;
    this.rehash();
  }

  /** The number of an address; `NO_ADDRESS` when the table is full. */
  intern(w0: number, w1: number, w2: number, w3: number): number {
    this.lookups++;
    const slot = this.slotOf(w0, w1, w2, w3);
    const known = this.slots[slot]!;
    if (known !== 0) {
      this.touched[known] = 1;
      return (NO_ADDRESS | known) >>> 0;
    }
    const index = this.place();
    if (index === 0) {
      this.refused++;
      return NO_ADDRESS;
    }
    this.words.set([w0, w1, w2, w3], 4 * index);
    this.sums[index] = sumOf(w0, w1, w2, w3);
    this.touched[index] = 1;
    if (this.slots.length === 2 * this.capacity) this.slots[slot] = index;
    else this.rehash();
    return (NO_ADDRESS | index) >>> 0;
  }

  /** The number of an address that is here already, else `NO_ADDRESS`. */
  find(w0: number, w1: number, w2: number, w3: number): number {
    return (NO_ADDRESS | this.slots[this.slotOf(w0, w1, w2, w3)]!) >>> 0;
  }

  /** An address that is never swept: a constant of the program. */
  pin(w0: number, w1: number, w2: number, w3: number): number {
    const address = this.intern(w0, w1, w2, w3);
    this.permanent.push(address);
    return address;
  }

  /** Word 0 to 3 of an address, signed, in network order. */
  word(address: number, index: number): number {
    return this.words[4 * (address & INDEX_MASK) + index]!;
  }

  /** The one's complement sum of the eight 16-bit words of an address. */
  sum(address: number): number {
    return this.sums[address & INDEX_MASK]!;
  }

  /** The holder is forgotten with its last other reference. */
  hold(holder: AddressHolder): void {
    this.holders.add(new WeakRef(holder));
  }

  /** Whether `sweep` would be worth its while. Asked at the end of every turn. */
  get isCrowded(): boolean {
    return this.lookups > LOOKUPS_BETWEEN_SWEEPS && 2 * this.size > this.maxAddresses;
  }

  /** Frees the places of addresses that nobody holds and nobody named since the sweep before. */
  sweep(): void {
    this.held.fill(0);
    const visit = (address: number): void => {
      if (isIpv6(address)) this.held[address & INDEX_MASK] = 1;
    };
    for (const address of this.permanent) visit(address);
    for (const reference of this.holders) {
      const holder = reference.deref();
      if (holder === undefined) this.holders.delete(reference);
      else holder.visitAddresses(visit);
    }
    const isFree = new Uint8Array(this.next);
    for (const index of this.free) isFree[index] = 1;
    for (let index = 1; index < this.next; index++) {
      if (isFree[index] === 0 && this.held[index] === 0 && this.touched[index] === 0) this.free.push(index);
    }
    this.touched.fill(0);
    this.lookups = 0;
    this.rehash();
  }

  private get capacity(): number {
    return this.sums.length;
  }

  private place(): number {
    const reused = this.free.pop();
    if (reused !== undefined) return reused;
    if (this.next > this.maxAddresses) return 0;
    if (this.next === this.capacity) this.grow();
    return this.next++;
  }

  private grow(): void {
    const capacity = 2 * this.capacity;
    const { words, sums, touched } = this;
    this.words = new Int32Array(4 * capacity);
    this.words.set(words);
    this.sums = new Uint16Array(capacity);
    this.sums.set(sums);
    this.touched = new Uint8Array(capacity);
    this.touched.set(touched);
    this.held = new Uint8Array(capacity);
  }

  private rehash(): void {
    this.slots = new Int32Array(2 * this.capacity);
    const isFree = new Uint8Array(this.next);
    for (const index of this.free) isFree[index] = 1;
    for (let index = 1; index < this.next; index++) {
      if (isFree[index] === 1) continue;
      const at = 4 * index;
      const { words } = this;
      this.slots[this.slotOf(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!)] = index;
    }
  }

  /** The slot that holds the address, or the free one where it belongs. */
  private slotOf(w0: number, w1: number, w2: number, w3: number): number {
    const { slots, words } = this;
    const mask = slots.length - 1;
    let slot = mix(w0, w1, w2, w3, this.seed) & mask;
    for (;;) {
      const index = slots[slot]!;
      if (index === 0) return slot;
      const at = 4 * index;
      // The words may come unsigned; the difference under `|` does not care.
      if (((words[at + 3]! ^ w3) | (words[at + 2]! ^ w2) | (words[at + 1]! ^ w1) | (words[at]! ^ w0)) === 0) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
  }
}

/** A 32-bit hash of four words under a seed. */
export function mix(w0: number, w1: number, w2: number, w3: number, seed: number): number {
  let hash = Math.imul(w3 ^ seed, 0x9e37_79b1);
  hash = Math.imul(hash ^ (hash >>> 15) ^ w2, 0x85eb_ca77);
  hash = Math.imul(hash ^ (hash >>> 13) ^ w1, 0xc2b2_ae3d);
  hash = Math.imul(hash ^ (hash >>> 16) ^ w0, 0x27d4_eb2f);
  return hash ^ (hash >>> 15);
}

function sumOf(w0: number, w1: number, w2: number, w3: number): number {
  let sum = (w0 >>> 16) + (w0 & 0xffff) + (w1 >>> 16) + (w1 & 0xffff);
  sum += (w2 >>> 16) + (w2 & 0xffff) + (w3 >>> 16) + (w3 & 0xffff);
  sum = (sum >>> 16) + (sum & 0xffff);
  return (sum >>> 16) + (sum & 0xffff);
}

/** The table of this process. */
export const ipv6Table = new Ipv6Table();
