import { describe, expect, it } from 'vitest';
import { FakeClock } from '../runtime/clock.ts';
import { WorkQueue, type WorkQueueOptions } from './work-queue.ts';

function createQueue(options: Partial<WorkQueueOptions<string>> = {}) {
  const clock = new FakeClock(0);
  const done: string[] = [];
  const queue = new WorkQueue<string>({
    clock,
    process: async (key) => void done.push(`${key}@${clock.monotonicMs()}`),
    ...options,
  });
  return { clock, done, queue };
}

describe('WorkQueue', () => {
  it('works on a key once, however often it was added', async () => {
    const { clock, done, queue } = createQueue({ gatherMs: 10 });
    queue.add('a');
    await clock.advance(5);
    queue.add('a');
    queue.add('b');
    await clock.advance(20);
    expect(done).toEqual(['a@10', 'b@15']);
    expect(queue.size).toBe(0);
  });

  it('starts in order, at most so many at a time, and never one key twice at once', async () => {
    const gates = new Map<string, () => void>();
    const started: string[] = [];
    const { clock, queue } = createQueue({
      concurrency: 2,
      process: (key) => {
        started.push(key);
        return new Promise((resolve) => gates.set(key, resolve));
      },
    });
    for (const key of ['a', 'b', 'c', 'a']) queue.add(key);
    await clock.advance(0);
    expect(started).toEqual(['a', 'b']);
    gates.get('b')?.();
    await clock.advance(0);
    expect(started).toEqual(['a', 'b', 'c']);
    gates.get('a')?.();
    await clock.advance(0);
    expect(started).toEqual(['a', 'b', 'c', 'a']);
  });

  it('keeps the distance between two starts of a key', async () => {
    const { clock, done, queue } = createQueue({ minIntervalMs: 100 });
    queue.add('a');
    await clock.advance(10);
    queue.add('a');
    await clock.advance(500);
    queue.add('a');
    await clock.advance(0);
    expect(done).toEqual(['a@0', 'a@100', 'a@510']);
  });

  it('retries failures ever later, and forgets them after a success', async () => {
    let failures = 3;
    const tried: number[] = [];
    const clock = new FakeClock(0);
    const queue = new WorkQueue<string>({
      clock,
      firstRetryMs: 10,
      lastRetryMs: 25,
      process: async () => {
        tried.push(clock.monotonicMs());
        if (failures-- > 0) throw new Error('not yet');
      },
    });
    queue.add('a');
    await clock.advance(1000);
    expect(tried).toEqual([0, 10, 30, 55]);
    failures = 1;
    queue.add('a');
    await clock.advance(1000);
    expect(tried.slice(4)).toEqual([1000, 1010]);
  });

  it('does pending work at the earlier of two times', async () => {
    const { clock, done, queue } = createQueue();
    queue.addAfter('a', 100);
    queue.addAfter('a', 40);
    queue.addAfter('a', 70);
    await clock.advance(200);
    expect(done).toEqual(['a@40']);
  });

  it('tells when it is idle, and drops what waits when it stops', async () => {
    const { clock, done, queue } = createQueue();
    queue.addAfter('a', 100);
    let idle = false;
    const waiting = queue.idle().then(() => {
      idle = true;
    });
    await clock.advance(50);
    expect(idle).toBe(false);
    queue.stop();
    await waiting;
    queue.add('b');
    await clock.advance(500);
    expect(done).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});
