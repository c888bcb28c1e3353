/** LimitRanges in force: what they give to new pods, and which pods and claims they refuse (Kubernetes "Limit Ranges"). */
import type { LimitRange, PersistentVolumeClaim, Pod } from 'kubernetes-types/core/v1.js';
import type { KubeObject } from '../../../../shared/api/object.ts';
import { applyLimitRange, claimLimitErrors, podLimitErrors } from '../../../../shared/api/quota/limit-range.ts';
import type { ResourceRef } from '../../../../shared/api/resource.ts';
import { LIMITRANGES, PERSISTENTVOLUMECLAIMS, PODS } from '../../../../shared/api/resources.ts';
import { forbidden } from '../../../../shared/api/status.ts';
import type { ObjectStorage } from '../../storage/object-storage.ts';

/** Changes the pod in place. */
export function applyLimitRanges(storage: ObjectStorage, pod: Pod, namespace: string | undefined): void {
  for (const range of rangesIn(storage, namespace)) applyLimitRange(pod, range);
}

/** Throws Forbidden. */
export function checkLimitRanges(
  storage: ObjectStorage,
  resource: Pick<ResourceRef, 'group' | 'resource'>,
  object: KubeObject,
): void {
  if (resource.group !== '') return;
  const { name = '', namespace } = object.metadata;
  for (const range of rangesIn(storage, namespace)) {
    const errors = errorsOf(resource.resource, object, range);
    if (errors.length === 0) continue;
    throw forbidden(resource, name, errors.length === 1 ? errors[0]! : `[${errors.join(', ')}]`);
  }
}

function errorsOf(resource: string, object: KubeObject, range: LimitRange): string[] {
  // The decoder has checked the object against its kind.
  if (resource === PODS.resource) return podLimitErrors(object as unknown as Pod, range);
  if (resource === PERSISTENTVOLUMECLAIMS.resource) {
    return claimLimitErrors(object as unknown as PersistentVolumeClaim, range);
  }
  return [];
}

function rangesIn(storage: ObjectStorage, namespace: string | undefined): LimitRange[] {
  const ranges = storage.of(LIMITRANGES);
  if (ranges.size === 0) return [];
  return ranges
    .list()
    .filter(({ object }) => object.metadata.namespace === namespace)
    .map(({ object }) => object as unknown as LimitRange);
}
