/** Statistics of the random decisions, with fixed seeds: chi-square against the exact distribution, 99.9% bounds. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../shared/netstack/seeded-random.ts';
import { DISTRIBUTIONS, UNIMPAIRED } from '../../../shared/rules/impairment.ts';
import { Chance } from './chance.ts';
import { Jitter } from './jitter.ts';
import { Loss } from './loss.ts';

const SEEDS = [1, 2, 3, 20_260_101];
const DRAWS = 20_000;
/** Of 19 and of 1 degrees of freedom, exceeded once in a thousand times. */
const CHI_SQUARE_19 = 43.82;
const CHI_SQUARE_1 = 10.83;

function chiSquare(observed: readonly number[], expected: readonly number[]): number {
  return observed.reduce((sum, count, i) => sum + (count - expected[i]!) ** 2 / expected[i]!, 0);
}

/** How many of the draws fall into each of 20 parts that the distribution function makes equally likely. */
function twentieths(values: readonly number[], cumulative: (value: number) => number): number[] {
  const counts = new Array<number>(20).fill(0);
  for (const value of values) counts[Math.min(19, Math.floor(cumulative(value) * 20))]!++;
  return counts;
}

/** Abramowitz and Stegun 7.1.26: good to 1.5e-7. */
function normalCumulative(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * z);
  const tail =
    ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t * Math.exp(-z * z);
  return x >= 0 ? 1 - tail / 2 : tail / 2;
}

const CUMULATIVE = {
  uniform: (x: number) => (x + 1) / 2,
  normal: normalCumulative,
  pareto: (x: number) => 1 - (1.5 + x * (Math.sqrt(3) / 2)) ** -3,
};

describe.each(SEEDS)('with seed %i', (seed) => {
  test.each(['uniform', 'normal', 'pareto'] as const)('jitter is %s', (distribution) => {
    const jitter = new Jitter(seededRandom(seed));
    const impairment = { ...UNIMPAIRED, delayUs: 100_000, jitterUs: 1000, distribution };
    const values = Array.from({ length: DRAWS }, () => (jitter.delayUs(impairment) - 100_000) / 1000);
    const observed = twentieths(values, CUMULATIVE[distribution]);
    expect(chiSquare(observed, new Array(20).fill(DRAWS / 20))).toBeLessThan(CHI_SQUARE_19);
  });

  test('correlated jitter has the same distribution, and neighbours that are alike', () => {
    const jitter = new Jitter(seededRandom(seed));
    const impairment = { ...UNIMPAIRED, delayUs: 5000, jitterUs: 1000, delayCorrelation: 0.25 };
    const values = Array.from({ length: DRAWS }, () => jitter.delayUs(impairment) - 5000);
    const mean = values.reduce((sum, value) => sum + value, 0) / DRAWS;
    const product = values.slice(1).reduce((sum, value, i) => sum + (value - mean) * (values[i]! - mean), 0);
    const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    expect(mean).toBeCloseTo(0, -2);
    expect(square / DRAWS / (1000 ** 2 / 3)).toBeCloseTo(1, 1);
    expect(product / square).toBeCloseTo(0.25, 1);
  });

  test.each([0.01, 0.25, 0.9])('%f of the packets are hit, with correlation too', (probability) => {
    for (const correlation of [0, 0.25]) {
      const chance = new Chance(seededRandom(seed));
      const hits = Array.from({ length: DRAWS }, () => chance.hit(probability, correlation));
      const count = hits.filter(Boolean).length;
      // Alike neighbours make the count vary more, by (1 + c) / (1 - c).
      const spread = (1 + correlation) / (1 - correlation);
      const expected = [DRAWS * probability, DRAWS * (1 - probability)];
      expect(chiSquare([count, DRAWS - count], expected) / spread).toBeLessThan(CHI_SQUARE_1);
      const pairs = hits.slice(1).filter((hit, i) => hit && hits[i]).length;
      expect(Math.abs(pairs / count - probability - correlation * (1 - probability))).toBeLessThan(0.08);
    }
  });

  test('bursts: the share of losses and the length of a burst are those of Gilbert and Elliott', () => {
    const loss = new Loss(seededRandom(seed));
    const impairment = { ...UNIMPAIRED, burstLoss: { toBad: 0.02, toGood: 0.2, lossInBad: 1, lossInGood: 0 } };
    const lost = Array.from({ length: DRAWS }, () => loss.loses(impairment));
    const losses = lost.filter(Boolean).length;
    const bursts = lost.filter((each, i) => each && !lost[i - 1]).length;
    expect(losses / DRAWS).toBeGreaterThan(0.075);
    expect(losses / DRAWS).toBeLessThan(0.107); // 0.02 / 0.22 = 0.091
    expect(losses / bursts).toBeGreaterThan(4.3);
    expect(losses / bursts).toBeLessThan(5.7); // 1 / 0.2 = 5
  });
});

test('no distribution delays by less than nothing, or beyond four deviations', () => {
  for (const distribution of DISTRIBUTIONS) {
    const jitter = new Jitter(seededRandom(7));
    const impairment = { ...UNIMPAIRED, delayUs: 1000, jitterUs: 2000, distribution };
    const delays = Array.from({ length: DRAWS }, () => jitter.delayUs(impairment));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...delays)).toBeLessThanOrEqual(1000 + 4 * 2000);
  }
});

test('always and never are exact', () => {
  const chance = new Chance(seededRandom(1));
  for (let i = 0; i < 1000; i++) {
    expect(chance.hit(0, 0.5)).toBe(false);
    expect(chance.hit(1, 0)).toBe(true);
  }
});
