/**
 * Reading and writing objects: reads come from the watch cache, a write is a compare-and-set in the store that answers
 * once the cache has it, so that who wrote also reads it.
 */
import { NatsError } from 'nats';
import type { KubeObject } from '../../../shared/api/object.ts';
import type { ResourceRef } from '../../../shared/api/resource.ts';
import {
  ApiError,
  alreadyExists,
  conflict,
  notFound,
  serviceUnavailable,
  timeout,
} from '../../../shared/api/status.ts';
import { BusTimeoutError, BusUnavailableError } from '../../../shared/bus/bus-error.ts';
import { type ObjectStore, RevisionConflictError } from '../../../shared/bus/object-store.ts';
import { objectKey } from '../../../shared/bus/store-layout.ts';
import { LatestRevision } from './latest-revision.ts';
import { type CachedEntry, cacheKey, type ResourceCache, WatchCache } from './watch-cache.ts';

/** How often a write is tried again when others write the same object. */
const MAX_ATTEMPTS = 20;
/** An acknowledged write comes back on the stream within milliseconds; while NATS is away, after it is back. */
const OWN_WRITE_TIMEOUT_MS = 10_000;
const CATCH_UP_TIMEOUT_MS = 3_000;
const CATCH_UP_RETRY_MS = 20;
const RETRY_AFTER_SECONDS = 1;

type StoredResource = Pick<ResourceRef, 'group' | 'resource'>;

/** What an update makes of the current state. */
export type Attempt =
  | { readonly kind: 'unchanged' }
  /** `rollback` gives back what the attempt took (addresses, ports) when it does not become the state. */
  | { readonly kind: 'write'; readonly object: KubeObject; readonly rollback?: () => Promise<void> }
  /** The object's last state, which watchers are told. */
  | { readonly kind: 'remove'; readonly object: KubeObject };

export interface WriteResult {
  readonly object: KubeObject;
  readonly removed: boolean;
}

export class ObjectStorage {
  readonly cache = new WatchCache();
  private readonly store: Pick<ObjectStore, 'put' | 'remove' | 'lastRevision'>;
  private readonly latest: LatestRevision;

  constructor(store: Pick<ObjectStore, 'put' | 'remove' | 'lastRevision'>) {
    this.store = store;
    this.latest = new LatestRevision(() => store.lastRevision());
  }

  of(resource: StoredResource): ResourceCache {
    return this.cache.resource(resource);
  }

  get(resource: StoredResource, name: string, namespace?: string): KubeObject | undefined {
    return this.of(resource).get(cacheKey(name, namespace))?.object;
  }

  /**
   * Waits until the cache has all that the store has now: another apiserver may have written, and who reads the store itself
   * may be ahead of the cache. False when the store cannot say, and the cache may be behind.
   */
  async catchUp(): Promise<boolean> {
    const deadlineMs = performance.now() + CATCH_UP_TIMEOUT_MS;
    for (;;) {
      try {
        return await this.cache.waitFor(await this.latest.get(), CATCH_UP_TIMEOUT_MS);
      } catch (error) {
        if (error instanceof BusUnavailableError) return false;
        // The connection stands, and JetStream is not ready yet.
        if (!(error instanceof NatsError)) throw error;
        if (performance.now() > deadlineMs) return false;
        await new Promise((resolve) => setTimeout(resolve, CATCH_UP_RETRY_MS));
      }
    }
  }

  /** Writes a new object and returns it with its revision. Throws AlreadyExists, ServiceUnavailable, Timeout. */
  async create(resource: StoredResource, object: KubeObject): Promise<KubeObject> {
    const { name, namespace } = nameOf(object);
    const key = cacheKey(name, namespace);
    return this.repeatOnConflict(resource, key, async (lastRevision) => {
      if (this.of(resource).get(key) !== undefined) throw alreadyExists(resource, name);
      const revision = await this.store.put(objectKey(resource, name, namespace), object, lastRevision);
      return this.written(resource, key, revision, object);
    });
  }

  /**
   * Brings the object from its current state to what `attempt` makes of it; repeated from the newer state when somebody
   * else was faster. Throws NotFound, and what `attempt` throws.
   */
  async update(
    resource: StoredResource,
    name: string,
    namespace: string | undefined,
    attempt: (current: KubeObject) => Attempt | Promise<Attempt>,
  ): Promise<WriteResult> {
    const key = cacheKey(name, namespace);
    return this.repeatOnConflict(resource, key, async () => {
      const current = this.of(resource).get(key);
      if (current === undefined) throw notFound(resource, name);
      return this.carryOut(resource, current, await attempt(current.object));
    });
  }

  private async carryOut(resource: StoredResource, current: CachedEntry, attempt: Attempt): Promise<WriteResult> {
    if (attempt.kind === 'unchanged') return { object: current.object, removed: false };
    const { name, namespace } = nameOf(current.object);
    const key = objectKey(resource, name, namespace);
    try {
      const revision =
        attempt.kind === 'remove'
          ? await this.store.remove(key, attempt.object, current.revision)
          : await this.store.put(key, attempt.object, current.revision);
      const object = await this.written(resource, current.key, revision, attempt.object);
      return { object, removed: attempt.kind === 'remove' };
    } catch (error) {
      if (attempt.kind === 'write') await attempt.rollback?.();
      throw error;
    }
  }

  /**
   * `write` is given the revision of the key's last message, of a tombstone too; 0 when there is none. A tombstone that
   * another apiserver has discarded meanwhile counts as none.
   */
  private async repeatOnConflict<T>(
    resource: StoredResource,
    key: string,
    write: (lastRevision: number) => Promise<T>,
  ): Promise<T> {
    const cache = this.of(resource);
    let discarded = 0;
    for (let attempt = 1; ; attempt++) {
      const known = cache.lastRevision(key);
      try {
        return await write(known === discarded ? 0 : known);
      } catch (error) {
        if (!(error instanceof RevisionConflictError)) throw unavailable(error);
        if (attempt >= MAX_ATTEMPTS) throw conflict(resource, error.key.name);
        if (cache.lastRevision(key) !== known) continue;
        if (cache.tombstone(key) !== undefined && discarded !== known) discarded = known;
        // Whoever was faster is on the stream: the cache need only catch up.
        else if (!(await cache.waitForKey(key, known, CATCH_UP_TIMEOUT_MS))) throw conflict(resource, error.key.name);
      }
    }
  }

  private async written(
    resource: StoredResource,
    key: string,
    revision: number,
    object: KubeObject,
  ): Promise<KubeObject> {
    await this.cache.waitFor(revision, OWN_WRITE_TIMEOUT_MS);
    const cached = this.of(resource).get(key);
    if (cached?.revision === revision) return cached.object;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
  }
}

function nameOf(object: KubeObject): { name: string; namespace: string | undefined } {
  const { name = '', namespace } = object.metadata;
  return { name, namespace: namespace === '' ? undefined : namespace };
}

/** In place of an answer that only the store's newest state can give. */
export function storeUnavailable(why: string): ApiError {
  return withRetryAfter(serviceUnavailable(`the store is not reachable: ${why}`));
}

function unavailable(error: unknown): unknown {
  if (error instanceof BusUnavailableError) return storeUnavailable(error.message);
  if (error instanceof BusTimeoutError) return withRetryAfter(timeout(error.message));
  return error;
}

function withRetryAfter(error: ApiError): ApiError {
  return new ApiError(error.code, error.reason, error.message, {
    ...error.details,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}
