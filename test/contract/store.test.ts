import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../shared/api/object.ts';
import { CONFIGMAPS, PODS } from '../../shared/api/resources.ts';
import { type Bus, connectBus } from '../../shared/bus/connection.ts';
import { createInformer, type Informer } from '../../shared/bus/informer.ts';
import { ObjectStore, RevisionConflictError } from '../../shared/bus/object-store.ts';
import type { StoreEntry } from '../../shared/bus/store-entry.ts';
import { objectKey, streamName } from '../../shared/bus/store-layout.ts';
import { seededRandom } from '../../shared/runtime/random.ts';
import { waitFor } from '../wait-for.ts';
import { startNatsServer, type TestNatsServer } from './nats-server.ts';

let server: TestNatsServer;
const opened: Bus[] = [];
const informers: Informer<unknown>[] = [];

async function openBus(clientName: string): Promise<Bus> {
  const bus = await connectBus({ url: server.url, token: server.token, cluster: 'test', clientName });
  opened.push(bus);
  return bus;
}

beforeEach(async () => {
  server = await startNatsServer();
});
afterEach(async () => {
  for (const informer of informers.splice(0)) informer.stop();
  for (const bus of opened.splice(0)) await bus.close();
  await server.stop();
});

function pod(name: string, uid = name, phase = 'Pending'): KubeObject {
  return { metadata: { name, namespace: 'default', uid }, status: { phase } };
}

function podKey(name: string) {
  return objectKey(PODS, name, 'default');
}

function podInformer(bus: Bus, told: string[]): Informer<KubeObject> {
  const informer = createInformer<KubeObject>(bus, PODS);
  informers.push(informer);
  informer.subscribe({
    added: (object) => told.push(`+${object.metadata.uid}`),
    updated: (object, old) => told.push(`~${object.metadata.uid}:${phaseOf(old)}>${phaseOf(object)}`),
    deleted: (object) => told.push(`-${object.metadata.uid}`),
  });
  return informer;
}

function phaseOf(object: KubeObject): string {
  return JSON.stringify(object.status).match(/\w+(?="})/)?.[0] ?? '';
}

describe('ObjectStore', () => {
  it('takes the longest name that the API takes, and a longer one does not cost the connection', async () => {
    const bus = await openBus('apiserver');
    const told: string[] = [];
    bus.onStateChange((state) => told.push(state));
    const store = await ObjectStore.open(bus);
    // Each of its bytes takes three characters.
    const longest = '.'.repeat(1024);
    expect(await store.put(podKey(longest), pod(longest), 0)).toBeGreaterThan(0);
    const tooLong = '.'.repeat(4000);
    await expect(store.put(podKey(tooLong), pod(tooLong), 0)).rejects.toThrow('is too long');
    expect(await store.put(podKey('web'), pod('web'), 0)).toBeGreaterThan(0);
    expect(told).toEqual([]);
  });

  it('writes only onto the expected revision', async () => {
    const store = await ObjectStore.open(await openBus('apiserver'));
    const key = podKey('web');
    const first = await store.put(key, pod('web'), 0);
    await expect(store.put(key, pod('web'), 0)).rejects.toBeInstanceOf(RevisionConflictError);
    const second = await store.put(key, pod('web', 'web', 'Running'), first);
    await expect(store.put(key, pod('web'), first)).rejects.toBeInstanceOf(RevisionConflictError);
    const tombstone = await store.remove(key, pod('web', 'web', 'Running'), second);
    await expect(store.put(key, pod('web'), 0)).rejects.toBeInstanceOf(RevisionConflictError);
    expect(await store.put(key, pod('web', 'new'), tombstone)).toBeGreaterThan(tombstone);
  });

  it('gives the revision as resourceVersion, whatever was written there', async () => {
    const store = await ObjectStore.open(await openBus('apiserver'));
    const object = pod('web');
    object.metadata.resourceVersion = '999';
    const revision = await store.put(podKey('web'), object, 0);
    const { entries } = await store.load();
    expect(entries).toEqual([
      {
        key: podKey('web'),
        revision,
        deleted: false,
        object: { ...pod('web'), metadata: { ...pod('web').metadata, resourceVersion: String(revision) } },
      },
    ]);
  });

  it('loads the present state with its tombstones, and an empty store', async () => {
    const store = await ObjectStore.open(await openBus('apiserver'));
    expect(await store.load()).toEqual({ revision: 0, entries: [], tombstones: [] });
    for (let i = 0; i < 20; i++) await store.put(podKey(`p${i}`), pod(`p${i}`), 0);
    const { entries } = await store.load();
    const victim = entries[3] as StoreEntry;
    const tombstone = await store.remove(victim.key, victim.object, victim.revision);
    const after = await store.load();
    expect(after.revision).toBe(tombstone);
    expect(after.entries).toHaveLength(19);
    expect(after.tombstones.map((entry) => entry.object.metadata.name)).toEqual(['p3']);
  });

  it('follows from a revision, deletions with their last state', async () => {
    const store = await ObjectStore.open(await openBus('apiserver'));
    const first = await store.put(podKey('a'), pod('a'), 0);
    const second = await store.put(podKey('b'), pod('b'), 0);
    const seen: string[] = [];
    const feed = store.follow(
      {
        entry: ({ deleted, object }) => seen.push(`${deleted ? '-' : '+'}${object.metadata.name}`),
        synced: (revision) => seen.push(`synced@${revision}`),
        reset: () => seen.push('reset'),
      },
      first,
    );
    await waitFor('the backlog', () => seen.length === 2);
    await store.remove(podKey('a'), pod('a'), first);
    await waitFor('the deletion', () => seen.length === 3);
    feed.stop();
    expect(seen).toEqual(['+b', `synced@${second}`, '-a']);
  });

  it('goes on without a gap when somebody deletes its consumer', async () => {
    const bus = await openBus('apiserver');
    const store = await ObjectStore.open(bus);
    const seen: string[] = [];
    const feed = store.follow(
      {
        entry: ({ object }) => seen.push(`+${object.metadata.name}`),
        synced: () => seen.push('synced'),
        reset: () => seen.push('reset'),
      },
      0,
    );
    await store.put(podKey('a'), pod('a'), 0);
    await waitFor('the first object', () => seen.includes('+a'));
    const stream = streamName('test');
    const [consumer] = await bus.jetStreamManager.consumers.list(stream).next();
    await bus.jetStreamManager.consumers.delete(stream, consumer!.name);
    await store.put(podKey('b'), pod('b'), 0);
    // Long before a heartbeat would be missed.
    await waitFor('the second object', () => seen.includes('+b'), 20_000);
    feed.stop();
    expect(seen.filter((told) => told !== 'synced')).toEqual(['+a', '+b']);
  });

  it('knows the states before the present one, one by one', async () => {
    const store = await ObjectStore.open(await openBus('apiserver'));
    const revisions = [await store.put(podKey('a'), pod('a'), 0)];
    for (const phase of ['Running', 'Failed']) {
      revisions.push(await store.put(podKey('a'), pod('a', 'a', phase), revisions.at(-1)!));
    }
    revisions.push(await store.remove(podKey('a'), pod('a', 'a', 'Failed'), revisions.at(-1)!));
    revisions.push(await store.put(podKey('b'), pod('b'), 0));
    const all = await store.history(0, revisions.at(-1)!);
    expect(all.map(({ revision, deleted }) => [revision, deleted])).toEqual(
      revisions.map((revision, i) => [revision, i === 3]),
    );
    const some = await store.history(revisions[0]!, revisions[2]!);
    expect(some.map(({ object }) => phaseOf(object))).toEqual(['Running', 'Failed']);
    expect((await store.load()).entries).toHaveLength(1);
  });

  it('keeps every acknowledged write over crashes of the server, each exactly once', async () => {
    const bus = await openBus('apiserver');
    const store = await ObjectStore.open(bus);
    const acknowledged = new Map<string, number>();
    let crashes = 0;
    const writer = async (name: string): Promise<void> => {
      let revision = 0;
      for (let count = 0; crashes < 3 || count < 20; count++) {
        revision = await store.put(podKey(name), { metadata: { name }, count }, revision);
        acknowledged.set(name, count);
      }
    };
    const writers = ['a', 'b', 'c', 'd'].map(writer);
    for (; crashes < 3; crashes++) {
      const before = acknowledged.get('a') ?? -1;
      await waitFor('some writes', () => (acknowledged.get('a') ?? -1) > before + 10);
      await server.kill();
      await server.start();
    }
    await Promise.all(writers);
    const { entries } = await store.load();
    const stored = Object.fromEntries(entries.map(({ object }) => [object.metadata.name, object.count]));
    expect(stored).toEqual(Object.fromEntries(acknowledged));
  });
});

describe('Informer', () => {
  it('waits for the store, then lists and follows', async () => {
    const told: string[] = [];
    const informer = podInformer(await openBus('scheduler'), told);
    const started = informer.start();
    expect(informer.synced).toBe(false);
    const store = await ObjectStore.open(await openBus('apiserver'));
    await started;
    const revision = await store.put(podKey('web'), pod('web'), 0);
    await store.put(objectKey(CONFIGMAPS, 'web', 'default'), pod('web'), 0);
    await waitFor('the pod', () => informer.get('web', 'default'));
    const running = await store.put(podKey('web'), pod('web', 'web', 'Running'), revision);
    await waitFor('the update', () => told.length === 2);
    await store.remove(podKey('web'), pod('web'), running);
    await waitFor('the deletion', () => told.length === 3);
    expect(told).toEqual(['+web', '~web:Pending>Running', '-web']);
    expect(informer.list()).toEqual([]);
  });

  it('is synced also while objects are being replaced without a pause', async () => {
    const store = await ObjectStore.open(await openBus('apiserver'));
    let done = false;
    const writing = (async () => {
      for (let revision = 0; !done; ) revision = await store.put(podKey('busy'), pod('busy'), revision);
    })();
    const bus = await openBus('agent');
    for (let count = 0; count < 50; count++) {
      const informer = createInformer<KubeObject>(bus, PODS);
      await informer.start();
      expect(informer.synced).toBe(true);
      informer.stop();
    }
    done = true;
    await writing;
  });

  it('keeps to its namespace and its transform', async () => {
    const store = await ObjectStore.open(await openBus('apiserver'));
    await store.put(objectKey(PODS, 'a', 'one'), { metadata: { name: 'a', namespace: 'one' }, big: 'x' }, 0);
    await store.put(objectKey(PODS, 'b', 'two'), { metadata: { name: 'b', namespace: 'two' }, big: 'x' }, 0);
    const informer = createInformer<KubeObject>(await openBus('agent'), PODS, {
      namespace: 'two',
      transform: ({ metadata }) => ({ metadata: { name: metadata.name } }),
    });
    informers.push(informer);
    await informer.start();
    expect(informer.list()).toEqual([{ metadata: { name: 'b' } }]);
    expect(informer.list('one')).toEqual([]);
    expect(informer.get('b', 'two')).toBeDefined();
  });

  it('tells what is there already to who subscribes late', async () => {
    const store = await ObjectStore.open(await openBus('apiserver'));
    await store.put(podKey('web'), pod('web'), 0);
    const informer = createInformer<KubeObject>(await openBus('agent'), PODS);
    informers.push(informer);
    await informer.start();
    const told: string[] = [];
    informer.subscribe({ added: (object) => told.push(object.metadata.name ?? '') });
    expect(told).toEqual(['web']);
  });

  it('resumes after a crash of the server and misses no deletion', async () => {
    const store = await ObjectStore.open(await openBus('apiserver'));
    const kept = await store.put(podKey('kept'), pod('kept'), 0);
    const gone = await store.put(podKey('gone'), pod('gone'), 0);
    const again = await store.put(podKey('again'), pod('again', 'first'), 0);
    const told: string[] = [];
    const bus = await openBus('scheduler');
    const informer = podInformer(bus, told);
    await informer.start();
    told.length = 0;
    await server.kill();
    await waitFor('the break to be noticed', () => !bus.connected);
    await server.start();
    await store.put(podKey('kept'), pod('kept', 'kept', 'Running'), kept);
    await store.remove(podKey('gone'), pod('gone'), gone);
    const tombstone = await store.remove(podKey('again'), pod('again', 'first'), again);
    await store.put(podKey('again'), pod('again', 'second'), tombstone);
    await waitFor('all changes', () => told.includes('+second'));
    expect(told.toSorted()).toEqual(['+second', '-first', '-gone', '~kept:Pending>Running'].toSorted());
  });

  it('lists anew when the store was replaced', async () => {
    const store = await ObjectStore.open(await openBus('apiserver'));
    await store.put(podKey('old'), pod('old'), 0);
    await store.put(podKey('both'), pod('both'), 0);
    const told: string[] = [];
    const bus = await openBus('scheduler');
    const informer = podInformer(bus, told);
    await informer.start();
    told.length = 0;
    await server.kill();
    server.wipe();
    await server.start();
    const newStore = await ObjectStore.open(await openBus('apiserver again'));
    await newStore.put(podKey('both'), pod('both', 'both', 'Running'), 0);
    await newStore.put(podKey('new'), pod('new'), 0);
    await waitFor('the new state', () => told.includes('-old') && told.includes('+new'));
    // Whether it saw the new store before anything was in it decides how it came to know of `both`.
    const fromEmpty = ['+both', '+new', '-both', '-old'];
    const fromFull = ['+new', '-old', '~both:Pending>Running'];
    expect([fromEmpty, fromFull]).toContainEqual(told.toSorted());
    expect(informer.get('both', 'default')?.status).toEqual({ phase: 'Running' });
  });

  it('lists anew when a deletion was forgotten meanwhile', async () => {
    const store = await ObjectStore.open(await openBus('apiserver'));
    const gone = await store.put(podKey('gone'), pod('gone'), 0);
    await store.put(podKey('kept'), pod('kept'), 0);
    const told: string[] = [];
    const informer = podInformer(await openBus('scheduler'), told);
    await informer.start();
    // The informer's connection is cut while the deletion happens and is forgotten.
    const [bus] = opened.slice(-1);
    await bus?.nats.flush();
    const revision = await store.remove(podKey('gone'), pod('gone'), gone);
    await waitFor('the deletion', () => told.includes('-gone'));
    await store.forget([{ key: podKey('gone'), revision }]);
    expect((await store.load()).tombstones).toEqual([]);
    const resumed: string[] = [];
    const feed = store.follow(
      {
        entry: ({ object }) => resumed.push(object.metadata.name ?? ''),
        synced: () => resumed.push('synced'),
        reset: () => resumed.push('reset'),
      },
      gone,
    );
    await waitFor('the resumed feed', () => resumed.includes('synced'));
    feed.stop();
    expect(resumed).toEqual(['reset', 'kept', 'synced']);
  });

  it('ends with what the store holds, whatever crashed while it was written', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = seededRandom(seed);
    const store = await ObjectStore.open(await openBus('apiserver'));
    const informer = createInformer<KubeObject>(await openBus('scheduler'), PODS);
    informers.push(informer);
    const mirror = new Map<string, unknown>();
    informer.subscribe({
      added: (object) => mirror.set(object.metadata.name ?? '', object),
      updated: (object) => mirror.set(object.metadata.name ?? '', object),
      deleted: (object) => mirror.delete(object.metadata.name ?? ''),
    });
    await informer.start();
    const last = new Map<string, { revision: number; exists: boolean }>();
    let writes = 0;
    let crashes = 0;
    const writing = (async () => {
      while (crashes < 3 || writes < 300) {
        const name = `p${random.integer(0, 20)}`;
        const { revision, exists } = last.get(name) ?? { revision: 0, exists: false };
        const removes = exists && random.next() < 0.4;
        const state = pod(name, exists ? `uid-${name}` : `uid-${name}-${writes}`, `phase${writes}`);
        const next = removes
          ? await store.remove(podKey(name), state, revision)
          : await store.put(podKey(name), state, revision);
        last.set(name, { revision: next, exists: !removes });
        writes++;
      }
    })();
    for (; crashes < 3; crashes++) {
      const before = writes;
      await waitFor('some writes', () => writes > before + 30);
      await server.kill();
      await server.start();
    }
    await writing;
    const { entries, revision } = await store.load();
    await waitFor('the informer to catch up', () => informer.revision >= revision);
    const byName = (objects: Iterable<unknown>) => [...objects].map((object) => JSON.stringify(object)).sort();
    const stored = byName(entries.map(({ object }) => object));
    expect({ seed, objects: byName(informer.list()) }).toEqual({ seed, objects: stored });
    expect({ seed, objects: byName(mirror.values()) }).toEqual({ seed, objects: stored });
  });
});
