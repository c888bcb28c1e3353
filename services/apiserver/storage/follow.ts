/** Keeps the watch cache in step with the store: the present state first, then every change. */
import type { ObjectStore } from '../../../shared/bus/object-store.ts';
import type { StoreFeed } from '../../../shared/bus/store-feed.ts';
import type { WatchCache } from './watch-cache.ts';

/** So many revisions before the present one are looked at when this process begins. */
const HISTORY_REVISIONS = 1000;

/**
 * Resolves once the present state is in the cache, and what led to it lately, from where watches resume that another process
 * served; it is kept up to date until the feed is stopped.
 */
export async function followStore(
  store: Pick<ObjectStore, 'follow' | 'history'>,
  cache: WatchCache,
): Promise<StoreFeed> {
  const feed = await loadState(store, cache);
  const upTo = cache.revision;
  const from = Math.max(0, upTo - HISTORY_REVISIONS, cache.compactedRevision);
  if (from < upTo) cache.addHistory(await store.history(from, upTo), upTo);
  return feed;
}

function loadState(store: Pick<ObjectStore, 'follow'>, cache: WatchCache): Promise<StoreFeed> {
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
