import { beforeEach, describe, expect, it } from 'vitest';
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import { type Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import { type LinkCounters, zeroLinkCounters } from './link-counters.ts';
import type { Cursor } from './outgoing-messages.ts';
import { MAX_WAITING_BYTES, SendQueue } from './send-queue.ts';

const PACKET_BYTES = 1000;
const TURN_BYTES = 3 * PACKET_BYTES;
const RETRY_US = 100;

describe('send queue', () => {
  let memory: PacketMemory;
  let engine: EventEngine;
  let counters: LinkCounters;
  let queue: SendQueue;
  /** `peer:number` of what went. */
  let sent: string[];
  /** What the kernel takes still. */
  let room: number;

  beforeEach(() => {
    memory = new PacketMemory({ smallSlots: 8192, largeSlots: 80 });
    engine = new EventEngine({ random: () => 0 });
    counters = zeroLinkCounters();
    sent = [];
    room = Number.POSITIVE_INFINITY;
    queue = new SendQueue({ memory, engine, counters, turnBytes: TURN_BYTES, transmit });
  });

  /** A packet with `segmentBytes` goes a segment at a time. */
  function transmit(peer: number, packets: readonly Packet[], cursor: Cursor, limitBytes: number): boolean {
    for (let left = limitBytes; cursor.packet < packets.length && left > 0; ) {
      if (room-- <= 0) return false;
      const packet = packets[cursor.packet] as Packet;
      const number = memory.view.getUint32(packet.offset);
      if (packet.segmentBytes === 0) {
        sent.push(`${peer}:${number}`);
        cursor.packet++;
        left -= packet.length;
        continue;
      }
      sent.push(`${peer}:${number}/${cursor.segment++}`);
      left -= packet.segmentBytes;
      if (cursor.segment * packet.segmentBytes < packet.length) continue;
      cursor.packet++;
      cursor.segment = 0;
    }
    return true;
  }

  function packets(first: number, count: number, length = PACKET_BYTES): Packet[] {
    return Array.from({ length: count }, (_, index) => {
      const packet = memory.allocate(length) as Packet;
      memory.view.setUint32(packet.offset, first + index);
      return packet;
    });
  }

  function elapse(us: number): void {
    engine.enter(engine.nowUs + us);
    engine.drain();
  }

  const numbers = (from: number, to: number): string[] =>
    Array.from({ length: to - from }, (_, index) => `7:${from + index}`);

  it('sends at once what a turn may hold, and frees it', () => {
    queue.send(7, packets(0, 3));
    expect(sent).toEqual(numbers(0, 3));
    expect(memory.inUse).toBe(0);
    expect(engine.nextDeadlineUs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('lets the rest wait for later turns, in order, with what is sent meanwhile behind it', () => {
    queue.send(7, packets(0, 7));
    queue.send(7, packets(7, 1));
    queue.send(8, packets(100, 1));
    expect(sent).toEqual([...numbers(0, 3), '8:100']);
    elapse(RETRY_US);
    expect(sent.slice(4)).toEqual(numbers(3, 6));
    elapse(RETRY_US);
    expect(sent.slice(7)).toEqual(numbers(6, 8));
    expect(memory.inUse).toBe(0);
    expect(engine.nextDeadlineUs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('goes on within a super-segment where the kernel took no more', () => {
    const [large] = packets(5, 1, 4000) as [Packet];
    large.segmentBytes = 1000;
    room = 1;
    queue.send(7, [large]);
    expect(sent).toEqual(['7:5/0']);
    room = 0;
    elapse(RETRY_US);
    expect(sent).toHaveLength(1);
    room = Number.POSITIVE_INFINITY;
    elapse(RETRY_US);
    expect(sent).toEqual(['7:5/0', '7:5/1', '7:5/2', '7:5/3']);
    expect(memory.inUse).toBe(0);
    expect(counters.sendOverflows).toBe(0);
  });

  it('bounds what waits for a peer, and counts what it drops', () => {
    room = 0;
    const most = Math.floor(MAX_WAITING_BYTES / PACKET_BYTES);
    queue.send(7, packets(0, most + 10));
    expect(counters.sendOverflows).toBe(10);
    expect(memory.inUse).toBe(most);
    room = Number.POSITIVE_INFINITY;
    for (let turn = 0; turn * 3 < most; turn++) elapse(RETRY_US);
    expect(sent).toEqual(numbers(0, most));
    queue.send(7, packets(most, 1));
    expect(sent.at(-1)).toBe(`7:${most}`);
  });

  it('drops and counts what waits for a peer that is removed, and all when it ends', () => {
    room = 0;
    queue.send(7, packets(0, 4));
    queue.send(8, packets(10, 2));
    queue.forget(7);
    queue.forget(9);
    expect(counters.sendOverflows).toBe(4);
    expect(memory.inUse).toBe(2);
    queue.dispose();
    expect(counters.sendOverflows).toBe(6);
    expect(memory.inUse).toBe(0);
    elapse(RETRY_US);
    expect(sent).toEqual([]);
  });
});
