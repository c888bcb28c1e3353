/**
 * A local, always current copy of the objects of one resource: list and watch straight from the store.
 * It survives restarts of NATS and of the apiserver, and tells what changed meanwhile.
 */
import type { ResourceRef } from '../api/resource.ts';
import type { Bus } from './connection.ts';
import type { StoreEntry } from './store-entry.ts';
import { StoreFeed } from './store-feed.ts';
import { type ObjectKey, resourceFilter } from './store-layout.ts';

export interface InformerHandler<T> {
  added?(object: T): void;
  updated?(object: T, old: T): void;
  /** With the last state known. */
  deleted?(object: T): void;
}

export interface InformerOptions<T> {
  /** Only objects of this namespace. */
  readonly namespace?: string;
  /** Keeps only what the consumer needs of an object; undefined leaves it out. */
  readonly transform?: (object: T) => T | undefined;
  /** Only objects whose stored form contains this text; what does not is not even decoded. */
  readonly mentions?: string;
}

export interface Informer<T> {
  /** The whole state has been read once. Stays true afterwards. */
  readonly synced: boolean;
  /** The revision of the last change seen. */
  readonly revision: number;
  /** Resolves when synced. Waits as long as it takes for the store to exist. */
  start(): Promise<void>;
  get(name: string, namespace?: string): T | undefined;
  list(namespace?: string): T[];
  /** Tells `added` for what is there already, then every change as it comes. */
  subscribe(handler: InformerHandler<T>): void;
  stop(): void;
}

export function createInformer<T>(bus: Bus, resource: ResourceRef, options: InformerOptions<T> = {}): Informer<T> {
  return new StoreInformer(bus, resource, options);
}

interface CachedObject<T> {
  readonly namespace: string | undefined;
  readonly uid: string | undefined;
  readonly object: T;
}

class StoreInformer<T> implements Informer<T> {
  private readonly bus: Bus;
  private readonly filter: string;
  private readonly mentions: string | undefined;
  private readonly transform: (object: T) => T | undefined;
  private readonly handlers: InformerHandler<T>[] = [];
  private objects = new Map<string, CachedObject<T>>();
  /** While listing anew: the keys that are still there. */
  private relisted: Set<string> | undefined;
  private feed: StoreFeed | undefined;
  private isSynced = false;
  private readonly whenSynced = Promise.withResolvers<void>();

  constructor(bus: Bus, resource: ResourceRef, options: InformerOptions<T>) {
    this.bus = bus;
    this.filter = resourceFilter(bus.cluster, resource, options.namespace);
    this.mentions = options.mentions;
    this.transform = options.transform ?? ((object) => object);
  }

  get synced(): boolean {
    return this.isSynced;
  }

  get revision(): number {
    return this.feed?.revision ?? 0;
  }

  start(): Promise<void> {
    this.feed ??= new StoreFeed(this.bus, {
      filter: this.filter,
      mentions: this.mentions,
      handler: {
        entry: (entry) => this.apply(entry),
        skipped: (key) => this.drop(keyOf(key)),
        reset: () => {
          this.relisted = new Set();
        },
        synced: () => this.finishList(),
      },
    });
    return this.whenSynced.promise;
  }

  get(name: string, namespace?: string): T | undefined {
    return this.objects.get(cacheKey(name, namespace || undefined))?.object;
  }

  list(namespace?: string): T[] {
    const found: T[] = [];
    for (const cached of this.objects.values()) {
      if (namespace === undefined || cached.namespace === namespace) found.push(cached.object);
    }
    return found;
  }

  subscribe(handler: InformerHandler<T>): void {
    this.handlers.push(handler);
    for (const { object } of this.objects.values()) handler.added?.(object);
  }

  stop(): void {
    this.feed?.stop();
  }

  private apply(entry: StoreEntry): void {
    const key = keyOf(entry.key);
    // What the apiserver validated and stored under this resource has the resource's type.
    const object = entry.deleted ? undefined : this.transform(entry.object as T);
    if (object === undefined) {
      this.drop(key);
      return;
    }
    this.relisted?.add(key);
    const old = this.objects.get(key);
    const { uid } = entry.object.metadata;
    // Deleted and made again while nobody looked: two events, as if one had.
    if (old !== undefined && old.uid !== uid) this.drop(key);
    this.objects.set(key, { namespace: entry.key.namespace, uid, object });
    if (old !== undefined && old.uid === uid) this.tell((handler) => handler.updated?.(object, old.object));
    else this.tell((handler) => handler.added?.(object));
  }

  private drop(key: string): void {
    const old = this.objects.get(key);
    if (old === undefined) return;
    this.objects.delete(key);
    this.tell((handler) => handler.deleted?.(old.object));
  }

  private finishList(): void {
    const present = this.relisted;
    this.relisted = undefined;
    if (present !== undefined) {
      for (const key of [...this.objects.keys()]) if (!present.has(key)) this.drop(key);
    }
    this.isSynced = true;
    this.whenSynced.resolve();
  }

  private tell(call: (handler: InformerHandler<T>) => void): void {
    for (const handler of this.handlers) call(handler);
  }
}

function keyOf(key: ObjectKey): string {
  return cacheKey(key.name, key.namespace);
}

/** No name has a slash. */
function cacheKey(name: string, namespace: string | undefined): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
