import { describe, expect, it } from 'vitest';
import { nameSuffix, seededRandom, systemRandom } from './random.ts';

describe('seededRandom', () => {
  it('repeats for the same seed and differs for another', () => {
    const take = (seed: number): number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 8 }, () => random.next());
    };
    expect(take(7)).toEqual(take(7));
    expect(take(7)).not.toEqual(take(8));
  });

  it('is uniform enough: each tenth gets a tenth', () => {
    const random = seededRandom(1);
    const tenths = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) {
      const tenth = random.integer(0, 10);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    for (const count of tenths) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });
});

describe('nameSuffix', () => {
  it('is five characters of the alphabet', () => {
    expect(nameSuffix(systemRandom)).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    expect(nameSuffix(seededRandom(3))).toBe(nameSuffix(seededRandom(3)));
  });
});
