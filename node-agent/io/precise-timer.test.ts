import { describe, expect, it, vi } from 'vitest';
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import { waitFor } from '../../test/wait-for.ts';
import { EventLoop, monotonicUs } from './event-loop.ts';
import { openPreciseTimer, type PreciseTimer } from './precise-timer.ts';

const missing = await openPreciseTimer().then(
  (timer) => timer.close(),
  (error: Error) => error.message,
);
if (missing !== undefined) process.stderr.write(`precise timer: skipped: ${missing}\n`);

describe.skipIf(missing !== undefined)('a precise timer', () => {
  it('is due once, not before its time, and takes a new deadline in place of the old one', async () => {
    const timer = await openPreciseTimer();
    const dueUs: number[] = [];
    timer.onDue = () => dueUs.push(monotonicUs());
    timer.set(monotonicUs() + 60_000_000);
    const firstUs = monotonicUs() + 1500;
    timer.set(firstUs);
    await waitFor('the deadline', () => dueUs.length > 0);
    // Both clocks are the same, but for the microsecond in which one was read.
    expect(dueUs[0]).toBeGreaterThanOrEqual(firstUs - 2);
    timer.set(monotonicUs() - 1);
    await waitFor('a deadline that is over', () => dueUs.length > 1);
    expect(dueUs).toHaveLength(2);
    timer.close();
  });

  it('raises what its listener throws where uncaught errors are seen', async () => {
    const timer = await openPreciseTimer();
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const raised = new Promise<Error>((resolve) => process.once('uncaughtException', resolve));
    timer.onDue = () => {
      throw new Error('from a turn');
    };
    timer.set(monotonicUs());
    expect((await raised).message).toBe('from a turn');
    for (const listener of listeners) process.on('uncaughtException', listener);
    timer.close();
  });
});

it('a loop with a precise timer sets it for precise deadlines, and spins for none', () => {
  vi.useFakeTimers();
  let nowUs = 0;
  const engine = new EventEngine({ random: () => 0.5 });
  const loop = new EventLoop(engine, () => nowUs);
  const timer = { onDue: null as (() => void) | null, set: vi.fn(), close: vi.fn() } satisfies PreciseTimer;
  loop.usePreciseTimer(timer);
  const ranUs: number[] = [];
  loop.preciseDeadlineUs = () => (ranUs.length === 0 ? 20_500 : Number.POSITIVE_INFINITY);
  loop.run(() => engine.schedule(20_500, () => ranUs.push(engine.nowUs)));
  loop.run(() => undefined);
  expect(timer.set.mock.calls).toEqual([[20_500]]);
  expect(vi.getTimerCount()).toBe(0);
  loop.run(() => engine.schedule(5000, () => undefined));
  expect(vi.getTimerCount()).toBe(1); // an ordinary deadline before it
  nowUs = 20_500;
  timer.onDue?.();
  expect(ranUs).toEqual([20_500]);
  loop.close();
  expect(timer.close).toHaveBeenCalledOnce();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});
