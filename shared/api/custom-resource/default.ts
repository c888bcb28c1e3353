/** Fills in what a structural schema says by `default` (Kubernetes documentation, "Defaulting"). */
import { isJsonObject, setField } from '../object.ts';
import { fieldSchema, type StructuralSchema } from './structural-schema.ts';

/** Changes the value in place. A null that may not stand gives way to the default. */
export function applySchemaDefaults(value: unknown, schema: StructuralSchema): void {
  if (Array.isArray(value)) {
    if (schema.items !== undefined) for (const entry of value) applySchemaDefaults(entry, schema.items);
    return;
  }
  if (!isJsonObject(value)) return;
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const present = value[name] !== undefined && (value[name] !== null || field.nullable === true);
    if (!present && field.default !== undefined) setField(value, name, structuredClone(field.default));
  }
  for (const [name, entry] of Object.entries(value)) {
    const field = fieldSchema(schema, name);
    if (field !== undefined) applySchemaDefaults(entry, field);
  }
}
