/**
 * Validation of whole objects, after decoding and defaults. What is wrong comes back as a list; `invalid` (status.ts)
 * makes the 422 answer of it.
 */
import { schemaErrors } from '../custom-resource/validate.ts';
import type { KubeObject } from '../object.ts';
import type { ResourceDefinition } from '../registry.ts';
import type { FieldError } from '../status.ts';
import { ephemeralContainerErrors, immutabilityErrors } from './immutable.ts';
import { metadataErrors } from './metadata.ts';
import { walkErrors } from './walk.ts';

export function validateCreate(object: KubeObject, definition: ResourceDefinition): FieldError[] {
  const { custom, schema } = definition;
  const errors = metadataErrors(definition, object);
  return [...errors, ...(custom === undefined ? walkErrors(object, schema) : schemaErrors(object, custom.schema))];
}

/** Subresources that are a part of a pod's specification. */
const PARTS_OF_SPEC = new Set(['ephemeralcontainers', 'resize']);

/**
 * `old` is the stored object; updates of a subresource such as `status` are judged by their metadata only, unless a
 * schema says what a custom resource's status is.
 */
export function validateUpdate(
  object: KubeObject,
  old: KubeObject,
  definition: ResourceDefinition,
  subresource?: string,
): FieldError[] {
  const errors = metadataErrors(definition, object);
  if (definition.custom !== undefined) return [...errors, ...schemaErrors(object, definition.custom.schema)];
  if (subresource !== undefined && !PARTS_OF_SPEC.has(subresource)) return errors;
  if (subresource === 'ephemeralcontainers') errors.push(...ephemeralContainerErrors(object, old));
  if (subresource !== undefined) return [...errors, ...walkErrors(object, definition.schema)];
  return [...errors, ...immutabilityErrors(object, old, definition.schema), ...walkErrors(object, definition.schema)];
}
