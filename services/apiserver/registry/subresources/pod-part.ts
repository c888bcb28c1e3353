/** `pods/ephemeralcontainers` and `pods/resize`: updates of one part of a pod that is otherwise fixed. */
import { fieldAt, isJsonObject, type JsonObject, type KubeObject } from '../../../../shared/api/object.ts';
import type { ApiAnswer, ApiCall } from '../api-call.ts';
import { getOne } from '../list.ts';
import { trackerFor } from '../managed-fields.ts';
import { decodeBody, decodeValue } from '../object-model.ts';
import { applyPatch, requiredBody } from '../patch.ts';
import type { RegistryContext } from '../registry-context.ts';
import { type WriteOptions, writeOptions } from '../request-options.ts';
import { updateObject } from '../update.ts';

export const getPodPart = getOne;

export async function updatePodPart(context: RegistryContext, call: ApiCall): Promise<ApiAnswer> {
  const options = writeOptions(call.query);
  const sent = decodeBody(call, options.fieldValidation);
  return write(context, call, options, () => sent);
}

export async function patchPodPart(context: RegistryContext, call: ApiCall): Promise<ApiAnswer> {
  const options = writeOptions(call.query);
  const body = requiredBody(call);
  return write(context, call, options, (current) =>
    decodeValue(call, call.definition, applyPatch(current, body, call.definition.schema), options.fieldValidation),
  );
}

async function write(
  context: RegistryContext,
  call: ApiCall,
  { dryRun, fieldManager }: WriteOptions,
  wanted: (current: KubeObject) => KubeObject,
): Promise<ApiAnswer> {
  const tracker = trackerFor(context, call, fieldManager);
  const object = await updateObject(context, call, { dryRun, tracker }, (current) => {
    const sent = wanted(current);
    const spec: JsonObject = isJsonObject(current.spec) ? current.spec : {};
    const changed = call.subresource?.name === 'resize' ? resized(spec, sent) : withEphemeral(spec, sent);
    return {
      ...current,
      metadata: { ...current.metadata, resourceVersion: sent.metadata.resourceVersion },
      spec: changed,
    };
  });
  return { kind: 'object', code: 200, object };
}

function withEphemeral(spec: JsonObject, sent: KubeObject): JsonObject {
  return { ...spec, ephemeralContainers: listOf(fieldAt(sent, 'spec', 'ephemeralContainers')) };
}

/** Of each container, only the resources. */
function resized(spec: JsonObject, sent: KubeObject): JsonObject {
  const wanted = listOf(fieldAt(sent, 'spec', 'containers'));
  const containers = listOf(spec.containers).map((container) => {
    const name = fieldAt(container, 'name');
    const match = wanted.find((candidate) => fieldAt(candidate, 'name') === name);
    const resources = fieldAt(match, 'resources');
    return isJsonObject(container) && resources !== undefined ? { ...container, resources } : container;
  });
  return { ...spec, containers };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
