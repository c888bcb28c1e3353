/** PATCH in its four kinds (Kubernetes API concepts, "Patch and apply"). */
import { isJsonObject, type KubeObject, valueText } from '../../../shared/api/object.ts';
import { applyJsonPatch } from '../../../shared/api/patch/json-patch.ts';
import { applyMergePatch } from '../../../shared/api/patch/merge-patch.ts';
import { applyStrategicMergePatch } from '../../../shared/api/patch/strategic-merge.ts';
import { ApiError, badRequest, unsupportedMediaType } from '../../../shared/api/status.ts';
import type { ApiAnswer, ApiCall, RequestBody } from './api-call.ts';
import { trackerFor } from './managed-fields.ts';
import { decodeValue } from './object-model.ts';
import type { RegistryContext } from './registry-context.ts';
import { writeOptions } from './request-options.ts';
import { serverSideApply } from './server-side-apply.ts';
import { updateObject } from './update.ts';

export const JSON_PATCH = 'application/json-patch+json';
export const MERGE_PATCH = 'application/merge-patch+json';
export const STRATEGIC_MERGE_PATCH = 'application/strategic-merge-patch+json';
export const APPLY_PATCH = 'application/apply-patch+yaml';
const PATCH_TYPES = [JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, APPLY_PATCH];
/** Nobody has said how the lists of a custom resource merge strategically. */
const CUSTOM_PATCH_TYPES = PATCH_TYPES.filter((type) => type !== STRATEGIC_MERGE_PATCH);

export async function patch(context: RegistryContext, call: ApiCall): Promise<ApiAnswer> {
  const body = requiredBody(call);
  if (body.mediaType === APPLY_PATCH) return serverSideApply(context, call, body);
  const options = writeOptions(call.query);
  if (call.query.has('force')) throw forceWithoutApply();
  const tracker = trackerFor(context, call, options.fieldManager);
  const object = await updateObject(context, call, { dryRun: options.dryRun, tracker }, (current) => {
    const patched = applyPatch(current, body, call.definition.schema);
    checkUnmoved(current, patched);
    return decodeValue(call, call.definition, patched, options.fieldValidation, body.duplicateFields);
  });
  return { kind: 'object', code: 200, object };
}

export function requiredBody(call: ApiCall): RequestBody {
  if (call.body === undefined) throw badRequest('the body of the request is missing');
  const types = call.definition.custom === undefined ? PATCH_TYPES : CUSTOM_PATCH_TYPES;
  if (!types.includes(call.body.mediaType)) throw unsupportedMediaType(types);
  return call.body;
}

/** A new value; the target is not changed. */
export function applyPatch(target: KubeObject, { mediaType, value }: RequestBody, schema: string): unknown {
  switch (mediaType) {
    case JSON_PATCH:
      return applyJsonPatch(target, value);
    case MERGE_PATCH:
      if (!isJsonObject(value)) throw undecodable(value);
      return applyMergePatch(target, value);
    default:
      if (!isJsonObject(value)) throw undecodable(value);
      return applyStrategicMergePatch(target, value, schema);
  }
}

function forceWithoutApply(): Error {
  const detail = 'Forbidden: may not be specified for non-apply patch';
  return new ApiError(422, 'Invalid', `PatchOptions.meta.k8s.io "" is invalid: force: ${detail}`, {
    group: 'meta.k8s.io',
    kind: 'PatchOptions',
    causes: [{ reason: 'FieldValueForbidden', message: detail, field: 'force' }],
  });
}

function undecodable(value: unknown): Error {
  const found = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  return badRequest(
    `error decoding patch: json: cannot unmarshal ${found} into Go value of type map[string]interface {}`,
  );
}

function checkUnmoved(current: KubeObject, patched: unknown): void {
  const metadata = isJsonObject(patched) && isJsonObject(patched.metadata) ? patched.metadata : {};
  if (metadata.name !== current.metadata.name) {
    throw badRequest(
      `the name of the object (${valueText(metadata.name)}) does not match the name on the URL (${current.metadata.name})`,
    );
  }
  if (metadata.namespace !== current.metadata.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
}
