/** Events live for an hour (the original's `--event-ttl`). */

import { fieldAt, type KubeObject } from '../../../shared/api/object.ts';
import { EVENTS } from '../../../shared/api/resources.ts';
import { isApiError } from '../../../shared/api/status.ts';
import { parseTimestamp } from '../../../shared/api/timestamp.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';

const EVENT_TTL_MS = 60 * 60 * 1000;
/** A burst of events must not become a burst of deletions. */
const MAX_PER_SWEEP = 500;
/** Beyond so many, the oldest go before their time: the store is bounded. */
const MAX_EVENTS = 20_000;

export async function expireEvents(storage: ObjectStorage, nowMs: number): Promise<number> {
  const events = [...storage.of(EVENTS).values()].map((entry) => entry.object);
  const expired = events.filter((event) => lastSeenMs(event) + EVENT_TTL_MS < nowMs);
  if (events.length > MAX_EVENTS) {
    events.sort((a, b) => lastSeenMs(a) - lastSeenMs(b));
    expired.push(...events.slice(0, events.length - MAX_EVENTS));
  }
  const batch = [...new Set(expired)].slice(0, MAX_PER_SWEEP);
  for (const event of batch) await remove(storage, event);
  return batch.length;
}

async function remove(storage: ObjectStorage, { metadata }: KubeObject): Promise<void> {
  try {
    await storage.update(EVENTS, metadata.name ?? '', metadata.namespace, (object) =>
      // It may have been seen again meanwhile.
      object.metadata.resourceVersion === metadata.resourceVersion ? { kind: 'remove', object } : { kind: 'unchanged' },
    );
  } catch (error) {
    if (!isApiError(error, 'NotFound')) throw error;
  }
}

function lastSeenMs(event: KubeObject): number {
  const texts = [
    fieldAt(event, 'series', 'lastObservedTime'),
    event.lastTimestamp,
    event.eventTime,
    event.metadata.creationTimestamp,
  ];
  const times = texts.map((text) => (typeof text === 'string' ? (parseTimestamp(text) ?? 0) : 0));
  return Math.max(...times);
}
