/** The `scale` subresource: one small object for everything that has replicas (autoscaling/v1 Scale). */

import { fromStorage } from '../../../../shared/api/conversion/convert.ts';
import type { ScalePaths } from '../../../../shared/api/custom-resource/definition.ts';
import { labelSelectorText, selectorFromLabels, selectorFromObject } from '../../../../shared/api/label-selector.ts';
import { fieldAt, isJsonObject, type JsonObject, type KubeObject } from '../../../../shared/api/object.ts';
import type { ResourceDefinition } from '../../../../shared/api/registry.ts';
import { badRequest, invalid, notFound } from '../../../../shared/api/status.ts';
import type { ApiAnswer, ApiCall } from '../api-call.ts';

import { trackerFor } from '../managed-fields.ts';
import { APPLY_PATCH, applyPatch, requiredBody } from '../patch.ts';
import type { RegistryContext } from '../registry-context.ts';
import { writeOptions } from '../request-options.ts';
import { updateObject } from '../update.ts';

const SCALE_SCHEMA = 'autoscaling.v1.Scale';

export async function getScale(context: RegistryContext, call: ApiCall): Promise<ApiAnswer> {
  const { definition, name = '', namespace } = call;
  const stored = context.storage.get(definition.storage, name, namespace);
  if (stored === undefined) throw notFound(definition, name);
  return { kind: 'object', code: 200, object: scaleOf(fromStorage(stored, definition), definition) };
}

export async function updateScale(context: RegistryContext, call: ApiCall): Promise<ApiAnswer> {
  if (call.body === undefined) throw badRequest('the body of the request is missing');
  const { value } = call.body;
  return writeScale(context, call, () => value);
}

export async function patchScale(context: RegistryContext, call: ApiCall): Promise<ApiAnswer> {
  const body = requiredBody(call);
  // An applied Scale says its fields as a merge patch does.
  const patch = body.mediaType === APPLY_PATCH ? { ...body, mediaType: 'application/merge-patch+json' } : body;
  return writeScale(context, call, (current) => applyPatch(scaleOf(current, call.definition), patch, SCALE_SCHEMA));
}

async function writeScale(
  context: RegistryContext,
  call: ApiCall,
  wanted: (current: KubeObject) => unknown,
): Promise<ApiAnswer> {
  const { dryRun, fieldManager } = writeOptions(call.query);
  const tracker = trackerFor(context, call, fieldManager);
  const object = await updateObject(context, { ...call, subresource: undefined }, { dryRun, tracker }, (current) => {
    const scale = wanted(current);
    const replicas = fieldAt(scale, 'spec', 'replicas') ?? 0;
    if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0) {
      throw invalid({ group: 'autoscaling', kind: 'Scale' }, call.name ?? '', [
        {
          field: 'spec.replicas',
          reason: 'FieldValueInvalid',
          message: `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`,
        },
      ]);
    }
    const resourceVersion = fieldAt(scale, 'metadata', 'resourceVersion');
    const next = {
      ...current,
      metadata: {
        ...current.metadata,
        // Without a resourceVersion of its own, the Scale is written whatever the object has become.
        resourceVersion: typeof resourceVersion === 'string' && resourceVersion !== '' ? resourceVersion : undefined,
      },
    };
    return withField(next, pathsOf(call.definition).specReplicas, replicas);
  });
  return { kind: 'object', code: 200, object: scaleOf(object, call.definition) };
}

/** Where the built-in kinds have their replicas. */
const BUILT_IN_PATHS: ScalePaths = {
  specReplicas: ['spec', 'replicas'],
  statusReplicas: ['status', 'replicas'],
  labelSelector: undefined,
};

function pathsOf({ custom }: ResourceDefinition): ScalePaths {
  return custom?.scale ?? BUILT_IN_PATHS;
}

/** A copy of the object with another value at the path. */
function withField<T extends JsonObject>(object: T, [name, ...rest]: readonly string[], value: unknown): T {
  if (name === undefined) return object;
  const inner = object[name];
  return { ...object, [name]: rest.length === 0 ? value : withField(isJsonObject(inner) ? inner : {}, rest, value) };
}

function scaleOf(object: KubeObject, definition: ResourceDefinition): KubeObject {
  const { specReplicas, statusReplicas, labelSelector } = pathsOf(definition);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const text = labelSelector && fieldAt(object, ...labelSelector);
  const selector = definition.custom === undefined ? selectorText(fieldAt(object, 'spec', 'selector')) : text;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: fieldAt(object, ...specReplicas) ?? 0 },
    status: {
      replicas: fieldAt(object, ...statusReplicas) ?? 0,
      ...(selector === undefined ? {} : { selector }),
    },
  };
}

/** A ReplicationController has a plain map of labels, the others a LabelSelector. */
function selectorText(selector: unknown): string | undefined {
  if (!isJsonObject(selector)) return undefined;
  const plain = Object.values(selector).every((value) => typeof value === 'string');
  // Validation has seen both forms.
  const compiled = plain ? selectorFromLabels(selector as Record<string, string>) : selectorFromObject(selector);
  return compiled === undefined ? undefined : labelSelectorText(compiled);
}
