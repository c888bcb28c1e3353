/**
 * Garbage collection by owner references (Kubernetes documentation, "Garbage Collection"): an object goes when all its owners
 * are gone; foreground deletion takes the dependents first; orphaning takes the references out.
 */
import { controllerOf, type KubeObject, type OwnerReference } from '../../../shared/api/object.ts';
import { isTerminating } from '../../../shared/api/pod-condition.ts';
import type { ResourceRef } from '../../../shared/api/resource.ts';
import { type Action, NOTHING, type Outcome } from '../action.ts';

export interface GarbageState {
  readonly resource: ResourceRef;
  readonly object: KubeObject;
  /** How each owner of the object stands. */
  readonly owners: readonly OwnerStanding[];
  /** The objects that name this one as an owner. */
  readonly dependents: readonly Dependent[];
}

export interface OwnerStanding {
  readonly reference: OwnerReference;
  /** `unknown` kinds are not served here: their dependents are left alone. */
  readonly standing: 'present' | 'foreground' | 'gone' | 'unknown';
}

export interface Dependent {
  readonly resource: ResourceRef;
  readonly object: KubeObject;
}

const FOREGROUND = 'foregroundDeletion';
const ORPHAN = 'orphan';

export function reconcileGarbage(state: GarbageState): Outcome {
  const finalizers = state.object.metadata.finalizers ?? [];
  if (isTerminating(state.object)) {
    if (finalizers.includes(ORPHAN)) return { actions: orphanDependents(state) };
    if (finalizers.includes(FOREGROUND)) return { actions: deleteDependentsFirst(state) };
    return NOTHING;
  }
  return state.owners.length === 0 ? NOTHING : { actions: judgeByOwners(state) };
}

function judgeByOwners({ resource, object, owners, dependents }: GarbageState): Action[] {
  const solid = owners.filter(({ standing }) => standing === 'present' || standing === 'unknown');
  const foreground = owners.filter(({ standing }) => standing === 'foreground');
  const gone = owners.filter(({ standing }) => standing === 'gone');
  if (solid.length > 0) {
    const stale = [...gone, ...foreground].map(({ reference }) => reference.uid);
    return stale.length === 0 ? [] : [withoutOwners(resource, object, stale)];
  }
  const blocking = dependents.some(({ object: dependent }) => blocksDeletion(dependent, object.metadata.uid));
  if (foreground.length > 0 && blocking) return [deletion(resource, object, 'Foreground')];
  return [deletion(resource, object, 'Background')];
}

function deleteDependentsFirst({ resource, object, dependents }: GarbageState): Action[] {
  const blocking = dependents.filter(({ object: dependent }) => blocksDeletion(dependent, object.metadata.uid));
  if (blocking.length === 0) return [withoutFinalizer(resource, object, FOREGROUND)];
  return blocking
    .filter(({ object: dependent }) => !isTerminating(dependent) && onlyOwner(dependent, object.metadata.uid))
    .map((dependent) => deletion(dependent.resource, dependent.object, 'Foreground'));
}

function orphanDependents({ resource, object, dependents }: GarbageState): Action[] {
  const uid = object.metadata.uid ?? '';
  const releases = dependents.map((dependent) => withoutOwners(dependent.resource, dependent.object, [uid]));
  return [...releases, withoutFinalizer(resource, object, ORPHAN)];
}

function blocksDeletion(dependent: KubeObject, ownerUid: string | undefined): boolean {
  return (
    dependent.metadata.ownerReferences?.some(
      ({ uid, blockOwnerDeletion }) => uid === ownerUid && blockOwnerDeletion === true,
    ) ?? false
  );
}

function onlyOwner(dependent: KubeObject, ownerUid: string | undefined): boolean {
  return controllerOf(dependent)?.uid === ownerUid || (dependent.metadata.ownerReferences?.length ?? 0) === 1;
}

function deletion(resource: ResourceRef, object: KubeObject, propagationPolicy: 'Background' | 'Foreground'): Action {
  const { name = '', namespace, uid } = object.metadata;
  return { kind: 'delete', resource, name, namespace, uid, propagationPolicy };
}

function withoutOwners(resource: ResourceRef, object: KubeObject, uids: readonly string[]): Action {
  const rest = (object.metadata.ownerReferences ?? []).filter(({ uid }) => !uids.includes(uid));
  return metadataPatch(resource, object, { ownerReferences: rest.length === 0 ? null : rest });
}

function withoutFinalizer(resource: ResourceRef, object: KubeObject, finalizer: string): Action {
  const rest = (object.metadata.finalizers ?? []).filter((other) => other !== finalizer);
  return metadataPatch(resource, object, { finalizers: rest.length === 0 ? null : rest });
}

function metadataPatch(resource: ResourceRef, object: KubeObject, change: Record<string, unknown>): Action {
  const { name = '', namespace, uid, resourceVersion } = object.metadata;
  const body = { metadata: { uid, resourceVersion, ...change } };
  return { kind: 'patch', resource, name, namespace, type: 'merge', body };
}
