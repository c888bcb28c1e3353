/** Objects as the apiserver validates them, and what it then says. */
import { applyDefaults } from '../defaults/defaults.ts';
import type { JsonObject, KubeObject } from '../object.ts';
import { findKind, type ResourceDefinition } from '../registry.ts';
import { decodeObject } from '../schema/decode.ts';
import { validateCreate, validateUpdate } from './validate.ts';

/** Decoded, with defaults. */
export function prepared(definition: ResourceDefinition, value: JsonObject): KubeObject {
  const { object } = decodeObject(value, definition.schema, definition);
  applyDefaults(object, definition.schema);
  return { ...object, metadata: (object.metadata ?? {}) as KubeObject['metadata'] };
}

/** `field: message` of each error of a new object. */
export function errorTexts(apiVersion: string, kind: string, fields: JsonObject): string[] {
  const definition = findKind(apiVersion, kind)!;
  const metadata = {
    name: 'web',
    ...(definition.namespaced ? { namespace: 'default' } : {}),
    ...(fields.metadata as object),
  };
  return validateCreate(prepared(definition, { ...fields, metadata }), definition).map(
    ({ field, message }) => `${field}: ${message}`,
  );
}

/** The same of a change. */
export function updateTexts(apiVersion: string, kind: string, before: JsonObject, after: JsonObject): string[] {
  const definition = findKind(apiVersion, kind)!;
  const metadata = { name: 'web', ...(definition.namespaced ? { namespace: 'default' } : {}) };
  const [old, object] = [before, after].map((fields) => prepared(definition, { metadata, ...fields }));
  return validateUpdate(object!, old!, definition).map(({ field, message }) => `${field}: ${message}`);
}
