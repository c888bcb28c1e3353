import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PacketMemory } from '../wire/packet-memory.ts';
import { Alarm } from './alarm.ts';
import { EventEngine } from './event-engine.ts';
import { TimerHeap } from './timer-heap.ts';

const memory = new PacketMemory({ smallSlots: 64, largeSlots: 1 });
const engineAt0 = (backlogFrames?: number): EventEngine => new EventEngine({ random: () => 0.5, backlogFrames });

describe('timers', () => {
  test('run in the order of their deadlines, equal ones in the order they were set', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.boolean()), { maxLength: 400 }), (plan) => {
        const heap = new TimerHeap();
        const ran: number[] = [];
        const handles = plan.map(([deadline], index) => heap.add(deadline, () => ran.push(index)));
        plan.forEach(([, cancelled], index) => {
          if (cancelled) handles[index]!.cancel();
        });
        const expected = plan
          .map(([deadline, cancelled], index) => ({ deadline, cancelled, index }))
          .filter(({ cancelled }) => !cancelled)
          .sort((a, b) => a.deadline - b.deadline || a.index - b.index);
        expect(heap.pending).toBe(expected.length);
        expect(heap.nextDeadlineUs()).toBe(expected[0]?.deadline ?? Number.POSITIVE_INFINITY);
        heap.run(25);
        heap.run(50);
        expect(ran).toEqual(expected.map(({ index }) => index));
        expect(heap.pending).toBe(0);
      }),
    );
  });

  test('many cancelled ones do not stay', () => {
    const heap = new TimerHeap();
    const handles = Array.from({ length: 10_000 }, (_, i) => heap.add(i, () => undefined));
    for (const handle of handles.slice(1)) handle.cancel();
    expect(heap.pending).toBe(1);
    expect(heap.nextDeadlineUs()).toBe(0);
  });

  test('time does not go back, and nothing runs before its deadline', () => {
    const engine = engineAt0();
    let ran = 0;
    engine.schedule(100, () => ran++);
    engine.enter(99);
    expect(ran).toBe(0);
    engine.enter(50);
    expect(engine.nowUs).toBe(99);
    engine.enter(100);
    expect(ran).toBe(1);
  });
});

describe('an alarm', () => {
  test('moved later keeps one timer and rings once, at the last time set', () => {
    const engine = engineAt0();
    const rang: number[] = [];
    const alarm = new Alarm(engine, () => rang.push(engine.nowUs));
    alarm.set(10);
    alarm.set(30);
    for (const now of [10, 20, 30, 40]) engine.enter(now);
    expect(rang).toEqual([30]);
  });

  test('moved earlier rings earlier; cleared, not at all', () => {
    const engine = engineAt0();
    const rang: number[] = [];
    const alarm = new Alarm(engine, () => rang.push(engine.nowUs));
    alarm.set(30);
    alarm.set(10);
    engine.enter(10);
    alarm.set(20);
    alarm.clear();
    engine.enter(40);
    expect(rang).toEqual([10]);
    expect(alarm.isSet).toBe(false);
  });
});

describe('the backlog', () => {
  test('hands over in order, also what arrives meanwhile, and never nests', () => {
    const engine = engineAt0();
    const order: string[] = [];
    let depth = 0;
    const receiver = (name: string, then?: () => void) => ({
      receive(): void {
        expect(++depth).toBe(1);
        order.push(name);
        then?.();
        engine.enter(engine.nowUs + 1000);
        engine.drain();
        depth--;
      },
    });
    const frame = memory.allocate(64)!;
    engine.enqueue(
      receiver('a', () => engine.enqueue(receiver('c'), frame)),
      frame,
    );
    engine.enqueue(receiver('b'), frame);
    engine.drain();
    expect(order).toEqual(['a', 'b', 'c']);
  });

  test('is bounded and counts what it refuses', () => {
    const engine = engineAt0(4);
    const frame = memory.allocate(64)!;
    const accepted = Array.from({ length: 6 }, () => engine.enqueue({ receive: () => undefined }, frame));
    expect(accepted).toEqual([true, true, true, true, false, false]);
    expect(engine.backlogDrops).toBe(2);
  });

  test('keeps the order of frames while it grows up to its bound', () => {
    const engine = engineAt0(4096);
    const frame = memory.allocate(64)!;
    const received: number[] = [];
    let sent = 0;
    const send = (count: number): void => {
      for (let i = 0; i < count; i++) {
        const number = sent++;
        engine.enqueue({ receive: () => received.push(number) }, frame);
      }
    };
    // The ring's end is in the middle of what it holds when it grows.
    send(300);
    engine.drain();
    send(3000);
    engine.enqueue({ receive: () => send(1000) }, frame);
    engine.drain();
    expect(received).toEqual(Array.from({ length: 4300 }, (_, i) => i));
    send(4097);
    expect(engine.backlogDrops).toBe(1);
  });

  test('a flush runs once, after the frames of the turn', () => {
    const engine = engineAt0();
    const order: string[] = [];
    engine.onTurnEnd(() => order.push('flush'));
    engine.enqueue({ receive: () => order.push('frame') }, memory.allocate(64)!);
    engine.drain();
    engine.drain();
    expect(order).toEqual(['frame', 'flush']);
  });

  test('a receiver that throws does not leave the engine inside itself', () => {
    const engine = engineAt0();
    const frame = memory.allocate(64)!;
    let received = 0;
    const broken = (): void => {
      throw new Error('a bug');
    };
    engine.enqueue({ receive: broken }, frame);
    engine.enqueue({ receive: () => received++ }, frame);
    expect(() => engine.drain()).toThrow('a bug');
    engine.drain();
    expect(received).toBe(1);
  });
});
