/** Deletes the objects of CustomResourceDefinitions that are deleted, and lets those go that have none left. */
import { isEstablished, storedResource } from '../../../shared/api/custom-resource/definition.ts';
import { CLEANUP_FINALIZER } from '../../../shared/api/custom-resource/names.ts';
import type { KubeObject } from '../../../shared/api/object.ts';
import { CUSTOMRESOURCEDEFINITIONS } from '../../../shared/api/resources.ts';
import { isApiError } from '../../../shared/api/status.ts';
import { deleteObject } from '../registry/delete.ts';
import type { RegistryContext } from '../registry/registry-context.ts';
import { deleteOptions } from '../registry/request-options.ts';
import { isReleased } from '../registry/update.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';

const PLAIN = deleteOptions(new URLSearchParams(), undefined);

export function definitionsToCleanUp(storage: ObjectStorage): KubeObject[] {
  const definitions = storage.of(CUSTOMRESOURCEDEFINITIONS).list();
  return definitions.map(({ object }) => object).filter(waitsForCleanup);
}

function waitsForCleanup({ metadata: { deletionTimestamp, finalizers = [] } }: KubeObject): boolean {
  return deletionTimestamp !== undefined && finalizers.includes(CLEANUP_FINALIZER);
}

export async function cleanUpDefinitions(context: RegistryContext): Promise<void> {
  for (const object of definitionsToCleanUp(context.storage)) {
    if (await deleteObjects(context, object)) await gone(() => release(context, object));
  }
}

/** True when none is left: those with finalizers stay until these are gone. */
async function deleteObjects(context: RegistryContext, definition: KubeObject): Promise<boolean> {
  const resource = storedResource(definition);
  // Without its names it never had objects: those that lie there are somebody else's.
  if (resource === undefined || !isEstablished(definition)) return true;
  const cache = context.storage.of(resource);
  for (const { object } of cache.list()) {
    const { name = '', namespace, deletionTimestamp } = object.metadata;
    if (deletionTimestamp !== undefined) continue;
    await gone(() => deleteObject(context, resource, name, namespace, PLAIN));
  }
  return cache.size === 0;
}

async function release(context: RegistryContext, { metadata: { name = '' } }: KubeObject): Promise<void> {
  const result = await context.storage.update(CUSTOMRESOURCEDEFINITIONS, name, undefined, (current) => {
    const finalizers = (current.metadata.finalizers ?? []).filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
    const object: KubeObject = { ...current, metadata: { ...current.metadata, finalizers } };
    return { kind: isReleased(object, false) ? 'remove' : 'write', object };
  });
  const strategy = context.strategyOf(CUSTOMRESOURCEDEFINITIONS);
  if (result.removed) await strategy.deleted?.(result.object);
}

/** Another apiserver may be faster. */
async function gone(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isApiError(error, 'NotFound')) throw error;
  }
}
