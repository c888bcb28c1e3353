/**
 * What conntrack reads and writes for every packet of a connection it knows, packed: a record of 64 bytes a connection, so that
 * a packet of one of many connections costs one line of the processor's cache and not a graph of objects.
 *
 *   expires | refresh | flags | original packets, bytes | reply packets, bytes
 *
 * Objects (`flow.ts`) hold what is decided once and what people ask for; they are not touched by a packet that changes nothing.
 */

/** A packet of this direction changes nothing but the counters and the time of expiry, which it moves by `refresh`. */
const STEADY_ORIGINAL = 1;
const STEADY_REPLY = 2;
/** Nothing of the connection is translated, and nothing is left to decide. */
const SETTLED = 4;

/** Places in a record, in units of 8 bytes; the flags are the first half of theirs. */
const EXPIRES = 0;
const REFRESH = 1;
const FLAGS = 2;
const COUNTERS = 3;
const RECORD = 8;

const FIRST_CAPACITY = 64;

export class ConnectionRecords {
  private values = new Float64Array(FIRST_CAPACITY * RECORD);
  private flags = new Int32Array(this.values.buffer);
  private free: number[] = [];
  private next = 0;

  /** A record that is all zero; its number. */
  add(): number {
    const reused = this.free.pop();
    if (reused !== undefined) return reused;
    if (this.next * RECORD === this.values.length) this.grow();
    return this.next++;
  }

  remove(id: number): void {
    this.values.fill(0, id * RECORD, (id + 1) * RECORD);
    this.free.push(id);
  }

  expiresUs(id: number): number {
    return this.values[id * RECORD + EXPIRES]!;
  }

  setExpiresUs(id: number, timeUs: number): void {
    this.values[id * RECORD + EXPIRES] = timeUs;
  }

  packets(id: number, isReply: boolean): number {
    return this.values[id * RECORD + COUNTERS + (isReply ? 2 : 0)]!;
  }

  bytes(id: number, isReply: boolean): number {
    return this.values[id * RECORD + COUNTERS + (isReply ? 3 : 1)]!;
  }

  count(id: number, isReply: boolean, packets: number, bytes: number): void {
    const at = id * RECORD + COUNTERS + (isReply ? 2 : 0);
    this.values[at]! += packets;
    this.values[at + 1]! += bytes;
  }

  /** `refreshUs` is undefined where a packet of that direction may change the connection's state. */
  setSteady(id: number, isReply: boolean, refreshUs: number | undefined): void {
    const at = 2 * (id * RECORD + FLAGS);
    const bit = isReply ? STEADY_REPLY : STEADY_ORIGINAL;
    if (refreshUs === undefined) this.flags[at]! &= ~(STEADY_ORIGINAL | STEADY_REPLY);
    else {
      this.flags[at]! |= bit;
      this.values[id * RECORD + REFRESH] = refreshUs;
    }
  }

  isSteady(id: number, isReply: boolean): boolean {
    return (this.flags[2 * (id * RECORD + FLAGS)]! & (isReply ? STEADY_REPLY : STEADY_ORIGINAL)) !== 0;
  }

  settle(id: number): void {
    this.flags[2 * (id * RECORD + FLAGS)]! |= SETTLED;
  }

  isSettled(id: number): boolean {
    return (this.flags[2 * (id * RECORD + FLAGS)]! & SETTLED) !== 0;
  }

  /** Counts a packet of a steady direction and moves the time of expiry. */
  pass(id: number, isReply: boolean, bytes: number, nowUs: number): void {
    const { values } = this;
    const at = id * RECORD;
    values[at + EXPIRES] = nowUs + values[at + REFRESH]!;
    const counters = at + COUNTERS + (isReply ? 2 : 0);
    values[counters]! += 1;
    values[counters + 1]! += bytes;
  }

  private grow(): void {
    const { values } = this;
    this.values = new Float64Array(2 * values.length);
    this.values.set(values);
    this.flags = new Int32Array(this.values.buffer);
  }
}
