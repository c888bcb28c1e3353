import { expect, it } from 'vitest';
import { RESOURCEQUOTAS } from '../../../shared/api/resources.ts';
import { objectKey } from '../../../shared/bus/store-layout.ts';
import { FakeClock } from '../../../shared/runtime/clock.ts';
import { silentLogger } from '../../../shared/runtime/log.ts';
import { WatchCache } from '../storage/watch-cache.ts';
import { scheduleTasks } from './schedule.ts';

function store() {
  const cache = new WatchCache();
  let revision = 0;
  const tell = (name: string, deleted: boolean): void =>
    cache.apply({
      key: objectKey(RESOURCEQUOTAS, name, 'default'),
      revision: ++revision,
      deleted,
      object: { metadata: { name, namespace: 'default' } },
    });
  const replace = (): void => {
    cache.reset();
    revision = 0;
  };
  return { cache, quotas: cache.resource(RESOURCEQUOTAS), tell, replace };
}

function scheduled(quotas: ReturnType<typeof store>['quotas'], run: () => Promise<void>) {
  const clock = new FakeClock();
  const need = { of: quotas, holds: () => quotas.size > 0 };
  const stop = scheduleTasks([{ name: 'quotas', everyMs: 100, run, need }], clock, silentLogger());
  return { clock, stop };
}

it('a task rests while there is nothing for it to do, and runs again when there is', async () => {
  const { quotas, tell, replace } = store();
  let runs = 0;
  const { clock, stop } = scheduled(quotas, async () => void runs++);
  await clock.advance(1000);
  expect([runs, clock.pendingTimers]).toEqual([0, 0]);
  tell('a', false);
  await clock.advance(350);
  expect(runs).toBe(3);
  tell('a', true);
  await clock.advance(1000);
  // The run that was due already still comes.
  expect([runs, clock.pendingTimers]).toEqual([4, 0]);
  replace();
  tell('b', false);
  await clock.advance(100);
  expect(runs).toBe(5);
  stop();
  tell('c', false);
  await clock.advance(1000);
  expect([runs, clock.pendingTimers]).toEqual([5, 0]);
});

it('a run that fails is tried again, and runs never overlap', async () => {
  const { quotas, tell } = store();
  let runs = 0;
  let finish = (): void => undefined;
  const { clock, stop } = scheduled(quotas, () => {
    runs++;
    if (runs === 1) return Promise.reject(new Error('NATS is away'));
    return new Promise<void>((resolve) => {
      finish = resolve;
    });
  });
  tell('a', false);
  await clock.advance(250);
  expect(runs).toBe(2);
  tell('b', false);
  await clock.advance(1000);
  expect([runs, clock.pendingTimers]).toEqual([2, 0]);
  finish();
  await clock.advance(100);
  expect(runs).toBe(3);
  stop();
});
