/**
 * Claims without a Service (an apiserver died between the two writes) are given back; Services without their claim
 * (they are older than it, or it was deleted by hand) get it.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SERVICES } from '../../../shared/api/resources.ts';
import { parseTimestamp } from '../../../shared/api/timestamp.ts';
import type { Claims } from '../allocation/claim.ts';
import type { ServiceRanges } from '../allocation/service-ranges.ts';
import { claimantOf, heldBy } from '../registry/strategies/service.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';

/** Younger claims may belong to a Service that is just being written. */
const GRACE_MS = 60_000;
/** Looked through before requests have their turn: a request has several turns, and each may wait for one of these. */
const OBJECTS_A_TURN = 25;

export async function repairAllocations(storage: ObjectStorage, ranges: ServiceRanges, nowMs: number): Promise<void> {
  const services = [...storage.of(SERVICES).values()].map((entry) => entry.object);
  const used = new Set<string>();
  // A claim that is made meanwhile is young.
  for await (const service of inTurns(services)) {
    for (const { allocator, value } of heldBy(service, ranges)) {
      const name = allocator.nameOf(value);
      used.add(`${name} ${service.metadata.namespace}/${service.metadata.name}`);
      if (allocator.contains(value) && !allocator.claims.has(name)) {
        await allocator.claims.take(name, claimantOf(service), nowMs);
      }
    }
  }
  // All cluster IPs are claimed by objects of one kind, whatever their family.
  const [clusterIps] = ranges.clusterIps;
  if (clusterIps !== undefined) await releaseUnused(clusterIps.allocator.claims, used, nowMs);
  await releaseUnused(ranges.nodePorts.claims, used, nowMs);
}

async function releaseUnused(claims: Claims, used: ReadonlySet<string>, nowMs: number): Promise<void> {
  for await (const { name, holder, object } of inTurns(claims.all())) {
    if (holder === undefined || used.has(`${name} ${holder.namespace}/${holder.name}`)) continue;
    const createdMs = parseTimestamp(object.metadata.creationTimestamp ?? '') ?? 0;
    if (nowMs - createdMs > GRACE_MS) await claims.release(name, holder);
  }
}

/** Requests do not wait for all of them. */
async function* inTurns<T>(objects: Iterable<T>): AsyncGenerator<T> {
  let index = 0;
  for (const object of objects) {
    if (index++ % OBJECTS_A_TURN === 0) await nextTurn();
    yield object;
  }
}
