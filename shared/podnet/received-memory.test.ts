import { afterEach, expect, it, vi } from 'vitest';
import { countReceived } from './received-memory.ts';

const MIB = 1024 * 1024;

afterEach(() => {
  vi.unstubAllGlobals();
});

it('collects the young generation every 2 MiB', () => {
  const gc = vi.fn();
  vi.stubGlobal('gc', gc);
  countReceived(2 * MIB - 1);
  expect(gc).not.toHaveBeenCalled();
  countReceived(1);
  expect(gc.mock.calls).toEqual([[{ type: 'minor' }]]);
  countReceived(MIB);
  expect(gc).toHaveBeenCalledTimes(1);
  countReceived(MIB);
  expect(gc).toHaveBeenCalledTimes(2);
});

it('is nothing where a process may not collect', () => {
  vi.stubGlobal('gc', undefined);
  expect(() => countReceived(4 * MIB)).not.toThrow();
});
