import { describe, expect, it } from 'vitest';
import { BoundedRunner } from './bounded-runner.ts';
import { FakeClock } from './clock.ts';

function makeRunner(outcome: () => boolean = () => true) {
  const clock = new FakeClock();
  const runs: number[] = [];
  const runner = new BoundedRunner({
    clock,
    minIntervalMs: 1000,
    maxIntervalMs: 30_000,
    retryMs: 200,
    run: async () => {
      runs.push(clock.monotonicMs());
      return outcome();
    },
  });
  return { clock, runs, runner };
}

describe('bounded runner', () => {
  it('runs a first request at once and gathers those that come together', async () => {
    const { clock, runs, runner } = makeRunner();
    runner.request();
    runner.request();
    await clock.advance(0);
    expect(runs).toEqual([0]);
  });

  it('lets two runs follow each other and then keeps the interval', async () => {
    const { clock, runs, runner } = makeRunner();
    for (let i = 0; i < 30; i++) {
      runner.request();
      await clock.advance(100);
    }
    expect(runs.slice(0, 4)).toEqual([0, 100, 1000, 2000]);
  });

  it('runs at the latest after the longest interval', async () => {
    const { clock, runs, runner } = makeRunner();
    runner.request();
    await clock.advance(0);
    await clock.advance(29_999);
    expect(runs).toHaveLength(1);
    await clock.advance(1);
    expect(runs).toHaveLength(2);
  });

  it('tries again soon after a failure', async () => {
    let attempts = 0;
    const { clock, runs, runner } = makeRunner(() => ++attempts > 1);
    runner.request();
    await clock.advance(0);
    await clock.advance(200);
    expect(runs).toEqual([0, 200]);
  });

  it('does nothing after it was stopped', async () => {
    const { clock, runs, runner } = makeRunner();
    runner.stop();
    runner.request();
    await clock.advance(60_000);
    expect(runs).toEqual([]);
  });
});
