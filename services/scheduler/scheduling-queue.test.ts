import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../shared/runtime/clock.ts';
import { SchedulingQueue } from './scheduling-queue.ts';

function queue(clock = new FakeClock()) {
  let active = 0;
  const one = new SchedulingQueue({ clock, onActive: () => active++ });
  return { clock, queue: one, taken: () => one.take()?.uid, activations: () => active };
}

describe('scheduling queue', () => {
  it('gives out pods by priority, then by arrival, each once', () => {
    const { queue: one, taken } = queue();
    one.add('a', 0);
    one.add('b', 10);
    one.add('c', 0);
    one.add('a', 0);
    expect([taken(), taken(), taken(), taken()]).toEqual(['b', 'a', 'c', undefined]);
  });

  it('tries an unschedulable pod again when the cluster changed, after its back-off', async () => {
    const { clock, queue: one, taken } = queue();
    one.putBack('a', 0, 0, 'unschedulable');
    await clock.advance(60_000);
    expect(taken()).toBeUndefined();
    one.clusterChanged();
    expect(taken()).toBe('a');
    one.putBack('a', 0, 1, 'unschedulable');
    one.clusterChanged();
    expect(taken()).toBeUndefined();
    await clock.advance(2000);
    expect(taken()).toBe('a');
  });

  it('tries it again after five minutes even when nothing changed', async () => {
    const { clock, queue: one, taken } = queue();
    one.putBack('a', 0, 0, 'unschedulable');
    await clock.advance(300_000);
    expect(taken()).toBe('a');
  });

  it('backs off twice as long after each failed binding, ten seconds at most', async () => {
    const { clock, queue: one, taken } = queue();
    for (const [attempts, delayMs] of [
      [0, 1000],
      [1, 2000],
      [2, 4000],
      [5, 10_000],
    ] as const) {
      one.putBack('a', 0, attempts, 'error');
      await clock.advance(delayMs - 1);
      expect(taken()).toBeUndefined();
      await clock.advance(1);
      expect(taken()).toBe('a');
    }
  });

  it('forgets a pod that was deleted', async () => {
    const { clock, queue: one, taken } = queue();
    one.add('a', 0);
    one.remove('a');
    one.putBack('b', 0, 0, 'error');
    one.remove('b');
    await clock.advance(60_000);
    expect(taken()).toBeUndefined();
    expect(one.size).toBe(0);
  });
});
