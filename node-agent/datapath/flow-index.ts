/**
 * Flows by their tuple: a hash table with open addressing. A slot is the whole key and the flow's number, 16 bytes, so that
 * finding a flow takes one line of the processor's cache and follows no reference.
 *
 *   source | destination | ports | protocol, and above it the flow's number + 1 (0: free)
 */

const SLOT = 4;
const PROTOCOL_BITS = 8;
const FIRST_SLOTS = 256;

export class FlowIndex {
  private slots = new Int32Array(FIRST_SLOTS * SLOT);
  private mask = FIRST_SLOTS - 1;
  private size = 0;
  private readonly seed: number;

  /** `seed` keeps an attacker from choosing the slot. */
  constructor(seed: number) {
    this.seed = seed | 0;
  }

  /** The number of a flow, -1 for none. The parts of the tuple are signed. */
  find(source: number, destination: number, ports: number, protocol: number): number {
    const at = this.slotOf(source, destination, ports, protocol);
    return (this.slots[at + 3]! >>> PROTOCOL_BITS) - 1;
  }

  /** Of several flows with one tuple the last one is found, until it is removed. */
  add(source: number, destination: number, ports: number, protocol: number, flow: number): void {
    if (2 * (this.size + 1) > this.mask) this.grow();
    let at = this.slotOf(source, destination, ports, protocol);
    const earlier = this.slots[at + 3]!;
    this.write(at, source, destination, ports, ((flow + 1) << PROTOCOL_BITS) | protocol);
    if (earlier !== 0) {
      while (this.slots[at + 3] !== 0) at = this.after(at);
      this.write(at, source, destination, ports, earlier);
    }
    this.size++;
  }

  /** Throws where the flow is not here: its owner has lost count. */
  remove(source: number, destination: number, ports: number, protocol: number, flow: number): void {
    const { slots } = this;
    const word = ((flow + 1) << PROTOCOL_BITS) | protocol;
    let at = this.slotOf(source, destination, ports, protocol);
    while (slots[at + 3] !== word) {
      if (slots[at + 3] === 0) throw new Error('conntrack: a confirmed connection is not in its index');
      at = this.after(at);
    }
    this.closeGap(at);
    this.size--;
  }

  /** The flows behind a gap move up, unless that puts one before the slot its search begins at. */
  private closeGap(gap: number): void {
    const { slots } = this;
    let free = gap;
    for (let at = this.after(gap); slots[at + 3] !== 0; at = this.after(at)) {
      const home = this.homeOf(slots[at]!, slots[at + 1]!, slots[at + 2]!, slots[at + 3]! & 0xff);
      const wrap = slots.length - 1;
      if (((at - home) & wrap) < ((at - free) & wrap)) continue;
      slots.copyWithin(free, at, at + SLOT);
      free = at;
    }
    slots.fill(0, free, free + SLOT);
  }

  /** Where the tuple stands, or the free slot at which its search ends. */
  private slotOf(source: number, destination: number, ports: number, protocol: number): number {
    const { slots } = this;
    let at = this.homeOf(source, destination, ports, protocol);
    for (;;) {
      const word = slots[at + 3]!;
      if (word === 0) return at;
      const isKey = slots[at + 2] === ports && slots[at] === source && slots[at + 1] === destination;
      if (isKey && (word & 0xff) === protocol) return at;
      at = (at + SLOT) & (slots.length - 1);
    }
  }

  private after(at: number): number {
    return (at + SLOT) & (this.slots.length - 1);
  }

  private homeOf(source: number, destination: number, ports: number, protocol: number): number {
    let hash = Math.imul(source ^ this.seed, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ destination, 0x85ebca77);
    hash = Math.imul(hash ^ (hash >>> 13) ^ ports, 0xc2b2ae3d);
    hash = Math.imul(hash ^ (hash >>> 16) ^ protocol, 0x27d4eb2f);
    return ((hash ^ (hash >>> 15)) & this.mask) * SLOT;
  }

  private write(at: number, source: number, destination: number, ports: number, word: number): void {
    this.slots[at] = source;
    this.slots[at + 1] = destination;
    this.slots[at + 2] = ports;
    this.slots[at + 3] = word;
  }

  private grow(): void {
    const { slots } = this;
    this.slots = new Int32Array(2 * slots.length);
    this.mask = this.slots.length / SLOT - 1;
    for (let from = 0; from < slots.length; from += SLOT) {
      const word = slots[from + 3]!;
      if (word === 0) continue;
      const source = slots[from]!;
      const destination = slots[from + 1]!;
      const ports = slots[from + 2]!;
      let at = this.homeOf(source, destination, ports, word & 0xff);
      while (this.slots[at + 3] !== 0) at = this.after(at);
      this.write(at, source, destination, ports, word);
    }
  }
}
