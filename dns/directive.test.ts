import { describe, expect, it } from 'vitest';
import type { Directive } from './corefile.ts';
import { durationWord } from './directive.ts';
import { parseCacheOptions } from './plugins/cache/options.ts';

function line(name: string, words: readonly string[], block?: readonly Directive[]): Directive {
  return { file: 'Corefile', line: 1, name, words, block };
}

describe('words of a directive', () => {
  it.each([
    ['0', 0],
    ['5s', 5000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['100us', 0.1],
    ['2.s', 2000],
  ])('%s is a duration', (text, expectedMs) => {
    expect(durationWord(line('servfail', [text]), 0)).toBeCloseTo(expectedMs);
  });

  it.each(['5', '', 's', '-5s', '5 s', '5d', '.s'])('%j is none', (text) => {
    expect(() => durationWord(line('servfail', [text]), 0)).toThrow(`a duration such as 5s instead of '${text}'`);
  });
});

describe('the time of the cache', () => {
  it.each([
    [[], 3600, 1800],
    [['30'], 30, 30],
    [['7200'], 7200, 7200],
  ])('%j: answers %i s, denials %i s at most', (words, success, denial) => {
    const options = parseCacheOptions(line('cache', words), ['']);
    expect([options.success.maxTtlSeconds, options.denial.maxTtlSeconds]).toEqual([success, denial]);
  });

  it('of each table may be its own, and failures need not be kept', () => {
    const block = [line('denial', ['9984', '5']), line('servfail', ['0'])];
    expect(parseCacheOptions(line('cache', ['30'], block), [''])).toMatchObject({
      success: { maxTtlSeconds: 30 },
      denial: { maxTtlSeconds: 5 },
      servfailMs: 0,
    });
  });
});
