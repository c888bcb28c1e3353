import fc from 'fast-check';
import { expect, it } from 'vitest';
import { untilNextBeatMs } from './beat.ts';

it('those that started at any time beat together, once in each period', () => {
  fc.assert(
    fc.property(fc.nat(1e9), fc.nat(1e9), fc.integer({ min: 100, max: 60_000 }), (one, other, periodMs) => {
      const beat = (nowMs: number): number => nowMs + untilNextBeatMs(nowMs, periodMs);
      expect(Math.abs(beat(one) - beat(other)) % periodMs).toBe(0);
      expect(beat(beat(one)) - beat(one)).toBe(periodMs);
      // A timer that rang a little early does not make a beat of its own.
      expect(beat(beat(one) - 1) - beat(one)).toBe(periodMs);
    }),
  );
});
