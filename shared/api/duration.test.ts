import { describe, expect, test } from 'vitest';
import { formatGoDuration, humanDuration, parseGoDuration } from './duration.ts';
import { scaledCount } from './int-or-string.ts';
import { normalizeMicroTimestamp, normalizeTimestamp } from './timestamp.ts';

const S = 1000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;

describe('ages', () => {
  test.each([
    [-5 * S, '<invalid>'],
    [-1 * S, '0s'],
    [0, '0s'],
    [119 * S, '119s'],
    [120 * S, '2m'],
    [125 * S, '2m5s'],
    [10 * M, '10m'],
    [179 * M, '179m'],
    [3 * H, '3h'],
    [3 * H + 5 * M, '3h5m'],
    [8 * H + 5 * M, '8h'],
    [47 * H, '47h'],
    [2 * D, '2d'],
    [2 * D + 3 * H, '2d3h'],
    [8 * D + 3 * H, '8d'],
    [729 * D, '729d'],
    [730 * D, '2y'],
    [735 * D, '2y5d'],
    [3000 * D, '8y'],
  ])('%d ms is %s', (durationMs, text) => {
    expect(humanDuration(durationMs)).toBe(text);
  });
});

test.each([
  ['1h30m', 5400e9, '1h30m0s'],
  ['1.5s', 1.5e9, '1.5s'],
  ['20ms', 20e6, '20ms'],
  ['0', 0, '0s'],
  ['-5m', -300e9, '-5m0s'],
])('Go duration %s', (text, ns, canonical) => {
  expect(parseGoDuration(text)).toBe(ns);
  expect(formatGoDuration(ns)).toBe(canonical);
});

test('what is no duration', () => {
  for (const text of ['', '5', 'm', '5 m', '1h-1m']) expect(parseGoDuration(text)).toBeUndefined();
});

test('times take the form of the API', () => {
  expect(normalizeTimestamp('2026-01-31T09:00:00.5+01:00')).toBe('2026-01-31T08:00:00Z');
  expect(normalizeMicroTimestamp('2026-01-31T08:00:00.1234567Z')).toBe('2026-01-31T08:00:00.123456Z');
  expect(normalizeMicroTimestamp('2026-01-31T08:00:00Z')).toBe('2026-01-31T08:00:00.000000Z');
  expect(normalizeTimestamp('yesterday')).toBeUndefined();
  expect(normalizeTimestamp('2026-13-45T99:00:00Z')).toBeUndefined();
});

test('counts and percentages', () => {
  expect(scaledCount('25%', 10, 'up')).toBe(3);
  expect(scaledCount('25%', 10, 'down')).toBe(2);
  expect(scaledCount(4, 10, 'up')).toBe(4);
  expect(scaledCount('x', 10, 'up')).toBeUndefined();
});
