/** What the objects of a namespace take of its quotas, from the watch cache. */
import type { Pod, ResourceQuota } from 'kubernetes-types/core/v1.js';
import type { KubeObject } from '../../../../shared/api/object.ts';
import type { Quantity } from '../../../../shared/api/quantity.ts';
import { type Amounts, addTo, count } from '../../../../shared/api/quota/amounts.ts';
import { isInScope } from '../../../../shared/api/quota/scope.ts';
import { quotaUsage } from '../../../../shared/api/quota/usage.ts';
import type { ResourceRef } from '../../../../shared/api/resource.ts';
import { RESOURCEQUOTAS } from '../../../../shared/api/resources.ts';
import type { ObjectStorage } from '../../storage/object-storage.ts';

type Counted = Pick<ResourceRef, 'group' | 'resource'>;

/** A state of an object never changes, and so does what it takes; a dying pod's is a matter of time. */
const known = new WeakMap<KubeObject, Amounts>();

export function quotasIn(storage: ObjectStorage, namespace: string): ResourceQuota[] {
  const quotas = storage.of(RESOURCEQUOTAS);
  if (quotas.size === 0) return [];
  return quotas
    .list()
    .filter(({ object }) => object.metadata.namespace === namespace)
    .map(({ object }) => object as unknown as ResourceQuota);
}

/** All that the namespace's objects take of the quota: each of its resource names, 0 included. */
export function totalUsage(storage: ObjectStorage, quota: ResourceQuota, nowMs: number): Map<string, Quantity> {
  const total = new Map(Object.keys(quota.spec?.hard ?? {}).map((name) => [name, count(0)]));
  for (const cache of storage.cache.all()) {
    const resource = { group: cache.group, resource: cache.name };
    if (!concerns(total, resource)) continue;
    for (const { object } of cache.values()) {
      if (object.metadata.namespace !== quota.metadata?.namespace) continue;
      addTo(total, usageOf(quota, resource, object, nowMs));
    }
  }
  return total;
}

/** What one object takes of the quota; nothing when it is outside of its scopes. */
export function usageOf(quota: ResourceQuota, resource: Counted, object: KubeObject, nowMs: number): Amounts {
  const isPod = resource.group === '' && resource.resource === 'pods';
  // The decoder has checked the object against its kind.
  if (!isInScope(quota, isPod ? (object as unknown as Pod) : undefined)) return new Map();
  const hard = quota.spec?.hard ?? {};
  return new Map([...wholeUsage(resource, object, nowMs)].filter(([name]) => Object.hasOwn(hard, name)));
}

function wholeUsage(resource: Counted, object: KubeObject, nowMs: number): Amounts {
  const before = known.get(object);
  if (before !== undefined) return before;
  const usage = quotaUsage(resource, object, nowMs);
  // Without a revision it is still being made.
  if (object.metadata.resourceVersion !== undefined && object.metadata.deletionTimestamp === undefined) {
    known.set(object, usage);
  }
  return usage;
}

/** Whether a quota with these names counts anything of the resource: most kinds are counted by number alone. */
function concerns(names: ReadonlyMap<string, unknown>, { group, resource }: Counted): boolean {
  if (group !== '') return names.has(`count/${resource}.${group}`);
  if (names.has(`count/${resource}`) || names.has(resource)) return true;
  return resource === 'pods' || resource === 'services' || resource === 'persistentvolumeclaims';
}
