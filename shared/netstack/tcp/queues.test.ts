/** The two structures that adversarial peers reach: ranges of a sender, pieces of a receiver; each against a plain model. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EventEngine } from '../event-engine.ts';
import { hashNothing } from '../halfsiphash.ts';
import { MAX_PIECES, OutOfOrderQueue } from './out-of-order-queue.ts';
import { RetransmissionTimeout } from './rto.ts';
import { SendBuffer } from './send-buffer.ts';
import * as seq from './seq.ts';
import { MAX_RANGES, SequenceRanges } from './sequence-ranges.ts';

const span = fc.tuple(fc.nat(200), fc.integer({ min: 1, max: 40 }));
/** Near the wrap, so that every comparison is tried across it. */
const BASE = 0xffff_ff90;

describe('ranges of sequence numbers', () => {
  test('hold exactly what was added and not removed', () => {
    fc.assert(
      fc.property(fc.array(span, { maxLength: 30 }), fc.nat(240), (spans, cut) => {
        const ranges = new SequenceRanges();
        const model = new Set<number>();
        for (const [start, length] of spans) {
          const known = model.size;
          for (let i = start; i < start + length; i++) model.add(i);
          expect(ranges.add(seq.add(BASE, start), seq.add(BASE, start + length))).toBe(model.size > known);
        }
        expect(ranges.bytes).toBe(model.size);
        ranges.removeBefore(seq.add(BASE, cut));
        for (const at of model) if (at < cut) model.delete(at);
        expect(ranges.bytes).toBe(model.size);
        expect(ranges.uncovered(seq.add(BASE, cut), seq.add(BASE, 300))).toBe(300 - cut - model.size);
        let free = cut;
        while (model.has(free)) free++;
        expect(ranges.nextUncovered(seq.add(BASE, cut))).toBe(seq.add(BASE, free));
        for (let i = 1; i < ranges.count; i++) expect(seq.before(ranges.right(i - 1), ranges.left(i))).toBe(true);
      }),
    );
  });

  test('are bounded', () => {
    const ranges = new SequenceRanges();
    for (let i = 0; i < MAX_RANGES + 10; i++) ranges.add(3 * i, 3 * i + 1);
    expect(ranges.count).toBe(MAX_RANGES);
  });
});

describe('pieces out of order', () => {
  const byteAt = (position: number): number => (position * 7) & 0xff;
  const piece = (start: number, length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => byteAt(start + i));

  test('come out in order, each byte once, whatever the overlaps', () => {
    fc.assert(
      fc.property(fc.array(span, { maxLength: 30 }), (spans) => {
        const queue = new OutOfOrderQueue();
        const model = new Set<number>();
        for (const [start, length] of spans) {
          queue.insert(seq.add(BASE, start), piece(start, length));
          for (let i = start; i < start + length; i++) model.add(i);
        }
        expect(queue.bytes).toBe(model.size);
        for (let at = 0; at < 300; ) {
          const bytes = queue.take(seq.add(BASE, at));
          expect(bytes !== undefined).toBe(model.has(at));
          if (bytes === undefined) at++;
          else for (const byte of bytes) expect(byte).toBe(byteAt(at++));
        }
        expect(queue.bytes).toBe(0);
      }),
    );
  });

  test('are reported as disjoint blocks of what is there, the last one first', () => {
    fc.assert(
      fc.property(fc.array(span, { minLength: 1, maxLength: 30 }), (spans) => {
        const queue = new OutOfOrderQueue();
        const model = new Set<number>();
        for (const [start, length] of spans) {
          queue.insert(seq.add(BASE, start), piece(start, length));
          for (let i = start; i < start + length; i++) model.add(i);
        }
        const edges = new Uint32Array(8);
        queue.reported();
        const blocks = queue.sackBlocks(edges, 3);
        expect(blocks).toBeGreaterThan(0);
        const [last] = spans.at(-1)!;
        for (let i = 0; i < blocks; i++) {
          const left = seq.distance(edges[2 * i]!, BASE);
          const right = seq.distance(edges[2 * i + 1]!, BASE);
          if (i === 0) expect(left <= last && last < right).toBe(true);
          for (let at = left; at < right; at++) expect(model.has(at)).toBe(true);
          expect(model.has(left - 1) || model.has(right)).toBe(false);
        }
      }),
    );
  });

  test('that came before are reported once, with the block that holds them (RFC 2883 section 4)', () => {
    const queue = new OutOfOrderQueue();
    const edges = new Uint32Array(8);
    queue.insert(10, piece(10, 20));
    queue.insert(15, piece(15, 5));
    expect(queue.sackBlocks(edges, 3)).toBe(2);
    expect([...edges.subarray(0, 4)]).toEqual([15, 20, 10, 30]);
    queue.reported();
    expect(queue.sackBlocks(edges, 3)).toBe(1);
    expect([...edges.subarray(0, 2)]).toEqual([10, 30]);
  });

  test('are bounded', () => {
    const queue = new OutOfOrderQueue();
    for (let i = 0; i < MAX_PIECES + 5; i++) queue.insert(2 * i, Uint8Array.of(1));
    expect([queue.bytes, queue.refused]).toEqual([MAX_PIECES, 5]);
  });
});

test('the send buffer is a queue of bytes, whatever the sizes', () => {
  const LIMIT = 10_000;
  const step = fc.tuple(fc.nat(9000), fc.nat(9000));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (plan) => {
      const buffer = new SendBuffer(LIMIT, new EventEngine({ random: () => 0 }));
      let written = 0;
      let released = 0;
      for (const [size, release] of plan) {
        const accepted = buffer.write(Uint8Array.from({ length: size }, (_, i) => written + i));
        expect(accepted).toBe(Math.min(size, LIMIT - (written - released)));
        written += accepted;
        const copy = new Uint8Array(buffer.length);
        buffer.copyTo(copy, 0, 0, buffer.length);
        expect(copy.every((byte, i) => byte === ((released + i) & 0xff))).toBe(true);
        const freed = Math.min(release, buffer.length);
        buffer.release(freed);
        released += freed;
      }
    }),
  );
});

test('the send buffer gives its memory back a second after it ran empty, unless it filled again', () => {
  const engine = new EventEngine({ random: () => 0 });
  const buffer = new SendBuffer(1 << 20, engine);
  const later = (seconds: number) => engine.enter(engine.nowUs + seconds * 1_000_000);
  const fill = () => buffer.write(new Uint8Array(1 << 20));
  fill();
  buffer.release(buffer.length);
  later(0.5);
  expect(buffer.capacityBytes).toBe(1 << 20);
  fill();
  later(2);
  expect([buffer.length, buffer.capacityBytes]).toEqual([1 << 20, 1 << 20]);
  buffer.release(buffer.length);
  later(0.9);
  expect(buffer.capacityBytes).toBe(1 << 20);
  later(1);
  expect(buffer.capacityBytes).toBe(0);
  expect(buffer.write(Uint8Array.of(1, 2, 3))).toBe(3);
});

describe('the retransmission time-out (RFC 6298 section 2)', () => {
  test('is 1 s, then the first measurement and four times its half, then smoothed', () => {
    const rto = new RetransmissionTimeout(0);
    expect(rto.currentUs).toBe(1_000_000);
    rto.measured(100_000);
    expect([rto.smoothedRttUs, rto.rttVariationUs, rto.currentUs]).toEqual([100_000, 50_000, 300_000]);
    rto.measured(200_000);
    expect([rto.smoothedRttUs, rto.rttVariationUs]).toEqual([112_500, 62_500]);
  });

  test('doubles with each expiry up to its bound, and starts again after progress', () => {
    const rto = new RetransmissionTimeout(200_000);
    rto.measured(1000);
    expect(rto.currentUs).toBe(200_000);
    for (let i = 0; i < 12; i++) rto.expired();
    expect(rto.currentUs).toBe(120_000_000);
    rto.progressed();
    expect(rto.currentUs).toBe(200_000);
  });
});

test('HalfSipHash: the known answer of the reference for the empty input', () => {
  expect(hashNothing(0x0302_0100, 0x0706_0504)).toBe(0x5b9f_35a9);
});
