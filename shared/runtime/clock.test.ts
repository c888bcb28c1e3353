import { describe, expect, it } from 'vitest';
import { FakeClock } from './clock.ts';

describe('FakeClock', () => {
  it('runs timers in order of their time, then of their making', async () => {
    const clock = new FakeClock(0);
    const ran: string[] = [];
    clock.setTimer(20, () => ran.push(`b@${clock.nowMs()}`));
    clock.setTimer(10, () => ran.push(`a@${clock.nowMs()}`));
    clock.setTimer(20, () => ran.push(`c@${clock.nowMs()}`));
    clock.setTimer(30, () => ran.push('late'));
    await clock.advance(20);
    expect(ran).toEqual(['a@10', 'b@20', 'c@20']);
    expect(clock.pendingTimers).toBe(1);
  });

  it('runs timers that are set while it advances, and none that were cancelled', async () => {
    const clock = new FakeClock(0);
    const ran: number[] = [];
    const again = (): void => {
      ran.push(clock.nowMs());
      clock.setTimer(5, again);
    };
    clock.setTimer(5, again);
    clock.setTimer(7, () => ran.push(-1)).cancel();
    await clock.advance(16);
    expect(ran).toEqual([5, 10, 15]);
  });

  it('ends a sleep early when its signal is aborted', async () => {
    const clock = new FakeClock(0);
    const controller = new AbortController();
    let woken = false;
    const sleeping = clock.sleep(1000, controller.signal).then(() => {
      woken = true;
    });
    await clock.advance(10);
    expect(woken).toBe(false);
    controller.abort();
    await sleeping;
    expect(clock.pendingTimers).toBe(0);
  });
});
