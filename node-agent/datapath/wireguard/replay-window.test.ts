import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REPLAY_WINDOW, ReplayWindow } from './replay-window.ts';

function take(window: ReplayWindow, counter: number): boolean {
  if (!window.isNew(counter)) return false;
  window.note(counter);
  return true;
}

describe('the replay window', () => {
  it('takes each counter once, in any order within it', () => {
    const window = new ReplayWindow();
    for (const counter of [0, 5, 3, 1, REPLAY_WINDOW + 4]) expect(take(window, counter)).toBe(true);
    for (const counter of [0, 5, 3, 1]) expect(take(window, counter)).toBe(false);
    expect(take(window, 6)).toBe(true);
  });

  it('takes none that is too old, and forgets all at a long leap', () => {
    const window = new ReplayWindow();
    take(window, 10_000_000);
    expect(take(window, 10_000_000 - REPLAY_WINDOW)).toBe(false);
    expect(take(window, 10_000_000 - REPLAY_WINDOW + 1)).toBe(true);
    expect(take(window, 2 ** 40)).toBe(true);
    expect(take(window, 2 ** 40 - 1)).toBe(true);
    expect(take(window, 10_000_000)).toBe(false);
  });

  it('is what a set of all counters and the highest of them would say', () => {
    const counters = fc.array(fc.nat(3 * REPLAY_WINDOW), { minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(counters, (sequence) => {
        const window = new ReplayWindow();
        const seen = new Set<number>();
        let highest = -1;
        for (const counter of sequence) {
          const fresh = counter > highest || (highest - counter < REPLAY_WINDOW && !seen.has(counter));
          expect(take(window, counter)).toBe(fresh);
          if (fresh) seen.add(counter);
          highest = Math.max(highest, fresh ? counter : highest);
        }
      }),
    );
  });
});
