/** Ownership: which controller an object belongs to, and how an object is taken over or let go. */
import { controllerOf, type ObjectMeta, type OwnerReference } from '../../shared/api/object.ts';
import { apiVersionOf, type ResourceRef } from '../../shared/api/resource.ts';
import type { Action } from './action.ts';

interface Owned {
  readonly metadata: ObjectMeta;
}

interface Owner {
  readonly metadata: { readonly name: string; readonly uid: string };
}

export function controllerReference(resource: ResourceRef, owner: Owner): OwnerReference {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function isControlledBy(object: Owned, owner: Owner): boolean {
  return controllerOf(object)?.uid === owner.metadata.uid;
}

/** `namespace/name` of the controller, when it is of this kind. */
export function controllerKey(object: Owned, resource: ResourceRef): string | undefined {
  const owner = controllerOf(object);
  if (owner === undefined || owner.kind !== resource.kind || owner.apiVersion !== apiVersionOf(resource)) {
    return undefined;
  }
  return `${object.metadata.namespace ?? ''}/${owner.name}`;
}

/** Makes `owner` the controller of an object that has none. */
export function adopt(resource: ResourceRef, object: Owned, ownerResource: ResourceRef, owner: Owner): Action {
  const others = object.metadata.ownerReferences ?? [];
  return ownerPatch(resource, object, [...others, controllerReference(ownerResource, owner)]);
}

/** Takes `owner` out of the object's owners. */
export function release(resource: ResourceRef, object: Owned, owner: Owner): Action {
  const rest = (object.metadata.ownerReferences ?? []).filter((reference) => reference.uid !== owner.metadata.uid);
  return ownerPatch(resource, object, rest);
}

function ownerPatch(resource: ResourceRef, object: Owned, ownerReferences: readonly OwnerReference[]): Action {
  return {
    kind: 'patch',
    resource,
    name: object.metadata.name ?? '',
    namespace: object.metadata.namespace,
    type: 'merge',
    body: {
      metadata: {
        uid: object.metadata.uid,
        resourceVersion: object.metadata.resourceVersion,
        ownerReferences: ownerReferences.length === 0 ? null : ownerReferences,
      },
    },
  };
}
