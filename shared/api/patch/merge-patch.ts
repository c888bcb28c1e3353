/** JSON merge patch (RFC 7386): objects merge, null removes, everything else replaces. */
import { isJsonObject, type JsonObject, setField } from '../object.ts';

/** A new value; neither argument is changed, parts of both may be shared. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch;
  const out: JsonObject = isJsonObject(target) ? { ...target } : {};
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete out[field];
    else setField(out, field, applyMergePatch(ownField(out, field), value));
  }
  return out;
}

function ownField(object: JsonObject, field: string): unknown {
  return Object.hasOwn(object, field) ? object[field] : undefined;
}
