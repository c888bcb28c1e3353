/** The forwarding database of a bridge: behind which port a MAC is, learned from the frames it sends (IEEE 802.1D section 7.8). */
import type { NetDevice } from '../../shared/netstack/device.ts';

/** Linux' ageing_time. */
export const FDB_AGEING_US = 300_000_000;
/** Addresses one bridge may learn; a flood of made-up sources stops there. */
export const MAX_FDB_ENTRIES = 8192;

export interface FdbEntry {
  readonly macAddress: number;
  port: NetDevice;
  /** Neither ages nor moves: the port's own address, or one that was configured. */
  readonly permanent: boolean;
  updatedUs: number;
}

export class Fdb {
  /** Addresses not learned because the table was full. */
  refused = 0;
  private readonly entries = new Map<number, FdbEntry>();

  get size(): number {
    return this.entries.size;
  }

  add(macAddress: number, port: NetDevice, nowUs: number): void {
    this.entries.set(macAddress, { macAddress, port, permanent: true, updatedUs: nowUs });
  }

  remove(macAddress: number): boolean {
    return this.entries.delete(macAddress);
  }

  /** The source of a frame that came in through `port`. */
  learn(macAddress: number, port: NetDevice, nowUs: number): void {
    const entry = this.entries.get(macAddress);
    if (entry !== undefined) {
      if (entry.permanent) return;
      entry.port = port;
      entry.updatedUs = nowUs;
      return;
    }
    if (this.entries.size >= MAX_FDB_ENTRIES && this.sweep(nowUs) === 0) {
      this.refused++;
      return;
    }
    this.entries.set(macAddress, { macAddress, port, permanent: false, updatedUs: nowUs });
  }

  lookup(macAddress: number, nowUs: number): NetDevice | undefined {
    const entry = this.entries.get(macAddress);
    return entry === undefined || isExpired(entry, nowUs) ? undefined : entry.port;
  }

  removePort(port: NetDevice): void {
    for (const [mac, entry] of this.entries) if (entry.port === port) this.entries.delete(mac);
  }

  /** What has not expired, in the order in which it was learned. */
  list(nowUs: number): FdbEntry[] {
    this.sweep(nowUs);
    return [...this.entries.values()];
  }

  private sweep(nowUs: number): number {
    let removed = 0;
    for (const [mac, entry] of this.entries) {
      if (!isExpired(entry, nowUs)) continue;
      this.entries.delete(mac);
      removed++;
    }
    return removed;
  }
}

function isExpired(entry: FdbEntry, nowUs: number): boolean {
  return !entry.permanent && nowUs - entry.updatedUs > FDB_AGEING_US;
}
