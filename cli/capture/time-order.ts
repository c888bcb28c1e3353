/**
 * Packets of several nodes in the order of their time stamps. Each is held until every node has told all that it saw before, as
 * it says itself; a node that says nothing for too long is waited for no more.
 */
import type { ReadPacket } from '../../shared/wire/pcapng-reader.ts';

/** A node that is stopped or cut off must not keep the packets of the others from whoever looks on. */
const PATIENCE_MS = 2000;
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
  /** Until when each node has told everything, in nanoseconds since 1970. */
  private readonly told = new Map<Source, bigint>();

  get full(): boolean {
    return this.heldBytes > MAX_HELD_BYTES;
  }

  /** A node whose packets come in the order of their time stamps. */
  open(source: Source): void {
    this.told.set(source, 0n);
  }

  /** Nothing more comes from it. */
  close(source: Source): void {
    this.told.delete(source);
  }

  /** Nothing older than this will come from it. */
  advance(source: Source, timestampNs: bigint): void {
    const before = this.told.get(source);
    if (before !== undefined && timestampNs > before) this.told.set(source, timestampNs);
  }

  push(arrival: Arrival<Source>, nowMs: number): void {
    this.held.push({ ...arrival, arrivedMs: nowMs });
    this.heldBytes += arrival.packet.bytes.length + PACKET_OVERHEAD_BYTES;
    this.advance(arrival.source, arrival.packet.timestampNs);
  }

  /** Whom the newest of what is held waits for. */
  behind(): Source[] {
    const newest = latest(this.held);
    return newest === undefined ? [] : [...this.told].flatMap(([source, told]) => (told < newest ? source : []));
  }

  /** What nothing older can come before any more, or was held long enough and all that is older than that; in order. */
  takeDue(nowMs: number): Arrival<Source>[] {
    const patient = latest(this.held.filter(({ arrivedMs }) => arrivedMs <= nowMs - PATIENCE_MS)) ?? 0n;
    let told: bigint | undefined;
    for (const timestampNs of this.told.values()) if (told === undefined || timestampNs < told) told = timestampNs;
    if (told === undefined) return this.takeAll();
    const limit = told > patient ? told : patient;
    return this.take(({ packet }) => packet.timestampNs <= limit);
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

function latest(held: readonly Arrival<unknown>[]): bigint | undefined {
  let found: bigint | undefined;
  for (const { packet } of held) if (found === undefined || packet.timestampNs > found) found = packet.timestampNs;
  return found;
}
