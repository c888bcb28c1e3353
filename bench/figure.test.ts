import { describe, expect, it } from 'vitest';
import { median, summarize } from './figure.ts';

describe('figures', () => {
  it('takes the middle of an odd and the mean of the middle two of an even number of repeats', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([1, 2, 3, 10])).toBe(2.5);
    expect(() => median([])).toThrow('no samples');
  });

  it('pairs repeats with the reference of the same round', () => {
    const figure = summarize({
      label: 'rtt',
      unit: 'us',
      samples: [10, 30],
      reference: { label: 'bare socket', samples: [10, 20] },
      goal: { compare: '<=', bound: 1.3, of: 'ratio' },
    });
    expect(figure.ratio).toBe(1.25);
    expect(figure.met).toBe(true);
    expect(figure.min).toBe(10);
    expect(figure.max).toBe(30);
  });

  it('refuses a ratio goal without a reference', () => {
    expect(() =>
      summarize({ label: 'x', unit: 's', samples: [1], goal: { compare: '>=', bound: 1, of: 'ratio' } }),
    ).toThrow('needs a reference');
  });
});
