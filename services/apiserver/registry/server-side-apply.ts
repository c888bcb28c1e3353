/** PATCH with `application/apply-patch+yaml`: the fields that a manager wants, and no others (Kubernetes "Server-Side Apply"). */
import { isJsonObject, type KubeObject } from '../../../shared/api/object.ts';
import { applyConfiguration } from '../../../shared/api/patch/managed-fields.ts';
import { mergeTypeOfResource } from '../../../shared/api/schema/merge-type.ts';
import { badRequest, conflict, invalid, isApiError } from '../../../shared/api/status.ts';
import { isTrue } from '../http/request-info.ts';
import type { ApiAnswer, ApiCall, RequestBody } from './api-call.ts';
import { createObject } from './create.ts';
import { KEEP_MANAGERS, writerOf } from './managed-fields.ts';
import { decodeValue } from './object-model.ts';
import type { RegistryContext } from './registry-context.ts';
import { type WriteOptions, writeOptions } from './request-options.ts';
import { updateObject } from './update.ts';

const MAX_ATTEMPTS = 3;

export async function serverSideApply(context: RegistryContext, call: ApiCall, body: RequestBody): Promise<ApiAnswer> {
  const options = writeOptions(call.query);
  requireManager(options);
  const applied = configuration(call, body, options);
  for (let attempt = 1; ; attempt++) {
    try {
      return await applyOnce(context, call, applied, options);
    } catch (error) {
      // Somebody made it, or removed it, between the look and the write.
      const raced = isApiError(error, 'AlreadyExists') || isApiError(error, 'NotFound');
      if (!raced || attempt >= MAX_ATTEMPTS) throw error;
    }
  }
}

async function applyOnce(
  context: RegistryContext,
  call: ApiCall,
  applied: KubeObject,
  options: WriteOptions,
): Promise<ApiAnswer> {
  const { definition, name = '', namespace } = call;
  const type = mergeTypeOfResource(definition);
  const writer = writerOf(context, call, options.fieldManager);
  const force = isTrue(call.query.get('force'));
  const redecode = (merged: KubeObject) => ({
    ...decodeValue(call, definition, merged, 'Ignore'),
    metadata: merged.metadata,
  });
  if (context.storage.get(definition.storage, name, namespace) === undefined && call.subresource === undefined) {
    if (applied.metadata.uid)
      throw conflict(
        definition,
        name,
        `uid mismatch: the provided object specified uid ${applied.metadata.uid}, and no existing object was found`,
      );
    const sent = redecode(applyConfiguration(undefined, applied, type, writer, force));
    const object = await createObject(context, call, sent, { dryRun: options.dryRun, tracker: KEEP_MANAGERS });
    return { kind: 'object', code: 201, object };
  }
  const object = await updateObject(context, call, { dryRun: options.dryRun, tracker: KEEP_MANAGERS }, (current) => {
    const merged = applyConfiguration(current, applied, type, writer, force);
    return redecode({ ...merged, metadata: { ...merged.metadata, resourceVersion: applied.metadata.resourceVersion } });
  });
  return { kind: 'object', code: 200, object };
}

function requireManager({ fieldManager }: WriteOptions): void {
  if (fieldManager) return;
  throw invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [
    { field: 'fieldManager', reason: 'FieldValueRequired', message: 'Required value: is required for apply patch' },
  ]);
}

/** What is applied to the object says nothing about its status, and the other way round. */
function configuration(call: ApiCall, body: RequestBody, options: WriteOptions): KubeObject {
  const value = body.value;
  if (isJsonObject(value) && (value.apiVersion === undefined || value.kind === undefined)) {
    throw badRequest('an applied configuration must say its apiVersion and kind');
  }
  const decoded = decodeValue(call, call.definition, value, options.fieldValidation, body.duplicateFields);
  const { metadata } = decoded;
  if (metadata.name !== undefined && metadata.name !== call.name) {
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${call.name})`);
  }
  if (metadata.namespace !== undefined && metadata.namespace !== call.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  const place = {
    ...metadata,
    name: call.name,
    ...(call.namespace === undefined ? {} : { namespace: call.namespace }),
  };
  const { status, ...rest } = decoded;
  if (call.subresource?.name !== 'status') return { ...rest, metadata: place };
  return { apiVersion: decoded.apiVersion, kind: decoded.kind, metadata: place, status };
}
