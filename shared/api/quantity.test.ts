import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  quantityMilli,
  quantityValue,
} from './quantity.ts';

describe('quantities', () => {
  test.each([
    ['0', '0'],
    ['0.5', '500m'],
    ['1000m', '1'],
    ['1024Mi', '1Gi'],
    ['1500Mi', '1500Mi'],
    ['1000', '1k'],
    ['1.5Gi', '1536Mi'],
    ['100Ki', '100Ki'],
    ['0.5Ki', '512'],
    ['1e3', '1e3'],
    ['12e6', '12e6'],
    ['1E', '1E'],
    ['-1.5', '-1500m'],
    ['.5', '500m'],
    ['5.', '5'],
    ['0.0000000001', '1n'],
    ['1e-12', '1e-9'],
  ])('%s is %s', (text, canonical) => {
    expect(formatQuantity(parseQuantity(text)!)).toBe(canonical);
  });

  test.each(['', '.', 'Gi', '1GB', '1 Gi', '--1', '1e', '1ki', 'x'])('%s is no quantity', (text) => {
    expect(parseQuantity(text)).toBeUndefined();
  });

  test('huge exponents are capped, not computed', () => {
    expect(formatQuantity(parseQuantity('1e999999999')!)).toBe('9223372036854775807');
    expect(parseQuantity('1e-999999999')!.nano).toBe(1n);
  });

  test('the canonical text keeps the amount', () => {
    const suffix = fc.constantFrom('', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi', 'e3');
    fc.assert(
      fc.property(fc.integer({ min: -1e6, max: 1e6 }), suffix, (number, unit) => {
        const quantity = parseQuantity(`${number}${unit}`)!;
        const text = formatQuantity(quantity);
        expect(compareQuantities(parseQuantity(text)!, quantity)).toBe(0);
        expect(formatQuantity(parseQuantity(text)!)).toBe(text);
      }),
    );
  });

  test('sums and roundings', () => {
    expect(formatQuantity(addQuantities(parseQuantity('500m')!, parseQuantity('1')!))).toBe('1500m');
    expect(quantityMilli(parseQuantity('0.1')!)).toBe(100);
    expect(quantityMilli(parseQuantity('1n')!)).toBe(1);
    expect(quantityValue(parseQuantity('1Ki')!)).toBe(1024);
  });
});
