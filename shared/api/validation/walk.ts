/** Goes through an object along its type and asks the tables' rules at every place. */
import { isJsonObject, type JsonObject } from '../object.ts';
import { type FieldSchema, type FieldType, type TypeSchema, typeNamed } from '../schema/schema.ts';
import type { FieldError } from '../status.ts';
import { CONFIGURATION_RULES } from './configuration.ts';
import { requiredValue } from './field-error.ts';
import { LABEL_RULES } from './labels.ts';
import { NETWORK_POLICY_RULES } from './network-policy.ts';
import { POD_RULES } from './pod.ts';
import { QUOTA_RULES } from './quota.ts';
import { RBAC_RULES } from './rbac.ts';
import type { TypeRules } from './rule.ts';
import { SERVICE_RULES } from './service.ts';
import { STORAGE_RULES } from './storage.ts';
import { VOLUME_RULES } from './volume.ts';
import { WORKLOAD_RULES } from './workload.ts';

const RULES: Readonly<Record<string, TypeRules>> = {
  ...LABEL_RULES,
  ...POD_RULES,
  ...VOLUME_RULES,
  ...SERVICE_RULES,
  ...NETWORK_POLICY_RULES,
  ...WORKLOAD_RULES,
  ...CONFIGURATION_RULES,
  ...QUOTA_RULES,
  ...RBAC_RULES,
  ...STORAGE_RULES,
};

/** Fields that the schema requires, but that may be empty (an EndpointSlice without endpoints, a token's audiences). */
const MAY_BE_EMPTY = new Set([
  'discovery.v1.EndpointSlice.endpoints',
  'discovery.v1.Endpoint.addresses',
  'authentication.v1.TokenRequestSpec.audiences',
  'core.v1.NodeSelector.nodeSelectorTerms',
  'events.v1.Event.eventTime',
  'storage.v1.CSINodeSpec.drivers',
  'storage.v1.VolumeAttachmentSpec.source',
]);

/** Metadata has rules of its own, and status is what controllers write. */
const SKIPPED_AT_ROOT = new Set(['metadata', 'status', 'apiVersion', 'kind']);

/** Errors of everything but metadata and status. */
export function walkErrors(object: JsonObject, typeName: string): FieldError[] {
  const type = typeNamed(typeName);
  const errors: FieldError[] = [];
  for (const field of type.fields.values()) {
    if (!SKIPPED_AT_ROOT.has(field.name)) fieldErrors(object, type, field, '', errors);
  }
  ownErrors(object, type, '', errors);
  return errors;
}

function objectErrors(object: JsonObject, type: TypeSchema, path: string, errors: FieldError[]): void {
  for (const field of type.fields.values()) fieldErrors(object, type, field, path, errors);
  ownErrors(object, type, path, errors);
}

function ownErrors(object: JsonObject, type: TypeSchema, path: string, errors: FieldError[]): void {
  const check = RULES[type.name]?.object;
  // The object was decoded as this very type.
  if (check !== undefined) errors.push(...check(object as never, path));
}

function fieldErrors(
  object: JsonObject,
  type: TypeSchema,
  field: FieldSchema,
  path: string,
  errors: FieldError[],
): void {
  const value = object[field.name] ?? zeroOf(field);
  const here = path === '' ? field.name : `${path}.${field.name}`;
  if (isMissing(value, field)) {
    if (field.required && !MAY_BE_EMPTY.has(`${type.name}.${field.name}`)) errors.push(requiredValue(here));
    return;
  }
  errors.push(...(RULES[type.name]?.fields?.[field.name]?.(value, here) ?? []));
  valueErrors(value, field.type, here, errors);
}

/** A required number that is absent is its zero. */
function zeroOf({ required, type }: FieldSchema): number | undefined {
  const isInteger = type.kind === 'scalar' && (type.scalar === 'int32' || type.scalar === 'int64');
  return required && isInteger ? 0 : undefined;
}

/** Numbers and booleans are never missing: their zero is a value, which the field's own rule judges. */
function isMissing(value: unknown, { type }: FieldSchema): boolean {
  if (value === undefined || value === '') return !(type.kind === 'scalar' && isAlwaysThere(type.scalar, value));
  return Array.isArray(value) && value.length === 0;
}

function isAlwaysThere(scalar: string, value: unknown): boolean {
  return value === undefined && (scalar === 'bool' || scalar === 'int32' || scalar === 'int64' || scalar === 'double');
}

function valueErrors(value: unknown, type: FieldType, path: string, errors: FieldError[]): void {
  switch (type.kind) {
    case 'scalar':
      return;
    case 'object':
      if (isJsonObject(value)) objectErrors(value, typeNamed(type.typeName), path, errors);
      return;
    case 'list':
      for (const [i, element] of (value as unknown[]).entries()) {
        valueErrors(element, type.element, `${path}[${i}]`, errors);
      }
      return;
    case 'map':
      for (const [key, element] of Object.entries(value as JsonObject)) {
        valueErrors(element, type.element, `${path}[${key}]`, errors);
      }
  }
}
