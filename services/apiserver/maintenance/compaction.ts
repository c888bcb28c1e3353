/** Deleted objects are remembered for a while, so that watches can resume; then the store forgets them. */
import type { ObjectStore } from '../../../shared/bus/object-store.ts';
import { objectKey } from '../../../shared/bus/store-layout.ts';
import type { WatchCache } from '../storage/watch-cache.ts';

/** As the original's `--etcd-compaction-interval`. */
const KEEP_MS = 5 * 60 * 1000;
const MAX_TOMBSTONES = 10_000;

/** Remembers when it saw each revision, as tombstones do not tell their age. */
export class Compaction {
  private readonly cache: WatchCache;
  private readonly store: Pick<ObjectStore, 'forget'>;
  /** Revisions at earlier times, oldest first. */
  private readonly seen: { readonly revision: number; readonly atMs: number }[] = [];

  constructor(cache: WatchCache, store: Pick<ObjectStore, 'forget'>) {
    this.cache = cache;
    this.store = store;
  }

  /** Forgets the deletions that are old enough, and the oldest of too many; resolves to their number. */
  async run(nowMs: number): Promise<number> {
    this.seen.push({ revision: this.cache.revision, atMs: nowMs });
    const forgotten = this.tombstones().filter(({ revision }) => revision <= this.horizon(nowMs));
    if (forgotten.length === 0) return 0;
    await this.store.forget(forgotten);
    this.cache.compact(forgotten.at(-1)!.revision);
    return forgotten.length;
  }

  private horizon(nowMs: number): number {
    let horizon = 0;
    while (this.seen.length > 0 && this.seen[0]!.atMs + KEEP_MS <= nowMs) horizon = this.seen.shift()!.revision;
    const all = this.tombstones();
    const surplus = all.length - MAX_TOMBSTONES;
    return surplus > 0 ? Math.max(horizon, all[surplus - 1]!.revision) : horizon;
  }

  private tombstones() {
    const found = [];
    for (const resource of this.cache.all()) {
      for (const { revision, object } of resource.tombstoneEntries()) {
        const { name = '', namespace } = object.metadata;
        found.push({ revision, key: objectKey({ group: resource.group, resource: resource.name }, name, namespace) });
      }
    }
    return found.sort((a, b) => a.revision - b.revision);
  }
}
