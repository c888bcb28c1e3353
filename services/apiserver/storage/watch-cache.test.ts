import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StoreEntry } from '../../../shared/bus/store-entry.ts';
import { type Change, WatchCache } from './watch-cache.ts';

const PODS = { group: '', resource: 'pods' };

function entry(name: string, revision: number, deleted = false): StoreEntry {
  return {
    key: { ...PODS, namespace: 'default', name },
    revision,
    deleted,
    object: { metadata: { name, namespace: 'default', resourceVersion: String(revision) } },
  };
}

function summary(changes: readonly Change[] | 'gone'): unknown {
  if (changes === 'gone') return changes;
  return changes.map(({ revision, deleted, object }) => `${revision}${deleted ? '-' : '+'}${object.metadata.name}`);
}

describe('watch cache', () => {
  it('serves what the stream said last, in the order of keys', () => {
    const cache = new WatchCache();
    for (const each of [entry('b', 1), entry('a', 2), entry('b', 3), entry('c', 4), entry('c', 5, true)])
      cache.apply(each);
    const pods = cache.resource(PODS);
    expect(pods.list().map(({ key, revision }) => `${key}@${revision}`)).toEqual(['default/a@2', 'default/b@3']);
    expect(pods.tombstone('default/c')?.revision).toBe(5);
    expect(pods.lastRevision('default/c')).toBe(5);
  });

  it('ignores what it knows already', () => {
    const cache = new WatchCache();
    cache.apply(entry('a', 2));
    cache.apply(entry('a', 1, true));
    expect(cache.resource(PODS).size).toBe(1);
  });

  it('tells what happened after a revision, from the window or put together from the state', () => {
    const cache = new WatchCache();
    for (const each of [entry('a', 1), entry('b', 2), entry('c', 3), entry('b', 4, true)]) cache.apply(each);
    expect(summary(cache.resource(PODS).changesSince(1))).toEqual(['2+b', '3+c', '4-b']);
    cache.startWindows();
    expect(summary(cache.resource(PODS).changesSince(1))).toEqual(['3+c', '4-b']);
    cache.apply(entry('a', 5));
    expect(summary(cache.resource(PODS).changesSince(4))).toEqual(['5+a']);
  });

  it('cannot tell what lies before forgotten deletions', () => {
    const cache = new WatchCache();
    for (const each of [entry('a', 1), entry('a', 2, true), entry('b', 3)]) cache.apply(each);
    cache.startWindows();
    cache.compact(2);
    expect(cache.resource(PODS).changesSince(1)).toBe('gone');
    expect(summary(cache.resource(PODS).changesSince(2))).toEqual(['3+b']);
    expect(cache.resource(PODS).tombstone('default/a')).toBeUndefined();
  });

  it('whoever replays the changes after any revision has the present state', () => {
    const step = fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), deleted: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(60), fc.nat(60), (steps, from, reload) => {
        const cache = new WatchCache();
        const states: Map<string, number>[] = [new Map()];
        steps.forEach(({ name, deleted }, i) => {
          cache.apply(entry(name, i + 1, deleted));
          if (i + 1 === reload) cache.startWindows();
          const state = new Map(states.at(-1));
          if (deleted) state.delete(name);
          else state.set(name, i + 1);
          states.push(state);
        });
        const start = Math.min(from, steps.length);
        const changes = cache.resource(PODS).changesSince(start);
        expect(changes).not.toBe('gone');
        const replayed = new Map(states[start]);
        for (const { deleted, object, revision } of changes as readonly Change[]) {
          if (deleted) replayed.delete(object.metadata.name!);
          else replayed.set(object.metadata.name!, revision);
        }
        expect(replayed).toEqual(states.at(-1));
      }),
    );
  });

  it('knows the past that another process served, as far back as nothing is missing', () => {
    const past = [entry('a', 2), entry('b', 4), entry('a', 5), entry('b', 6, true), entry('c', 7)];
    const cache = new WatchCache();
    for (const state of [entry('a', 5), entry('b', 6, true), entry('c', 7)]) cache.apply(state);
    cache.startWindows();
    cache.addHistory(past, 7);
    cache.apply(entry('a', 8));
    const pods = cache.resource(PODS);
    expect(summary(pods.changesSince(3))).toEqual(['4+b', '5+a', '6-b', '7+c', '8+a']);
    const [first, second] = pods.changesSince(3) as Change[];
    expect(first).toMatchObject({ previousUnknown: true });
    expect(second!.previous!.metadata.resourceVersion).toBe('2');
    // Revision 3 is not known: what is older is put together from the state.
    expect(summary(pods.changesSince(1))).toEqual(['6-b', '7+c', '8+a']);
  });

  it('keeps the snapshots of lists that are read in pages', () => {
    const cache = new WatchCache();
    const pods = cache.resource(PODS);
    cache.apply(entry('a', 1));
    const revision = pods.keepSnapshot();
    cache.apply(entry('b', 2));
    expect(pods.snapshot(revision)?.map(({ key }) => key)).toEqual(['default/a']);
    for (let i = 3; i < 30; i++) {
      cache.apply(entry('b', i));
      pods.keepSnapshot();
    }
    expect(pods.snapshot(revision)).toBeUndefined();
  });

  it('wakes who waits for a revision, and gives up in time', async () => {
    const cache = new WatchCache();
    const reached = cache.waitFor(2, 10_000);
    cache.apply(entry('a', 1));
    cache.apply(entry('a', 2));
    expect(await reached).toBe(true);
    expect(await cache.waitFor(3, 1)).toBe(false);
  });

  it('forgets everything and tells its watchers when the store was replaced', () => {
    const cache = new WatchCache();
    cache.apply(entry('a', 1));
    let resets = 0;
    cache.resource(PODS).subscribe({ change: () => undefined, reset: () => resets++ });
    cache.reset();
    expect(resets).toBe(1);
    expect(cache.resource(PODS).size).toBe(0);
    cache.apply(entry('b', 1));
    expect(cache.resource(PODS).list()).toHaveLength(1);
  });
});
