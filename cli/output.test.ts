import { describe, expect, it } from 'vitest';
import { ageText, memoryText, tableText } from './output.ts';

describe('tableText', () => {
  it('aligns columns and leaves no blanks at the ends', () => {
    expect(
      tableText(
        ['NAME', 'X'],
        [
          ['a-long-name', '1'],
          ['b', '-'],
        ],
      ),
    ).toBe('NAME         X\na-long-name  1\nb            -');
  });

  it('has room for more rows than a call takes arguments', () => {
    const rows = Array.from({ length: 300_000 }, (_, i) => [`${i}`]);
    expect(tableText(['N'], rows).split('\n')).toHaveLength(300_001);
  });
});

describe('ageText', () => {
  it.each([
    [0, '0s'],
    [119_000, '119s'],
    [125_000, '2m5s'],
    [11 * 60_000, '11m'],
    [3 * 3_600_000 + 60_000, '3h1m'],
    [30 * 3_600_000, '30h'],
    [50 * 3_600_000, '2d2h'],
    [10 * 86_400_000, '10d'],
  ])('%d ms is %s', (ageMs, text) => {
    expect(ageText(ageMs)).toBe(text);
  });
});

describe('memoryText', () => {
  it('is in MiB, or a dash', () => {
    expect(memoryText(70 * 2 ** 20)).toBe('70 MiB');
    expect(memoryText(undefined)).toBe('-');
  });
});
