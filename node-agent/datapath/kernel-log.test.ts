import { expect, test } from 'vitest';
import { KernelLog, MAX_LINES } from './kernel-log.ts';

test('the oldest lines make room, and a reader goes on where it was', () => {
  const log = new KernelLog(() => 7);
  for (let i = 0; i < MAX_LINES; i++) log.add(`${i}`);
  const { lines, next } = log.since(0);
  expect([lines.length, lines[0], next]).toEqual([MAX_LINES, { atUs: 7, text: '0' }, MAX_LINES]);
  log.add('more');
  expect(log.since(next)).toEqual({ lines: [{ atUs: 7, text: 'more' }], next: next + 1 });
  const kept = log.since(0).lines;
  expect(kept.length).toBeLessThan(MAX_LINES);
  expect(kept[0]?.text).toBe(`${next + 1 - kept.length}`);
});

test('what was cleared is gone, and numbers go on', () => {
  const log = new KernelLog(() => 0);
  log.add('one');
  log.clear();
  expect(log.since(0)).toEqual({ lines: [], next: 1 });
  log.add('two');
  expect(log.since(1).lines.map(({ text }) => text)).toEqual(['two']);
});
