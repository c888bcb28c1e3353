import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../shared/api/object.ts';
import { CONFIGMAPS } from '../../../shared/api/resources.ts';
import { objectKey } from '../../../shared/bus/store-layout.ts';
import { FakeClock } from '../../../shared/runtime/clock.ts';
import { seededRandom } from '../../../shared/runtime/random.ts';
import { componentUser } from '../authentication/user.ts';
import { ALWAYS_ALLOW } from '../authorization/authorizer.ts';
import { ObjectStorage } from '../storage/object-storage.ts';
import { SharedStore } from '../storage/shared-store.testkit.ts';
import { ApiCore, type Request } from './api-core.ts';
import { MERGE_PATCH } from './patch.ts';

const KEY = objectKey(CONFIGMAPS, 'settings', 'default');
const settings = (uid: string): KubeObject => ({ metadata: { name: 'settings', namespace: 'default', uid } });

/** An apiserver whose cache follows the store only as far as it is told to. */
async function behindTheStore(known: string | undefined) {
  const store = new SharedStore();
  const storage = new ObjectStorage(store);
  const core = new ApiCore(
    { storage, clock: new FakeClock(), random: seededRandom(1), strategyOf: () => ({}) },
    ALWAYS_ALLOW,
    () => undefined,
  );
  if (known !== undefined) {
    store.servers.push(storage);
    await store.put(KEY, settings(known), 0);
    store.servers.pop();
    await store.remove(KEY, settings(known), 1);
  }
  const revision = await store.put(KEY, settings('new'), known === undefined ? 0 : 2);
  const follow = (): void => {
    if (known !== undefined) storage.cache.apply({ key: KEY, object: settings(known), revision: 2, deleted: true });
    storage.cache.apply({ key: KEY, object: settings('new'), revision, deleted: false });
    store.servers.push(storage);
  };
  return { core, follow };
}

function patchOf(uid: string): Request {
  const { group, version, resource } = CONFIGMAPS;
  return {
    info: { verb: 'patch', group, version, resource, namespace: 'default', name: 'settings', subresource: undefined },
    query: new URLSearchParams(),
    body: { mediaType: MERGE_PATCH, value: { metadata: { uid }, data: { colour: 'blue' } }, duplicateFields: [] },
    user: componentUser('system:node:worker-1'),
    origin: 'component',
    agent: 'test',
    warn: () => undefined,
  };
}

describe('a write by a client that knows more than the cache', () => {
  it.each([
    ['of an object that is new', undefined],
    ['of an object that was made again', 'old'],
  ])('%s succeeds, whenever the cache catches up', async (_, known) => {
    const early = await behindTheStore(known);
    const writing = early.core.handle(patchOf('new'));
    // The next message of the same packet: it is taken before the refusal is even caught.
    early.follow();
    expect(await writing).toMatchObject({ object: { data: { colour: 'blue' } } });

    const late = await behindTheStore(known);
    const waiting = late.core.handle(patchOf('new'));
    setImmediate(late.follow);
    expect(await waiting).toMatchObject({ object: { data: { colour: 'blue' } } });
  });

  it('is refused when the newest state refuses it as well', async () => {
    const { core, follow } = await behindTheStore(undefined);
    const writing = core.handle(patchOf('another'));
    follow();
    await expect(writing).rejects.toMatchObject({ reason: 'Conflict' });
  });
});
