/** The forwarding database of a bridge: behind which port a MAC is, learned from the frames it sends (IEEE 802.1D section 7.8). */
import type { BridgePort } from './bridge.ts';

/** Linux' ageing_time. */
export const FDB_AGEING_US = 300_000_000;
/** Addresses one bridge may learn; a flood of made-up sources stops there. */
export const MAX_FDB_ENTRIES = 8192;

/** Ports are a bridge's, or whatever a switch of another kind has behind it. */
export interface FdbEntry<Port = BridgePort> {
  readonly macAddress: number;
  /** null once the entry was deleted. */
  port: Port | null;
  /** Neither ages nor moves: the port's own address, or one that was configured. */
  readonly permanent: boolean;
  updatedUs: number;
}

export class Fdb<Port = BridgePort> {
  /** Addresses not learned because the table was full. */
  refused = 0;
  private readonly entries = new Map<number, FdbEntry<Port>>();

  get size(): number {
    return this.entries.size;
  }

  add(macAddress: number, port: Port, nowUs: number): void {
    this.remove(macAddress);
    this.entries.set(macAddress, { macAddress, port, permanent: true, updatedUs: nowUs });
  }

  remove(macAddress: number): boolean {
    const entry = this.entries.get(macAddress);
    if (entry !== undefined) this.delete(entry);
    return entry !== undefined;
  }

  /** The source of a frame that came in through `port`, whose last one had the source of `recent`; the entry, if there is room. */
  learn(macAddress: number, port: Port, nowUs: number, recent: FdbEntry<Port> | null = null): FdbEntry<Port> | null {
    const entry = this.find(macAddress, recent);
    if (entry !== undefined) {
      if (entry.permanent) return entry;
      entry.port = port;
      entry.updatedUs = nowUs;
      return entry;
    }
    if (this.entries.size >= MAX_FDB_ENTRIES && this.sweep(nowUs) === 0) {
      this.refused++;
      return null;
    }
    const learned: FdbEntry<Port> = { macAddress, port, permanent: false, updatedUs: nowUs };
    this.entries.set(macAddress, learned);
    return learned;
  }

  /** The entry of a destination; `recent` is that of the frame before, which often is the same. */
  lookup(macAddress: number, nowUs: number, recent: FdbEntry<Port> | null = null): FdbEntry<Port> | undefined {
    const entry = this.find(macAddress, recent);
    return entry === undefined || isExpired(entry, nowUs) ? undefined : entry;
  }

  removePort(port: Port): void {
    for (const entry of this.entries.values()) if (entry.port === port) this.delete(entry);
  }

  forgetLearned(port: Port): void {
    for (const entry of this.entries.values()) if (entry.port === port && !entry.permanent) this.delete(entry);
  }

  /** What has not expired, in the order in which it was learned. */
  list(nowUs: number): FdbEntry<Port>[] {
    this.sweep(nowUs);
    return [...this.entries.values()];
  }

  private find(macAddress: number, recent: FdbEntry<Port> | null): FdbEntry<Port> | undefined {
    if (recent !== null && recent.macAddress === macAddress && recent.port !== null) return recent;
    return this.entries.get(macAddress);
  }

  private delete(entry: FdbEntry<Port>): void {
    this.entries.delete(entry.macAddress);
    entry.port = null;
  }

  private sweep(nowUs: number): number {
    let removed = 0;
    for (const entry of this.entries.values()) {
      if (!isExpired(entry, nowUs)) continue;
      this.delete(entry);
      removed++;
    }
    return removed;
  }
}

function isExpired(entry: FdbEntry<unknown>, nowUs: number): boolean {
  return !entry.permanent && nowUs - entry.updatedUs > FDB_AGEING_US;
}
