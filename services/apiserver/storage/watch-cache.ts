/**
 * Everything the cluster holds, in memory: the newest state of each object, the last state of each deleted one, and for
 * each resource a window of what happened lately.
 *
 *   stream (one revision a message) -> apply() -> objects, tombstones -> window -> watchers
 *
 * Objects in here are values: nobody changes them, a write replaces them. So a list, a snapshot and a watch event share
 * them without copying.
 */
import type { KubeObject } from '../../../shared/api/object.ts';
import type { ResourceRef } from '../../../shared/api/resource.ts';
import type { StoreEntry } from '../../../shared/bus/store-entry.ts';

/** An object or the rest of one, as the cache keeps it. `object` carries its resourceVersion. */
export interface CachedEntry {
  /** `ns/name`, or `name`. */
  readonly key: string;
  readonly revision: number;
  readonly object: KubeObject;
}

export function cacheKey(name: string, namespace: string | undefined): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

export interface Change {
  readonly revision: number;
  readonly deleted: boolean;
  /** The new state, or the last state of what was deleted, with this change's resourceVersion. */
  readonly object: KubeObject;
  /** The state before; undefined when the object is new, or when it is not known any more. */
  readonly previous: KubeObject | undefined;
  /** True when the state before is not known, because it happened before this process looked. */
  readonly previousUnknown?: boolean;
}

export interface ChangeListener {
  change(change: Change): void;
  /** The store was replaced; nothing more is told. */
  reset(): void;
}

/** Changes that a watch must begin with, or `gone`: it asks for a time that nobody remembers. */
export type ChangesSince = readonly Change[] | 'gone';

const WINDOW_CHANGES = 1024;
const MAX_SNAPSHOTS = 8;

interface RevisionWaiter {
  readonly revision: number;
  readonly resolve: () => void;
}

export class WatchCache {
  /** The newest revision that is in here. */
  revision = 0;
  /** Deletions up to here may have been forgotten: a watch cannot begin before. */
  compactedRevision = 0;

  private readonly resources = new Map<string, ResourceCache>();
  private readonly waiters = new Set<RevisionWaiter>();

  resource(resource: Pick<ResourceRef, 'group' | 'resource'>): ResourceCache {
    const name = `${resource.group}/${resource.resource}`;
    let cache = this.resources.get(name);
    if (cache === undefined) {
      cache = new ResourceCache(this, resource, this.revision);
      this.resources.set(name, cache);
    }
    return cache;
  }

  /** Takes the next message of the stream. Revisions only grow; one that is known already is ignored. */
  apply(entry: StoreEntry): void {
    if (entry.revision <= this.revision) return;
    const cache = this.resource(entry.key);
    this.revision = entry.revision;
    cache.apply(entry);
    this.announce();
  }

  /** The stream has nothing newer than this. */
  advanceTo(revision: number): void {
    if (revision <= this.revision) return;
    this.revision = revision;
    this.announce();
  }

  /** The first load is over: what was loaded is state, not news. */
  startWindows(): void {
    for (const cache of this.resources.values()) cache.startWindow(this.revision);
  }

  /**
   * Takes what happened up to `upTo`, where the windows begin that `startWindows` opened: as much of it as is whole, that is
   * without a revision that the store has forgotten.
   */
  addHistory(entries: readonly StoreEntry[], upTo: number): void {
    let first = entries.length;
    while (first > 0 && entries[first - 1]!.revision === upTo - (entries.length - first)) first--;
    const start = upTo - (entries.length - first);
    const states = new Map<string, StoreEntry>();
    const changes = new Map<ResourceCache, Change[]>([...this.resources.values()].map((cache) => [cache, []]));
    for (const [index, entry] of entries.entries()) {
      const { group, resource, namespace, name } = entry.key;
      const key = `${group}/${resource}/${cacheKey(name, namespace)}`;
      if (index >= first) changes.get(this.resource(entry.key))?.push(changeOf(entry, states.get(key)));
      states.set(key, entry);
    }
    for (const [cache, past] of changes) cache.prependToWindow(past, start, upTo);
  }

  /** Resolves once `revision` is in here; false after `timeoutMs`. */
  waitFor(revision: number, timeoutMs: number): Promise<boolean> {
    if (revision <= this.revision) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.waiters.delete(waiter);
        resolve(false);
      }, timeoutMs);
      const waiter: RevisionWaiter = {
        revision,
        resolve: () => {
          clearTimeout(timer);
          resolve(true);
        },
      };
      this.waiters.add(waiter);
    });
  }

  /** Forgets the deletions up to `revision`. */
  compact(revision: number): void {
    this.compactedRevision = Math.max(this.compactedRevision, revision);
    for (const cache of this.resources.values()) cache.forgetTombstones(revision);
  }

  /** The caches of the resources that have or had objects. */
  all(): Iterable<ResourceCache> {
    return this.resources.values();
  }

  /** The store was replaced: nothing that was known holds, and whoever watches must begin anew. */
  reset(): void {
    this.revision = 0;
    this.compactedRevision = 0;
    for (const cache of this.resources.values()) cache.reset();
  }

  private announce(): void {
    for (const waiter of this.waiters) {
      if (waiter.revision > this.revision) continue;
      this.waiters.delete(waiter);
      waiter.resolve();
    }
  }
}

export class ResourceCache {
  readonly group: string;
  /** `pods`. */
  readonly name: string;
  private readonly store: Pick<WatchCache, 'revision' | 'compactedRevision'>;
  private readonly entries = new Map<string, CachedEntry>();
  private readonly tombstones = new Map<string, CachedEntry>();
  private readonly window: Change[] = [];
  /** Every change after this revision is in the window. */
  private windowStart: number;
  private readonly listeners = new Set<ChangeListener>();
  /** Ascending; undefined after an object came or went. */
  private sortedKeys: readonly string[] | undefined;
  private readonly snapshots = new Map<number, readonly CachedEntry[]>();

  constructor(
    store: Pick<WatchCache, 'revision' | 'compactedRevision'>,
    resource: Pick<ResourceRef, 'group' | 'resource'>,
    windowStart: number,
  ) {
    this.store = store;
    this.group = resource.group;
    this.name = resource.resource;
    this.windowStart = windowStart;
  }

  get size(): number {
    return this.entries.size;
  }

  get(key: string): CachedEntry | undefined {
    return this.entries.get(key);
  }

  /** The last state of a deleted object, while the store remembers it. */
  tombstone(key: string): CachedEntry | undefined {
    return this.tombstones.get(key);
  }

  /** Of the key's last message, be it a state or a tombstone; 0 when there is none. */
  lastRevision(key: string): number {
    return this.entries.get(key)?.revision ?? this.tombstones.get(key)?.revision ?? 0;
  }

  /** Resolves to true once the key has a message after `revision`; to false after `timeoutMs`. */
  waitForKey(key: string, revision: number, timeoutMs: number): Promise<boolean> {
    if (this.lastRevision(key) > revision) return Promise.resolve(true);
    return new Promise((resolve) => {
      const finish = (changed: boolean) => {
        clearTimeout(timer);
        unsubscribe();
        resolve(changed);
      };
      const timer = setTimeout(() => finish(false), timeoutMs);
      const unsubscribe = this.subscribe({
        change: () => this.lastRevision(key) > revision && finish(true),
        reset: () => finish(false),
      });
    });
  }

  tombstoneEntries(): Iterable<CachedEntry> {
    return this.tombstones.values();
  }

  /** All objects, by key in ascending order. */
  list(): readonly CachedEntry[] {
    this.sortedKeys ??= [...this.entries.keys()].sort();
    return this.sortedKeys.map((key) => this.entries.get(key)!);
  }

  /** In no order; cheaper than `list` while objects come and go. */
  values(): IterableIterator<CachedEntry> {
    return this.entries.values();
  }

  /** Keeps the present list for the pages that follow the first one, under the present revision. */
  keepSnapshot(): number {
    const { revision } = this.store;
    this.snapshots.set(revision, this.list());
    for (const oldest of this.snapshots.keys()) {
      if (this.snapshots.size <= MAX_SNAPSHOTS) break;
      this.snapshots.delete(oldest);
    }
    return revision;
  }

  snapshot(revision: number): readonly CachedEntry[] | undefined {
    return revision === this.store.revision ? this.list() : this.snapshots.get(revision);
  }

  subscribe(listener: ChangeListener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /**
   * What happened after `revision`. Beyond the window, the answer is put together from what the store still knows: the
   * newest state of everything newer, and the deletions.
   */
  changesSince(revision: number): ChangesSince {
    if (revision >= this.windowStart) return this.window.filter((change) => change.revision > revision);
    if (revision < this.store.compactedRevision) return 'gone';
    const newer: Change[] = [];
    for (const entry of this.entries.values()) if (entry.revision > revision) newer.push(rebuilt(entry, false));
    for (const entry of this.tombstones.values()) if (entry.revision > revision) newer.push(rebuilt(entry, true));
    return newer.sort((a, b) => a.revision - b.revision);
  }

  apply({ key: storeKey, revision, object, deleted }: StoreEntry): void {
    const key = cacheKey(storeKey.name, storeKey.namespace);
    const previous = this.entries.get(key);
    if (previous === undefined || deleted) this.sortedKeys = undefined;
    const cached: CachedEntry = { key, revision, object };
    if (deleted) {
      this.entries.delete(key);
      this.tombstones.set(key, cached);
    } else {
      this.tombstones.delete(key);
      this.entries.set(key, cached);
    }
    this.record({ revision, deleted, object, previous: previous?.object });
  }

  reset(): void {
    this.entries.clear();
    this.tombstones.clear();
    this.snapshots.clear();
    this.sortedKeys = undefined;
    this.startWindow(0);
    const told = [...this.listeners];
    // Before they are told: some subscribe again.
    this.listeners.clear();
    for (const listener of told) listener.reset();
  }

  forgetTombstones(upToRevision: number): void {
    for (const [key, entry] of this.tombstones) if (entry.revision <= upToRevision) this.tombstones.delete(key);
  }

  /** Called when the first load is over: what was loaded is state, not news. */
  startWindow(revision: number): void {
    this.window.length = 0;
    this.windowStart = revision;
  }

  /** `start`: everything after it, up to where the window begins now (`upTo`), is in `changes`. */
  prependToWindow(changes: readonly Change[], start: number, upTo: number): void {
    if (this.windowStart !== upTo) return;
    this.window.unshift(...changes);
    this.windowStart = start;
  }

  private record(change: Change): void {
    this.window.push(change);
    if (this.window.length > WINDOW_CHANGES) {
      const dropped = this.window.splice(0, WINDOW_CHANGES / 4);
      this.windowStart = dropped.at(-1)!.revision;
    }
    for (const listener of this.listeners) listener.change(change);
  }
}

function changeOf({ revision, deleted, object }: StoreEntry, before: StoreEntry | undefined): Change {
  if (before === undefined) return { revision, deleted, object, previous: undefined, previousUnknown: true };
  return { revision, deleted, object, previous: before.deleted ? undefined : before.object };
}

function rebuilt(entry: CachedEntry, deleted: boolean): Change {
  return { revision: entry.revision, deleted, object: entry.object, previous: undefined, previousUnknown: true };
}
