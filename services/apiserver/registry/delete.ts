/**
 * DELETE: marks an object and leaves it until its finalizers are gone and its grace period is over, or removes it at once
 * (Kubernetes "Finalizers", "Garbage Collection", "Pod termination").
 */

import { fromStorage } from '../../../shared/api/conversion/convert.ts';
import type { KubeObject, ObjectMeta } from '../../../shared/api/object.ts';
import type { ResourceDefinition } from '../../../shared/api/registry.ts';
import { conflict, isApiError, type Status } from '../../../shared/api/status.ts';
import { formatTimestamp } from '../../../shared/api/timestamp.ts';
import type { Attempt } from '../storage/object-storage.ts';
import type { ApiAnswer, ApiCall } from './api-call.ts';
import { selectObjects } from './list.ts';

import type { RegistryContext } from './registry-context.ts';
import { type DeleteOptions, deleteOptions } from './request-options.ts';
import type { Strategy } from './strategy.ts';
import { isReleased } from './update.ts';

/** Asks the garbage collector to let go of the dependents first. */
export const ORPHAN_FINALIZER = 'orphan';
/** Asks the garbage collector to delete the dependents first. */
export const FOREGROUND_FINALIZER = 'foregroundDeletion';

export async function deleteOne(context: RegistryContext, call: ApiCall): Promise<ApiAnswer> {
  const options = deleteOptions(call.query, call.body?.value);
  const { definition, namespace, name = '' } = call;
  const { object, removed } = await deleteObject(context, definition, name, namespace, options);
  if (!removed || context.strategyOf(definition).returnsDeleted) return { kind: 'object', code: 200, object };
  return { kind: 'status', code: 200, status: deletedStatus(definition, object) };
}

/** Deletes what the selectors find; one that is gone meanwhile is no failure. */
export async function deleteCollection(context: RegistryContext, call: ApiCall): Promise<ApiAnswer> {
  const options = deleteOptions(call.query, call.body?.value);
  const { definition } = call;
  const items: KubeObject[] = [];
  for (const { object } of selectObjects(context, call)) {
    const { name = '', namespace } = object.metadata;
    try {
      items.push((await deleteObject(context, definition, name, namespace, options)).object);
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }
  return { kind: 'list', code: 200, list: { items, resourceVersion: String(context.storage.cache.revision) } };
}

export interface Deletion {
  readonly object: KubeObject;
  /** False when it only was marked. */
  readonly removed: boolean;
}

export async function deleteObject(
  context: RegistryContext,
  definition: ResourceDefinition,
  name: string,
  namespace: string | undefined,
  options: DeleteOptions,
): Promise<Deletion> {
  const strategy = context.strategyOf(definition);
  let planned: Attempt | undefined;
  const result = await context.storage.update(definition.storage, name, namespace, (current) => {
    checkDeletePreconditions(definition, current, options);
    strategy.checkDelete?.(current);
    planned = planDeletion(current, strategy, options, context.clock.nowMs());
    return options.dryRun ? { kind: 'unchanged' } : planned;
  });
  if (options.dryRun) return { object: fromStorage(result.object, definition), removed: planned?.kind === 'remove' };
  if (result.removed) await strategy.deleted?.(result.object);
  return { object: fromStorage(result.object, definition), removed: result.removed };
}

function planDeletion(current: KubeObject, strategy: Strategy, options: DeleteOptions, nowMs: number): Attempt {
  const metadata: ObjectMeta = { ...current.metadata };
  const object: KubeObject = { ...current, metadata };
  const finalizers = finalizersFor(metadata.finalizers ?? [], options);
  if (finalizers.length > 0) metadata.finalizers = finalizers;
  else delete metadata.finalizers;
  const graceSeconds = strategy.gracePeriodSeconds?.(current, options) ?? 0;
  const alreadyMarked = metadata.deletionTimestamp !== undefined;
  if (!alreadyMarked || graceSeconds < (metadata.deletionGracePeriodSeconds ?? 0)) {
    const deletedAtMs = alreadyMarked ? markedAtMs(metadata) : nowMs;
    metadata.deletionTimestamp = formatTimestamp(deletedAtMs + graceSeconds * 1000);
    metadata.deletionGracePeriodSeconds = graceSeconds;
    if (metadata.generation !== undefined) metadata.generation++;
    strategy.markDeleted?.(object);
  }
  if (isReleased(object, strategy.holds?.(object) ?? false)) return { kind: 'remove', object };
  const changed = !alreadyMarked || metadata.deletionGracePeriodSeconds !== current.metadata.deletionGracePeriodSeconds;
  const finalizersChanged = String(finalizers) !== String(current.metadata.finalizers ?? []);
  return changed || finalizersChanged ? { kind: 'write', object } : { kind: 'unchanged' };
}

/** The mark says when the grace period ends. */
function markedAtMs(metadata: ObjectMeta): number {
  return Date.parse(metadata.deletionTimestamp!) - (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
}

function finalizersFor(present: readonly string[], { propagationPolicy }: DeleteOptions): string[] {
  if (propagationPolicy === undefined) return [...present];
  const others = present.filter((finalizer) => finalizer !== ORPHAN_FINALIZER && finalizer !== FOREGROUND_FINALIZER);
  if (propagationPolicy === 'Orphan') return [...others, ORPHAN_FINALIZER];
  if (propagationPolicy === 'Foreground') return [...others, FOREGROUND_FINALIZER];
  return others;
}

function checkDeletePreconditions(definition: ResourceDefinition, current: KubeObject, options: DeleteOptions): void {
  const { uid, resourceVersion, name = '' } = current.metadata;
  if (options.uid !== undefined && options.uid !== uid) {
    throw conflict(
      definition,
      name,
      `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ${uid}`,
    );
  }
  if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion) {
    throw conflict(
      definition,
      name,
      `Precondition failed: ResourceVersion in precondition: ${options.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`,
    );
  }
}

function deletedStatus(definition: ResourceDefinition, object: KubeObject): Status {
  const { name = '', uid } = object.metadata;
  const group = definition.group === '' ? {} : { group: definition.group };
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...group, kind: definition.resource, ...(uid === undefined ? {} : { uid }) },
  };
}
