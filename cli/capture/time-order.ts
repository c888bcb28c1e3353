/**
 * Packets of several nodes in the order of their time stamps. Each is held for a moment, in case one that was earlier is
 * still on its way from another node.
 */
import type { ReadPacket } from '../../shared/wire/pcapng-reader.ts';

/** The node that gathers longest is one that has just begun to: it sends after 20 ms, and the bus takes some more. */
const HOLD_MS = 150;
/** More than this is let go at once, late packets or not. */
const MAX_HELD_BYTES = 2 * 1024 * 1024;
/** What a packet costs beside its bytes. */
const PACKET_OVERHEAD_BYTES = 256;

export interface Arrival<Source> {
  readonly source: Source;
  readonly packet: ReadPacket;
}

interface Held<Source> extends Arrival<Source> {
  readonly arrivedMs: number;
}

export class TimeOrder<Source> {
  private held: Held<Source>[] = [];
  private heldBytes = 0;

  get full(): boolean {
    return this.heldBytes > MAX_HELD_BYTES;
  }

  push(arrival: Arrival<Source>, nowMs: number): void {
    this.held.push({ ...arrival, arrivedMs: nowMs });
    this.heldBytes += arrival.packet.bytes.length + PACKET_OVERHEAD_BYTES;
  }

  /** What was held long enough, and all that is older than it, in order. */
  takeDue(nowMs: number): Arrival<Source>[] {
    let until: bigint | undefined;
    for (const { arrivedMs, packet } of this.held) {
      if (arrivedMs > nowMs - HOLD_MS) continue;
      if (until === undefined || packet.timestampNs > until) until = packet.timestampNs;
    }
    if (until === undefined) return [];
    const limit = until;
    return this.take((held) => held.packet.timestampNs <= limit);
  }

  takeAll(): Arrival<Source>[] {
    return this.take(() => true);
  }

  private take(isDue: (held: Held<Source>) => boolean): Arrival<Source>[] {
    const due = this.held.filter(isDue);
    this.held = this.held.filter((held) => !isDue(held));
    this.heldBytes = this.held.reduce((sum, { packet }) => sum + packet.bytes.length + PACKET_OVERHEAD_BYTES, 0);
    return due.sort((a, b) => (a.packet.timestampNs < b.packet.timestampNs ? -1 : 1));
  }
}
