/**
 * POST of an object:
 *
 *   decoded -> system metadata -> defaults -> namespace check -> strategy (admission) -> validation -> limits, quotas
 *   -> allocation -> store
 */

import { fromStorage, toStorage } from '../../../shared/api/conversion/convert.ts';
import type { KubeObject } from '../../../shared/api/object.ts';
import type { ResourceDefinition } from '../../../shared/api/registry.ts';
import { ApiError, alreadyExists, badRequest, invalid, isApiError } from '../../../shared/api/status.ts';
import { warningsFor } from '../../../shared/api/validation/warnings.ts';
import { checkLimitRanges } from './admission/limit-ranges.ts';
import { chargeQuotas } from './admission/quotas.ts';
import type { ApiAnswer, ApiCall } from './api-call.ts';
import { type Tracker, trackerFor } from './managed-fields.ts';
import { checkNamespace } from './namespace-check.ts';
import { applyDefaults, decodeBody, validateNew } from './object-model.ts';
import { countsGeneration, generatedName, hasStatusSubresource, newMetadata } from './object-state.ts';
import { type RegistryContext, writeContext } from './registry-context.ts';
import { writeOptions } from './request-options.ts';

/** How often another generated name is tried when the first is taken. */
const MAX_NAME_ATTEMPTS = 8;

export async function create(context: RegistryContext, call: ApiCall): Promise<ApiAnswer> {
  const options = writeOptions(call.query);
  const sent = decodeBody(call, options.fieldValidation);
  checkPlace(call, sent);
  const tracker = trackerFor(context, call, options.fieldManager);
  const object = await createObject(context, call, sent, { dryRun: options.dryRun, tracker });
  return { kind: 'object', code: 201, object };
}

export interface Writing {
  readonly dryRun: boolean;
  readonly tracker: Tracker;
}

/** Also where server-side apply ends when there is nothing to apply to. */
export async function createObject(
  context: RegistryContext,
  call: ApiCall,
  sent: KubeObject,
  writing: Writing,
): Promise<KubeObject> {
  if (call.definition.custom?.terminating) {
    const message = 'create not allowed while custom resource definition is terminating';
    throw new ApiError(405, 'MethodNotAllowed', message);
  }
  const generates = !sent.metadata.name && Boolean(sent.metadata.generateName);
  for (let attempt = 1; ; attempt++) {
    try {
      return await createOnce(context, call, generates ? structuredClone(sent) : sent, writing);
    } catch (error) {
      if (!generates || attempt >= MAX_NAME_ATTEMPTS || !isApiError(error, 'AlreadyExists')) throw error;
    }
  }
}

async function createOnce(
  context: RegistryContext,
  call: ApiCall,
  object: KubeObject,
  { dryRun, tracker }: Writing,
): Promise<KubeObject> {
  const { definition } = call;
  const strategy = context.strategyOf(definition);
  const writing = writeContext(context, call, dryRun);
  object.metadata = newMetadata(object.metadata, writing.nowMs);
  nameObject(context, definition, object);
  if (hasStatusSubresource(definition) && !KEEPS_STATUS.has(definition.resource)) resetStatus(definition, object);
  applyDefaults(definition, object);
  if (countsGeneration(definition, object)) object.metadata.generation = 1;
  const { name = '', namespace } = object.metadata;
  if (namespace !== undefined) checkNamespace(context.storage, definition, name, namespace);
  const undo = [await strategy.create?.(object, writing)];
  try {
    const errors = await validateNew(definition, object);
    if (errors.length > 0) throw invalid(definition, name, errors);
    for (const warning of warningsFor(object, definition.schema)) call.warn(warning);
    checkLimitRanges(context.storage, definition, object);
    const { storage } = context;
    undo.push(await chargeQuotas({ storage, resource: definition, object, old: undefined, ...writing }));
    undo.push(await strategy.allocate?.(object, writing));
    return await store(context, definition, tracker(undefined, object), dryRun);
  } catch (error) {
    for (const step of undo.reverse()) await step?.();
    throw error;
  }
}

/** A node registers with its status; everybody else's status begins empty. */
const KEEPS_STATUS = new Set(['nodes']);

async function store(
  context: RegistryContext,
  definition: ResourceDefinition,
  object: KubeObject,
  dryRun: boolean,
): Promise<KubeObject> {
  const { storage } = definition;
  const stored = toStorage(object, definition);
  const { name = '', namespace } = stored.metadata;
  if (!dryRun) return fromStorage(await context.storage.create(storage, stored), definition);
  if (context.storage.get(storage, name, namespace) !== undefined) throw alreadyExists(definition, name);
  return fromStorage(stored, definition);
}

/** The status of a custom resource has no empty form. */
function resetStatus(definition: ResourceDefinition, object: KubeObject): void {
  if (definition.custom === undefined) object.status = {};
  else delete object.status;
}

function nameObject(context: RegistryContext, definition: ResourceDefinition, object: KubeObject): void {
  const { metadata } = object;
  if (metadata.name) return;
  metadata.name = undefined;
  if (metadata.generateName) {
    metadata.name = generatedName(metadata.generateName, context.random);
    return;
  }
  throw invalid(definition, '', [
    {
      field: 'metadata.name',
      reason: 'FieldValueRequired',
      message: 'Required value: name or generateName is required',
    },
  ]);
}

/** The object must belong where it was sent; what it leaves open is filled in. */
export function checkPlace(call: ApiCall, object: KubeObject): void {
  const { metadata } = object;
  if (metadata.resourceVersion !== undefined && call.verb === 'create') {
    throw new ApiError(500, '', 'resourceVersion should not be set on objects to be created');
  }
  if (!call.definition.namespaced) {
    if (metadata.namespace)
      throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
    metadata.namespace = undefined;
    return;
  }
  if (metadata.namespace && metadata.namespace !== call.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  metadata.namespace = call.namespace;
}
