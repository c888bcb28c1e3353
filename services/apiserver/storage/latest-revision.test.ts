import { describe, expect, it } from 'vitest';
import { LatestRevision } from './latest-revision.ts';

describe('LatestRevision', () => {
  it('answers no question with what was asked before it, and shares the next answer', async () => {
    const asked: PromiseWithResolvers<number>[] = [];
    const latest = new LatestRevision(() => {
      const answer = Promise.withResolvers<number>();
      asked.push(answer);
      return answer.promise;
    });
    const first = latest.get();
    const second = latest.get();
    const third = latest.get();
    expect(asked).toHaveLength(1);
    asked[0]!.resolve(1);
    expect(await first).toBe(1);
    await Promise.resolve();
    expect(asked).toHaveLength(2);
    asked[1]!.resolve(2);
    expect(await Promise.all([second, third])).toEqual([2, 2]);
  });

  it('goes on after a failure', async () => {
    let fails = true;
    const latest = new LatestRevision(async () => {
      if (fails) throw new Error('away');
      return 7;
    });
    const first = latest.get();
    const second = latest.get();
    await expect(first).rejects.toThrow('away');
    await expect(second).rejects.toThrow('away');
    fails = false;
    expect(await latest.get()).toBe(7);
  });
});
