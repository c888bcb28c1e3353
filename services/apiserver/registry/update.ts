/**
 * PUT of an object or of one of its subresources, and what a PATCH comes to: from the present state to a new one by
 * compare-and-set, repeated on conflict unless the client pinned a resourceVersion.
 */

import { fromStorage, toStorage } from '../../../shared/api/conversion/convert.ts';
import type { KubeObject } from '../../../shared/api/object.ts';
import { badRequest, conflict, invalid } from '../../../shared/api/status.ts';
import { warningsFor } from '../../../shared/api/validation/warnings.ts';
import type { Attempt } from '../storage/object-storage.ts';
import { chargeQuotas } from './admission/quotas.ts';
import type { ApiAnswer, ApiCall } from './api-call.ts';
import { checkPlace, type Writing } from './create.ts';
import { trackerFor } from './managed-fields.ts';
import { applyDefaults, decodeBody, validateChanged } from './object-model.ts';
import {
  countsGeneration,
  desiredStateDiffers,
  hasStatusSubresource,
  sameObject,
  updatedMetadata,
  withStatusOf,
} from './object-state.ts';
import { type RegistryContext, writeContext } from './registry-context.ts';
import { writeOptions } from './request-options.ts';
import type { Undo } from './strategy.ts';

export async function update(context: RegistryContext, call: ApiCall): Promise<ApiAnswer> {
  const options = writeOptions(call.query);
  const sent = decodeBody(call, options.fieldValidation);
  checkPlace(call, sent);
  if (sent.metadata.name && sent.metadata.name !== call.name) {
    throw badRequest(
      `the name of the object (${sent.metadata.name}) does not match the name on the URL (${call.name})`,
    );
  }
  sent.metadata.name = call.name;
  const tracker = trackerFor(context, call, options.fieldManager);
  let first: KubeObject | undefined = sent;
  // Each attempt fills in an object of its own.
  const wanted = () => {
    const object = first ?? { ...decodeBody(call, 'Ignore'), metadata: { ...sent.metadata } };
    first = undefined;
    return object;
  };
  const object = await updateObject(context, call, { dryRun: options.dryRun, tracker }, wanted);
  return { kind: 'object', code: 200, object };
}

/**
 * `change` makes the wanted object of the present one, both in the request's version; it may be called again with a newer
 * state. Only the status counts when the call is for that subresource, only the rest when it is not.
 */
export async function updateObject(
  context: RegistryContext,
  call: ApiCall,
  writing: Writing,
  change: (current: KubeObject) => KubeObject | Promise<KubeObject>,
): Promise<KubeObject> {
  const { definition, namespace, name = '' } = call;
  const { dryRun } = writing;
  const strategy = context.strategyOf(definition);
  let previous: KubeObject | undefined;
  let outcome: KubeObject | undefined;
  const attempt = async (stored: KubeObject): Promise<Attempt> => {
    previous = stored;
    const current = fromStorage(stored, definition);
    const { object, undo } = await prepare(context, call, writing, current, await change(current));
    outcome = object;
    if (sameObject(object, current)) return { kind: 'unchanged' };
    const next = toStorage(object, definition);
    if (isReleased(next, strategy.holds?.(next) ?? false))
      return dryRun ? { kind: 'unchanged' } : { kind: 'remove', object: next };
    if (dryRun) return { kind: 'unchanged' };
    return { kind: 'write', object: next, rollback: undo };
  };
  const result = await context.storage.update(definition.storage, name, namespace, attempt);
  if (dryRun) return withRevision(outcome!, previous!);
  if (result.removed) await strategy.deleted?.(result.object);
  else await strategy.updated?.(result.object, previous!);
  return fromStorage(result.object, definition);
}

/** A dry run answers with the revision that the object still has. */
function withRevision(object: KubeObject, { metadata: { resourceVersion } }: KubeObject): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion } };
}

interface Prepared {
  readonly object: KubeObject;
  readonly undo: Undo;
}

async function prepare(
  context: RegistryContext,
  call: ApiCall,
  { dryRun, tracker }: Writing,
  current: KubeObject,
  wanted: KubeObject,
): Promise<Prepared> {
  const { definition } = call;
  checkPreconditions(call, current, wanted);
  const object =
    call.subresource?.name === 'status'
      ? withStatusOf(wanted, current, definition)
      : { ...wanted, metadata: updatedMetadata(wanted.metadata, current.metadata) };
  if (call.subresource?.name !== 'status' && hasStatusSubresource(definition)) keepStatus(object, current);
  applyDefaults(definition, object);
  const writing = writeContext(context, call, dryRun);
  const strategy = context.strategyOf(definition);
  const undo = [call.subresource === undefined ? await strategy.update?.(object, current, writing) : undefined];
  try {
    if (countsGeneration(definition, object) && desiredStateDiffers(definition, object, current)) {
      object.metadata.generation = (current.metadata.generation ?? 0) + 1;
    }
    checkFinalizers(call, current, object);
    const errors = await validateChanged(definition, object, current, call.subresource?.name);
    if (errors.length > 0) throw invalid(definition, call.name ?? '', errors);
    const { storage } = context;
    if (call.subresource === undefined) {
      for (const warning of warningsFor(object, definition.schema)) call.warn(warning);
      undo.push(await chargeQuotas({ storage, resource: definition, object, old: current, ...writing }));
    }
    return { object: tracker(current, object), undo: () => undoAll(undo) };
  } catch (error) {
    await undoAll(undo);
    throw error;
  }
}

async function undoAll(steps: readonly (Undo | undefined)[]): Promise<void> {
  for (const step of steps.toReversed()) await step?.();
}

function keepStatus(object: KubeObject, { status }: KubeObject): void {
  if (status === undefined) delete object.status;
  else object.status = status;
}

function checkPreconditions(call: ApiCall, current: KubeObject, wanted: KubeObject): void {
  const name = call.name ?? '';
  const { uid, resourceVersion } = wanted.metadata;
  if (uid !== undefined && uid !== '' && uid !== current.metadata.uid) {
    throw conflict(
      call.definition,
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`,
    );
  }
  if (
    resourceVersion !== undefined &&
    resourceVersion !== '0' &&
    resourceVersion !== current.metadata.resourceVersion
  ) {
    throw conflict(call.definition, name);
  }
}

function checkFinalizers(call: ApiCall, current: KubeObject, object: KubeObject): void {
  if (current.metadata.deletionTimestamp === undefined) return;
  const present = new Set(current.metadata.finalizers ?? []);
  const added = (object.metadata.finalizers ?? []).filter((finalizer) => !present.has(finalizer));
  if (added.length === 0) return;
  const list = added.map((finalizer) => JSON.stringify(finalizer)).join(', ');
  throw invalid(call.definition, call.name ?? '', [
    {
      field: 'metadata.finalizers',
      reason: 'FieldValueForbidden',
      message: `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`,
    },
  ]);
}

/** Marked for deletion, and nothing holds it any more. */
export function isReleased(object: KubeObject, held: boolean): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata;
  return (
    deletionTimestamp !== undefined &&
    !held &&
    (finalizers ?? []).length === 0 &&
    (deletionGracePeriodSeconds ?? 0) === 0
  );
}
