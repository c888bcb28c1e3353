import { describe, expect, it, vi } from 'vitest';
import { waitFor } from '../../test/wait-for.ts';
import { SHORT_SLICE_US, slicesOnDemand, threadSlice } from './thread-slice.ts';

const missing = await threadSlice().then(
  () => undefined,
  (error: Error) => error.message,
);
if (missing !== undefined) process.stderr.write(`slices of a thread: skipped: ${missing}\n`);

describe.skipIf(missing !== undefined)("a thread's slice", () => {
  it('is short, and again what it was', async () => {
    const slice = await threadSlice();
    const usualUs = slice.us;
    slice.shorten();
    expect(slice.us).toBe(SHORT_SLICE_US);
    slice.restore();
    expect(slice.us).toBe(usualUs);
  });

  it('follows what is wanted, in order', async () => {
    const slice = await threadSlice();
    const usualUs = slice.us;
    const reasons: string[] = [];
    const want = slicesOnDemand((reason) => reasons.push(reason));
    want(true);
    await waitFor('a short slice', () => slice.us === SHORT_SLICE_US);
    want(false);
    want(true);
    want(false);
    await waitFor('the usual slice', () => slice.us === usualUs);
    expect(reasons).toEqual([]);
  });
});

it('what cannot be had is told once', async () => {
  const { platform } = process;
  Object.defineProperty(process, 'platform', { value: 'sunos' });
  const reasons: string[] = [];
  try {
    // A module of its own, which has not loaded the C library yet.
    vi.resetModules();
    const fresh = await import('./thread-slice.ts');
    const want = fresh.slicesOnDemand((reason) => reasons.push(reason));
    want(true);
    want(false);
    await waitFor('the reason', () => reasons.length > 0);
    expect(reasons).toEqual([expect.stringContaining('not on sunos')]);
  } finally {
    Object.defineProperty(process, 'platform', { value: platform });
  }
});
