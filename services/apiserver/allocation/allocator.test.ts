import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../shared/runtime/random.ts';
import { SharedStore } from '../storage/shared-store.testkit.ts';
import { ipv4ClusterIps, nodePortAllocator } from './service-ranges.ts';

const CLAIMANT = { namespace: 'default', name: 'web' };

describe('allocation', () => {
  it('never gives a number twice, from two servers at once, until the range is full', async () => {
    const store = new SharedStore();
    const allocators = [1, 2].map(
      (seed) => ipv4ClusterIps(store.server(), '10.0.0.0/28', seededRandom(seed)).allocator,
    );
    const taken = await Promise.all(
      Array.from({ length: 14 }, (_, i) =>
        allocators[i % 2]!.takeAny({ namespace: 'default', name: `s${i}` }, 0, false),
      ),
    );
    expect(new Set(taken).size).toBe(14);
    expect(taken.every((value) => allocators[0]!.contains(value!))).toBe(true);
    expect(await allocators[0]!.takeAny(CLAIMANT, 0, false)).toBeUndefined();
  });

  it('gives back only to the owner what is given back', async () => {
    const ports = nodePortAllocator(new SharedStore().server(), seededRandom(1));
    expect(await ports.take(30_000, CLAIMANT, 0, false)).toBe(true);
    await ports.release(30_000, { namespace: 'default', name: 'other' });
    expect(await ports.take(30_000, { namespace: 'default', name: 'other' }, 0, false)).toBe(false);
    await ports.release(30_000, CLAIMANT);
    expect(await ports.take(30_000, { namespace: 'default', name: 'other' }, 0, false)).toBe(true);
  });

  it('a dry run takes nothing', async () => {
    const ports = nodePortAllocator(new SharedStore().server(), seededRandom(1));
    expect(await ports.take(30_001, CLAIMANT, 0, true)).toBe(true);
    expect(await ports.take(30_001, CLAIMANT, 0, false)).toBe(true);
    expect(await ports.take(30_001, CLAIMANT, 0, true)).toBe(false);
  });

  it('leaves the lower part of the range to those who choose', async () => {
    const ports = nodePortAllocator(new SharedStore().server(), seededRandom(3));
    const chosen = [];
    for (let i = 0; i < 50; i++) chosen.push((await ports.takeAny(CLAIMANT, 0, false))!);
    expect(Math.min(...chosen)).toBeGreaterThanOrEqual(30_000 + ports.range.staticCount);
  });
});
