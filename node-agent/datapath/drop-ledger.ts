/** Every drop of a node by place and reason: counters for metrics, and the answer to "where did my packet go". */
import type { DropObserver, DropReason } from '../../shared/netstack/hooks.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';

export interface DropCount {
  /** Host or device and stage: `worker-1 ip-forward`. */
  readonly where: string;
  readonly code: string;
  readonly cause: string | null;
  readonly packets: number;
}

/** Pairs of place and reason; rules that come and go could otherwise grow the ledger for ever. */
const MAX_ENTRIES = 4096;

interface Entry {
  readonly where: string;
  readonly reason: DropReason;
  packets: number;
}

export class DropLedger implements DropObserver {
  /** Told of each drop beside the count; null while nothing is traced. */
  observer: DropObserver | null = null;
  /** The same for captures. */
  tap: DropObserver | null = null;
  private readonly byPlace = new Map<string, Map<string, Entry>>();
  private entries = 0;

  dropped(packet: Packet, reason: DropReason, where: string): void {
    this.count(reason, where);
    this.observer?.dropped(packet, reason, where);
    this.tap?.dropped(packet, reason, where);
  }

  /** The observer of one host, whose name goes before the stage: `default/web-0 udp`. */
  of(host: string): DropObserver {
    return { dropped: (packet, reason, where) => this.dropped(packet, reason, `${host} ${where}`) };
  }

  /** Counts a packet that there is no handle of (any more). */
  count(reason: DropReason, where: string): void {
    const entry = this.entryOf(reason, where);
    if (entry !== undefined) entry.packets++;
  }

  /** Most frequent first. */
  list(): DropCount[] {
    const all: DropCount[] = [];
    for (const reasons of this.byPlace.values()) {
      for (const { where, reason, packets } of reasons.values()) {
        all.push({ where, code: reason.code, cause: reason.cause ?? null, packets });
      }
    }
    return all.sort((a, b) => b.packets - a.packets);
  }

  private entryOf(reason: DropReason, where: string): Entry | undefined {
    let reasons = this.byPlace.get(where);
    if (reasons === undefined) {
      if (this.entries >= MAX_ENTRIES) return undefined;
      reasons = new Map();
      this.byPlace.set(where, reasons);
    }
    const key = reason.cause === undefined ? reason.code : `${reason.code} ${reason.cause}`;
    let entry = reasons.get(key);
    if (entry === undefined && this.entries < MAX_ENTRIES) {
      entry = { where, reason, packets: 0 };
      reasons.set(key, entry);
      this.entries++;
    }
    return entry;
  }
}
