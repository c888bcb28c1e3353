/** Drops the fields that a structural schema does not name (Kubernetes documentation, "Field pruning"). */
import { isJsonObject, type JsonObject, setField } from '../object.ts';
import { below, fieldSchema, RESOURCE_FIELDS, type StructuralSchema } from './structural-schema.ts';

export interface Pruned {
  readonly object: JsonObject;
  /** Paths of what was dropped: `spec.colour`, `spec.ports[0].foo`. */
  readonly unknownFields: readonly string[];
}

/** Of a whole resource; the value is not changed. */
export function pruneResource(resource: JsonObject, schema: StructuralSchema): Pruned {
  const unknownFields: string[] = [];
  return { object: pruneObject(resource, schema, '', true, unknownFields), unknownFields };
}

function prune(value: unknown, schema: StructuralSchema, path: string, unknown: string[]): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? value : value.map((entry, i) => prune(entry, items, `${path}[${i}]`, unknown));
  }
  if (!isJsonObject(value)) return value;
  return pruneObject(value, schema, path, schema['x-kubernetes-embedded-resource'] === true, unknown);
}

function pruneObject(
  value: JsonObject,
  schema: StructuralSchema,
  path: string,
  isResource: boolean,
  unknown: string[],
): JsonObject {
  const out: JsonObject = {};
  for (const [name, entry] of Object.entries(value)) {
    const here = below(path, name);
    const known = fieldSchema(schema, name);
    if (isResource && RESOURCE_FIELDS.has(name)) setField(out, name, entry);
    else if (known !== undefined) setField(out, name, prune(entry, known, here, unknown));
    else if (schema['x-kubernetes-preserve-unknown-fields']) setField(out, name, entry);
    else unknown.push(here);
  }
  return out;
}
