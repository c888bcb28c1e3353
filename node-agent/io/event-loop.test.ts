import { describe, expect, it, vi } from 'vitest';
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import { EventLoop, monotonicUs } from './event-loop.ts';

function started() {
  const engine = new EventEngine({ random: () => 0.5 });
  return { engine, loop: new EventLoop(engine) };
}

describe('EventLoop', () => {
  it.each([300, 2500, 30_000])('runs a timer of %i us not before its time', async (waitUs) => {
    const { engine, loop } = started();
    let ranUs = 0;
    let dueUs = 0;
    loop.run(() => {
      dueUs = engine.nowUs + waitUs;
      engine.schedule(dueUs, () => {
        ranUs = monotonicUs();
      });
    });
    await vi.waitUntil(() => ranUs > 0, { interval: 1 });
    expect(ranUs).toBeGreaterThanOrEqual(dueUs);
    loop.close();
  });

  it('moves the real timer forward for an earlier deadline', async () => {
    const { engine, loop } = started();
    const order: string[] = [];
    loop.run(() => engine.schedule(engine.nowUs + 40_000, () => order.push('late')));
    loop.run(() => engine.schedule(engine.nowUs + 1500, () => order.push('early')));
    await vi.waitUntil(() => order.length === 2);
    expect(order).toEqual(['early', 'late']);
    loop.close();
  });

  it('drains within the call and gives its result; nested calls join the turn', () => {
    const { engine, loop } = started();
    let flushed = 0;
    const result = loop.run(() => {
      engine.onTurnEnd(() => flushed++);
      loop.run(() => engine.onTurnEnd(() => flushed++));
      return 7;
    });
    expect([result, flushed]).toEqual([7, 2]);
    loop.close();
  });

  it('a nested call leaves the draining to the outer one, also when it throws', () => {
    const { engine, loop } = started();
    let flushed = 0;
    loop.run(() => {
      engine.onTurnEnd(() => flushed++);
      expect(() =>
        loop.run(() => {
          throw new Error('from a program');
        }),
      ).toThrow('from a program');
      expect(flushed).toBe(0);
    });
    expect(flushed).toBe(1);
    loop.close();
  });

  it('spins before a precise deadline, and meets it between two milliseconds', () => {
    vi.useFakeTimers();
    let nowUs = 0;
    const engine = new EventEngine({ random: () => 0.5 });
    const loop = new EventLoop(engine, () => {
      nowUs += 50; // what a turn takes
      return nowUs;
    });
    let ranUs = 0;
    loop.run(() =>
      engine.schedule(20_500, () => {
        ranUs = engine.nowUs;
      }),
    );
    loop.preciseDeadlineUs = () => (ranUs === 0 ? 20_500 : Number.POSITIVE_INFINITY);
    loop.run(() => undefined);
    nowUs = 18_000; // the spin begins at 19.0; from 0.2 on, that is a timer of 18 ms
    vi.advanceTimersByTime(18);
    vi.advanceTimersByTime(100); // turns of the spin
    expect(ranUs).toBeGreaterThanOrEqual(20_500);
    expect(ranUs).toBeLessThan(20_700);
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  it('does not fire once closed', () => {
    vi.useFakeTimers();
    const { engine, loop } = started();
    let ran = false;
    loop.run(() =>
      engine.schedule(engine.nowUs + 5000, () => {
        ran = true;
      }),
    );
    loop.close();
    vi.runAllTimers();
    vi.useRealTimers();
    expect(ran).toBe(false);
  });
});
