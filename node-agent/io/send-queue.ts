/**
 * Back-pressure of a link: what a peer's socket can take at a time goes out at once, the rest waits for the next turn, and
 * beyond a bound it is dropped and counted. A socket on loopback tells its sender nothing when it overflows, so a turn
 * sends a peer no more than a part of what a receive buffer holds.
 */
import type { Engine, TimerHandle } from '../../shared/netstack/engine.ts';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import type { PeerId } from '../datapath/link.ts';
import type { LinkCounters } from './link-counters.ts';
import type { Cursor } from './outgoing-messages.ts';

/** That may wait for one peer. */
export const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** Until what waits is tried again: about what a receiver needs for a part of its buffer. */
const RETRY_US = 100;

/** What a turn sends to one peer: a part of what a receive buffer, which counts its own bookkeeping, is taken to hold. */
export function turnBytesOf(receiveBufferBytes: number): number {
  return receiveBufferBytes >>> 2;
}

/** Sends from the cursor on, up to about `limitBytes`, and moves it; false when the kernel takes nothing more for now. */
export type Transmit = (peer: PeerId, packets: readonly Packet[], cursor: Cursor, limitBytes: number) => boolean;

export interface SendQueueOptions {
  readonly memory: PacketMemory;
  readonly engine: Engine;
  readonly counters: LinkCounters;
  /** What one turn sends to one peer. */
  readonly turnBytes: number;
  readonly transmit: Transmit;
}

class Waiting {
  readonly peer: PeerId;
  packets: Packet[] = [];
  bytes = 0;
  readonly cursor: Cursor = { packet: 0, segment: 0 };

  constructor(peer: PeerId) {
    this.peer = peer;
  }
}

export class SendQueue {
  private readonly options: SendQueueOptions;
  private readonly waiting = new Map<PeerId, Waiting>();
  private readonly cursor: Cursor = { packet: 0, segment: 0 };
  private timer: TimerHandle | null = null;

  constructor(options: SendQueueOptions) {
    this.options = options;
  }

  /** Takes ownership of the packets, not of the array. */
  send(peer: PeerId, packets: readonly Packet[]): void {
    if (this.waiting.size > 0) {
      const queue = this.waiting.get(peer);
      if (queue !== undefined) {
        this.append(queue, packets, 0);
        return;
      }
    }
    const { cursor } = this;
    const { transmit, turnBytes, memory } = this.options;
    cursor.packet = 0;
    cursor.segment = 0;
    transmit(peer, packets, cursor, turnBytes);
    const { packet: sent, segment } = cursor;
    for (let i = 0; i < sent; i++) memory.free(packets[i] as Packet);
    if (sent === packets.length) return;
    const queue = new Waiting(peer);
    queue.cursor.segment = segment;
    this.waiting.set(peer, queue);
    this.append(queue, packets, sent);
    this.arm();
  }

  /** Drops what waits for a peer. */
  forget(peer: PeerId): void {
    const queue = this.waiting.get(peer);
    if (queue === undefined) return;
    this.waiting.delete(peer);
    this.options.counters.sendOverflows += queue.packets.length;
    for (const packet of queue.packets) this.options.memory.free(packet);
  }

  dispose(): void {
    for (const peer of [...this.waiting.keys()]) this.forget(peer);
    this.timer?.cancel();
    this.timer = null;
  }

  private append(queue: Waiting, packets: readonly Packet[], first: number): void {
    const { counters, memory } = this.options;
    for (let i = first; i < packets.length; i++) {
      const packet = packets[i] as Packet;
      if (queue.bytes + packet.length > MAX_WAITING_BYTES) {
        counters.sendOverflows++;
        memory.free(packet);
        continue;
      }
      queue.packets.push(packet);
      queue.bytes += packet.length;
    }
  }

  private arm(): void {
    const { engine } = this.options;
    this.timer ??= engine.schedule(engine.nowUs + RETRY_US, () => this.retry());
  }

  private retry(): void {
    this.timer = null;
    const { memory, transmit, turnBytes } = this.options;
    for (const queue of [...this.waiting.values()]) {
      const { cursor } = queue;
      transmit(queue.peer, queue.packets, cursor, turnBytes);
      for (const packet of queue.packets.splice(0, cursor.packet)) {
        queue.bytes -= packet.length;
        memory.free(packet);
      }
      cursor.packet = 0;
      if (queue.packets.length === 0) this.waiting.delete(queue.peer);
    }
    if (this.waiting.size > 0) this.arm();
  }
}
