import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EventEngine } from '../../../shared/netstack/event-engine.ts';
import { type ImpairmentChange, mergeImpairment, UNIMPAIRED } from '../../../shared/rules/impairment.ts';
import { PacketMemory } from '../../../shared/wire/packet-memory.ts';
import { FaultQueue } from './fault-queue.ts';
import { FRAMES } from './framing.ts';
import { HoldingBound } from './holding-bound.ts';

const memory = new PacketMemory({ smallSlots: 4096, largeSlots: 1 });

interface Arrival {
  readonly number: number;
  readonly atUs: number;
}

/** A queue in virtual time; packets are numbered, and what comes out is noted with its time. */
class Bench {
  readonly engine = new EventEngine({ random: () => 0.5 });
  readonly arrivals: Arrival[] = [];
  readonly batches: number[] = [];
  readonly dropped: string[] = [];
  readonly bound = new HoldingBound(memory);
  readonly queue: FaultQueue;
  private sent = 0;

  constructor(change: ImpairmentChange, seed = 1) {
    this.engine.enter(1_000_000);
    this.queue = new FaultQueue({
      engine: this.engine,
      memory,
      bound: this.bound,
      seed,
      where: 'link a -> b',
      framing: FRAMES,
      observer: {
        tracer: null,
        dropped: (packet, reason) => this.dropped.push(`${memory.view.getUint32(packet.offset)} ${reason.code}`),
      },
      output: (packets) => {
        this.batches.push(packets.length);
        for (const packet of packets) {
          this.arrivals.push({ number: memory.view.getUint32(packet.offset), atUs: this.engine.nowUs - 1_000_000 });
          memory.free(packet);
        }
      },
    });
    this.change(change);
  }

  get numbers(): number[] {
    return this.arrivals.map(({ number }) => number);
  }

  change(change: ImpairmentChange): void {
    this.queue.impairment = mergeImpairment(this.queue.impairment, change);
  }

  send(count: number, bytes = 100): void {
    const packets = Array.from({ length: count }, () => {
      const packet = memory.allocate(bytes)!;
      memory.view.setUint32(packet.offset, this.sent++);
      return packet;
    });
    this.queue.enqueueAll(packets);
    this.engine.drain();
  }

  /** So many packets one by one, this far apart. */
  stream(count: number, gapUs: number, bytes = 100): void {
    for (let i = 0; i < count; i++) {
      this.send(1, bytes);
      this.run(gapUs);
    }
  }

  run(us: number): void {
    const end = this.engine.nowUs + us;
    for (let next = this.engine.nextDeadlineUs(); next <= end; next = this.engine.nextDeadlineUs()) {
      this.engine.enter(next);
      this.engine.drain();
    }
    this.engine.enter(end);
    this.engine.drain();
  }

  finish(): void {
    this.run(1e9);
    expect(this.queue.counters.waiting).toBe(0);
    expect(this.bound.held).toBe(0);
    expect(memory.inUse).toBe(0);
  }
}

describe('delay', () => {
  test('is exact, keeps the order, and releases a batch as a batch', () => {
    const bench = new Bench({ delayUs: 20_000 });
    bench.send(3);
    bench.run(5);
    bench.send(2);
    bench.finish();
    expect(bench.arrivals).toEqual([
      ...[0, 1, 2].map((number) => ({ number, atUs: 20_000 })),
      ...[3, 4].map((number) => ({ number, atUs: 20_005 })),
    ]);
    expect(bench.batches).toEqual([3, 2]);
    expect(bench.queue.counters).toMatchObject({ passed: 5, delayed: 5, dropped: {} });
  });

  test('packets leave in the order of their times, those of one time as they came', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 0, max: 3000 }), fc.nat(20), (seed, jitterUs, gapUs) => {
        const bench = new Bench({ delayUs: 3000, jitterUs }, seed);
        bench.stream(50, gapUs);
        bench.finish();
        const times = bench.arrivals.map(({ atUs }) => atUs);
        expect(times).toEqual([...times].sort((a, b) => a - b));
        expect(bench.numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
        if (jitterUs === 0) expect(bench.numbers).toEqual(bench.numbers.toSorted((a, b) => a - b));
      }),
      { numRuns: 100 },
    );
  });

  test('with keepOrder no jitter lets one packet overtake another', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const bench = new Bench({ delayUs: 5000, jitterUs: 4000, distribution: 'normal', keepOrder: true }, seed);
        bench.stream(100, 100);
        bench.finish();
        expect(bench.numbers).toEqual(Array.from({ length: 100 }, (_, i) => i));
      }),
      { numRuns: 50 },
    );
  });

  test('a node holds no more than its bound', () => {
    const bench = new Bench({ delayUs: 1000 });
    bench.send(2050);
    bench.finish();
    expect(bench.arrivals).toHaveLength(2048);
    expect(bench.dropped).toEqual(['2048 link-queue-full', '2049 link-queue-full']);
  });
});

describe('loss, duplication and partition', () => {
  test('a partition passes nothing and names itself', () => {
    const bench = new Bench({ partition: true, delayUs: 10 });
    bench.send(2);
    bench.finish();
    expect(bench.arrivals).toEqual([]);
    expect(bench.dropped).toEqual(['0 link-partition', '1 link-partition']);
    expect(bench.queue.counters.dropped).toEqual({ 'link-partition': 2 });
  });

  test('a duplicate follows its original', () => {
    const bench = new Bench({ duplicate: 1 });
    bench.send(3);
    bench.finish();
    expect(bench.numbers).toEqual([0, 0, 1, 1, 2, 2]);
    expect(bench.queue.counters).toMatchObject({ passed: 6, duplicated: 3, delayed: 0 });
  });

  test('the same seed and packets meet the same fate, another seed another one', () => {
    const fate = (seed: number): unknown => {
      const change = { delayUs: 500, jitterUs: 400, loss: 0.2, duplicate: 0.1, reorder: 0.1, lossCorrelation: 0.3 };
      const bench = new Bench(change, seed);
      bench.stream(300, 50);
      bench.finish();
      return { arrivals: bench.arrivals, dropped: bench.dropped };
    };
    expect(fate(42)).toEqual(fate(42));
    expect(fate(42)).not.toEqual(fate(43));
  });

  test('which packets are lost, repeated and damaged does not depend on when they come', () => {
    const fate = (gapUs: number): unknown => {
      const bench = new Bench({ delayUs: 200, jitterUs: 100, loss: 0.1, duplicate: 0.1, corrupt: 0.1 }, 3);
      bench.stream(300, gapUs);
      bench.finish();
      const { duplicated, corrupted, passed } = bench.queue.counters;
      return {
        numbers: bench.numbers.toSorted((a, b) => a - b),
        dropped: bench.dropped,
        duplicated,
        corrupted,
        passed,
      };
    };
    expect(fate(1)).toEqual(fate(777));
  });

  test('reseeding starts the decisions anew', () => {
    const bench = new Bench({ loss: 0.5 }, 9);
    bench.send(64);
    const first = bench.numbers;
    bench.queue.reseed(9);
    bench.send(64);
    bench.finish();
    expect(bench.numbers.slice(first.length).map((number) => number - 64)).toEqual(first);
  });
});

describe('reordering', () => {
  test('sends every gap-th packet at once', () => {
    const bench = new Bench({ delayUs: 1000, reorder: 1, reorderGap: 3 });
    bench.stream(6, 10);
    bench.finish();
    expect(bench.numbers).toEqual([2, 5, 0, 1, 3, 4]);
    expect(bench.queue.counters).toMatchObject({ reordered: 2, delayed: 4, passed: 6 });
  });
});

describe('rate', () => {
  test('spaces packets by their length', () => {
    const bench = new Bench({ rateBitsPerSecond: 8_000_000, delayUs: 50 });
    bench.send(3, 1000);
    bench.finish();
    expect(bench.arrivals.map(({ atUs }) => atUs)).toEqual([1050, 2050, 3050]);
  });

  test('drops at the tail of the queue, by packets', () => {
    const bench = new Bench({ rateBitsPerSecond: 8_000_000, limitPackets: 2 });
    bench.send(5, 1000);
    bench.run(1000);
    bench.send(2, 1000);
    bench.finish();
    expect(bench.numbers).toEqual([0, 1, 2, 5]);
    expect(bench.dropped).toEqual(['3 link-queue-full', '4 link-queue-full', '6 link-queue-full']);
  });

  test('drops at the tail of the queue, by bytes', () => {
    const bench = new Bench({ rateBitsPerSecond: 8_000_000, limitBytes: 1500 });
    bench.send(4, 1000);
    bench.finish();
    expect(bench.numbers).toEqual([0, 1]);
  });

  test('a long stream gets the rate and never has more waiting than the limit', () => {
    const bench = new Bench({ rateBitsPerSecond: 8_000_000, limitPackets: 10 });
    for (let i = 0; i < 500; i++) {
      bench.send(1, 1000);
      bench.run(500);
      expect(bench.queue.counters.waiting).toBeLessThanOrEqual(11);
    }
    bench.finish();
    expect(bench.arrivals.length).toBe(250 + 10);
  });
});

describe('changes while packets wait', () => {
  test('flush lets go of everything in order', () => {
    const bench = new Bench({ delayUs: 1000, jitterUs: 900 }, 5);
    bench.send(20);
    bench.queue.flush();
    expect(bench.numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    bench.finish();
  });

  test('discard frees everything', () => {
    const bench = new Bench({ delayUs: 1000 });
    bench.send(20);
    bench.queue.discard();
    bench.finish();
    expect(bench.arrivals).toEqual([]);
  });

  test('a shorter delay may let later packets overtake; nothing is lost', () => {
    const bench = new Bench({ delayUs: 1000 });
    bench.send(1);
    bench.change({ delayUs: 10 });
    bench.send(1);
    bench.finish();
    expect(bench.arrivals).toEqual([
      { number: 1, atUs: 10 },
      { number: 0, atUs: 1000 },
    ]);
    expect(UNIMPAIRED.delayUs).toBe(0);
  });
});
