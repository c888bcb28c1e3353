import { expect, test } from 'vitest';
import { CaptureQueue } from './capture-queue.ts';

test('copies share memory, and are what was copied whatever comes after them', () => {
  const queue = new CaptureQueue(1024 * 1024);
  const source = new Uint8Array(1500);
  const view = new DataView(source.buffer);
  const copies = Array.from({ length: 100 }, (_, at) => {
    source.fill(at);
    return queue.copyOf(view, at, 1000 + at);
  });
  copies.forEach((copy, at) => {
    expect(copy).toEqual(new Uint8Array(1000 + at).fill(at));
  });
  const buffers = new Set(copies.map(({ buffer }) => buffer));
  expect(buffers.size).toBeLessThan(4);
});

test('a frame larger than a piece of memory has one of its own', () => {
  const queue = new CaptureQueue(1024 * 1024);
  const source = new Uint8Array(100_000).fill(7);
  expect(queue.copyOf(new DataView(source.buffer), 0, source.length)).toEqual(source);
});
