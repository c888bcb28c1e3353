/** Super-segments at a faulty link: whole where all their segments would wait alike, and counted as what they are. */
import { expect, test } from 'vitest';
import { EventEngine } from '../../../shared/netstack/event-engine.ts';
import { type ImpairmentChange, mergeImpairment, UNIMPAIRED } from '../../../shared/rules/impairment.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import { type Packet, PacketMemory } from '../../../shared/wire/packet-memory.ts';
import * as tcp from '../../../shared/wire/tcp.ts';
import { FaultQueue } from './fault-queue.ts';
import { FRAMES } from './framing.ts';
import { HoldingBound } from './holding-bound.ts';

const SEGMENT_BYTES = 1000;
const HEADERS = ethernet.HEADER_BYTES + ipv4.HEADER_BYTES + tcp.HEADER_BYTES;

function frame(memory: PacketMemory, segments: number): Packet {
  const packet = memory.allocate(HEADERS + segments * SEGMENT_BYTES)!;
  const network = packet.offset + ethernet.HEADER_BYTES;
  ethernet.encode(memory.view, packet.offset, 1, 2, ethernet.TYPE_IPV4);
  const total = packet.length - ethernet.HEADER_BYTES;
  ipv4.encode(memory.view, network, total, 1, false, 64, ipv4.PROTOCOL_TCP, 0x0af4_0105, 0x0af4_0205);
  tcp.encode(memory.view, network + ipv4.HEADER_BYTES, 40_000, 80, 1, 1, tcp.HEADER_BYTES, tcp.ACK, 500);
  packet.segmentBytes = SEGMENT_BYTES;
  return packet;
}

function queueWith(change: ImpairmentChange, memory = new PacketMemory({ smallSlots: 16, largeSlots: 4 })) {
  const engine = new EventEngine({ random: () => 0.5 });
  const queue = new FaultQueue({
    engine,
    memory,
    bound: new HoldingBound(memory),
    seed: 1,
    where: 'link a -> b',
    framing: FRAMES,
    observer: { tracer: null, dropped: () => undefined },
    output: (packets) => {
      for (const packet of packets) memory.free(packet);
    },
  });
  queue.impairment = mergeImpairment(UNIMPAIRED, change);
  return { engine, memory, queue };
}

test.each<[string, ImpairmentChange, boolean]>([
  ['a delay', { delayUs: 1000 }, true],
  ['jitter', { delayUs: 1000, jitterUs: 10 }, false],
  ['loss', { loss: 0.01 }, false],
  ['bursts of loss', { burstLoss: { toBad: 0.1, toGood: 0.5, lossInBad: 1, lossInGood: 0 } }, false],
  ['duplication', { duplicate: 0.01 }, false],
  ['reordering', { delayUs: 1000, reorder: 0.01 }, false],
  ['corruption', { corrupt: 0.01 }, false],
  ['a rate', { rateBitsPerSecond: 1e9 }, false],
])('with %s', (_what, change, whole) => {
  expect(queueWith(change).queue.takesSuperSegments).toBe(whole);
});

test('one is counted as its segments, held or dropped', () => {
  const { engine, memory, queue } = queueWith({ delayUs: 1000 });
  queue.enqueue(frame(memory, 7));
  engine.enter(1000);
  expect(queue.counters).toMatchObject({ passed: 7, delayed: 7, waiting: 0 });
  queue.impairment = mergeImpairment(UNIMPAIRED, { partition: true });
  queue.enqueue(frame(memory, 3));
  expect(queue.counters.dropped).toEqual({ 'link-partition': 3 });
  expect(memory.inUse).toBe(0);
});

test('half of the large slots may wait; what comes then is cut', () => {
  const { engine, memory, queue } = queueWith({ delayUs: 1000 });
  queue.enqueue(frame(memory, 7));
  expect(queue.takesSuperSegments).toBe(true);
  queue.enqueue(frame(memory, 7));
  expect(queue.takesSuperSegments).toBe(false);
  engine.enter(1000);
  expect(queue.takesSuperSegments).toBe(true);
});
