/** Keeps the watch cache in step with the store: the present state first, then every change. */
import type { ObjectStore } from '../../../shared/bus/object-store.ts';
import type { StoreFeed } from '../../../shared/bus/store-feed.ts';
import type { WatchCache } from './watch-cache.ts';

/** Resolves once the present state is in the cache; it is kept up to date until the feed is stopped. */
export function followStore(store: Pick<ObjectStore, 'follow'>, cache: WatchCache): Promise<StoreFeed> {
  return new Promise((resolve) => {
    let loading = true;
    const feed = store.follow({
      entry: (entry) => cache.apply(entry),
      reset: () => {
        loading = true;
        cache.reset();
      },
      synced: (revision) => {
        cache.advanceTo(revision);
        if (loading) cache.startWindows();
        loading = false;
        queueMicrotask(() => resolve(feed));
      },
    });
  });
}
