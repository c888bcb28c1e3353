/**
 * Strategic merge patch: a merge patch that knows which lists are merged by key (Kubernetes documentation, "Update API
 * Objects in Place Using kubectl patch"). Directives of the patch:
 *
 *   $patch: replace | delete | merge     of a map, or as an element of a list that is merged by key
 *   $retainKeys: [field, ...]            fields of the map that stay; the others go
 *   $deleteFromPrimitiveList/FIELD: []   values that leave a list of scalars
 *   $setElementOrder/FIELD: []           the order in which the elements of a merged list end up
 */
import { isJsonObject, type JsonObject, setField } from '../object.ts';
import { type FieldSchema, type FieldType, findType, type TypeSchema } from '../schema/schema.ts';
import { badRequest } from '../status.ts';

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const DELETE_FROM_LIST = '$deleteFromPrimitiveList/';
const SET_ELEMENT_ORDER = '$setElementOrder/';

/** A new object of the type; neither argument is changed. BadRequest for a malformed patch. */
export function applyStrategicMergePatch(target: JsonObject, patch: unknown, typeName: string): JsonObject {
  if (!isJsonObject(patch)) throw badRequest('a strategic merge patch is an object');
  return mergeMap(target, patch, findType(typeName)) ?? {};
}

/** Undefined when the patch deletes the map. */
function mergeMap(target: JsonObject, patch: JsonObject, type: TypeSchema | undefined): JsonObject | undefined {
  const directive = patch[DIRECTIVE];
  if (directive === 'delete') return undefined;
  if (directive === 'replace') return withoutDirectives(patch);
  if (directive !== undefined && directive !== 'merge') {
    throw badRequest(`invalid value for ${DIRECTIVE}: ${JSON.stringify(directive)}; it is replace, delete or merge`);
  }
  const out = retained(target, patch[RETAIN_KEYS]);
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith(DELETE_FROM_LIST)) deleteFromList(out, name.slice(DELETE_FROM_LIST.length), value);
    else if (!isDirective(name)) mergeField(out, name, value, patch, type?.fields.get(name));
  }
  for (const name of Object.keys(patch)) {
    if (name.startsWith(SET_ELEMENT_ORDER)) reorderUnpatched(out, name.slice(SET_ELEMENT_ORDER.length), patch, type);
  }
  return out;
}

function isDirective(name: string): boolean {
  return name === DIRECTIVE || name === RETAIN_KEYS || name.startsWith(SET_ELEMENT_ORDER);
}

function withoutDirectives(patch: JsonObject): JsonObject {
  const out: JsonObject = {};
  for (const [name, value] of Object.entries(patch)) {
    if (!isDirective(name) && value !== null) setField(out, name, value);
  }
  return out;
}

function retained(target: JsonObject, retainKeys: unknown): JsonObject {
  if (retainKeys === undefined) return { ...target };
  if (!Array.isArray(retainKeys)) throw badRequest(`${RETAIN_KEYS} is a list of field names`);
  return Object.fromEntries(Object.entries(target).filter(([name]) => retainKeys.includes(name)));
}

function deleteFromList(out: JsonObject, name: string, values: unknown): void {
  if (!Array.isArray(values)) throw badRequest(`${DELETE_FROM_LIST}${name} is a list of values`);
  const list = out[name];
  if (Array.isArray(list)) out[name] = list.filter((element) => !values.includes(element));
}

function mergeField(
  out: JsonObject,
  name: string,
  value: unknown,
  patch: JsonObject,
  field: FieldSchema | undefined,
): void {
  const current = Object.hasOwn(out, name) ? out[name] : undefined;
  if (value === null) delete out[name];
  else if (isJsonObject(value)) {
    const replaced = field?.patchStrategies.includes('replace') ?? false;
    const base = isJsonObject(current) && !replaced ? current : {};
    const merged = mergeMap(base, value, elementType(field?.type));
    if (merged === undefined) delete out[name];
    else setField(out, name, merged);
  } else if (Array.isArray(value) && field?.patchStrategies.includes('merge')) {
    const order = patch[SET_ELEMENT_ORDER + name];
    out[name] = mergeList(Array.isArray(current) ? current : [], value, order, field);
  } else setField(out, name, value);
}

function elementType(type: FieldType | undefined): TypeSchema | undefined {
  if (type === undefined || type.kind === 'scalar') return undefined;
  return type.kind === 'object' ? findType(type.typeName) : elementType(type.element);
}

function mergeList(
  current: readonly unknown[],
  patch: readonly unknown[],
  order: unknown,
  field: FieldSchema,
): unknown[] {
  const key = field.mergeKey;
  const merged = key === undefined ? union(current, patch) : mergeByKey(current, patch, key, field);
  return ordered(merged, current, order, key);
}

function union(current: readonly unknown[], patch: readonly unknown[]): unknown[] {
  return [...new Set([...current, ...patch])];
}

function mergeByKey(
  current: readonly unknown[],
  patch: readonly unknown[],
  mergeKey: string,
  field: FieldSchema,
): unknown[] {
  const type = elementType(field.type);
  const elements = patch.map((element) => {
    if (!isJsonObject(element)) throw badRequest(`${field.name} is a list of objects`);
    return element;
  });
  const replaces = elements.some((element) => element[DIRECTIVE] === 'replace' && element[mergeKey] === undefined);
  // What replaces a list is taken as it is: two elements of one key stay two (a dual-stack node's InternalIPs).
  if (replaces)
    return elements.filter((element) => element[DIRECTIVE] !== 'replace').map((element) => mergeMap({}, element, type));
  let out: unknown[] = [...current];
  for (const element of elements) {
    const key = element[mergeKey];
    if (key === undefined) {
      throw badRequest(`an element of ${field.name} does not contain the declared merge key: ${mergeKey}`);
    }
    const at = out.findIndex((candidate) => isJsonObject(candidate) && candidate[mergeKey] === key);
    const existing = at === -1 ? undefined : out[at];
    const merged = mergeMap(isJsonObject(existing) ? existing : {}, element, type);
    if (merged === undefined)
      out = out.filter((candidate) => !(isJsonObject(candidate) && candidate[mergeKey] === key));
    else if (at === -1) out.push(merged);
    else out[at] = merged;
  }
  return out;
}

/** An order alone (the patch does not name the list) rearranges what is there. */
function reorderUnpatched(out: JsonObject, name: string, patch: JsonObject, type: TypeSchema | undefined): void {
  const list = out[name];
  if (patch[name] !== undefined || !Array.isArray(list)) return;
  const field = type?.fields.get(name);
  out[name] = ordered(list, list, patch[SET_ELEMENT_ORDER + name], field?.mergeKey);
}

/**
 * Elements that the order names follow it; the others keep their place relative to the named ones that were there
 * before, and come last where nothing decides.
 */
function ordered(
  merged: readonly unknown[],
  before: readonly unknown[],
  order: unknown,
  mergeKey: string | undefined,
): unknown[] {
  if (order === undefined) return [...merged];
  if (!Array.isArray(order)) throw badRequest(`${SET_ELEMENT_ORDER} is a list`);
  const key = (element: unknown): unknown =>
    mergeKey !== undefined && isJsonObject(element) ? element[mergeKey] : element;
  const ranks = new Map(order.map((element, i) => [key(element), i]));
  const positions = new Map(before.map((element, i) => [key(element), i]));
  const named = merged.filter((element) => ranks.has(key(element)));
  named.sort((a, b) => ranks.get(key(a))! - ranks.get(key(b))!);
  const others = merged.filter((element) => !ranks.has(key(element)));
  return interleave(others, named, (element) => positions.get(key(element)));
}

function interleave(
  others: readonly unknown[],
  named: readonly unknown[],
  position: (element: unknown) => number | undefined,
): unknown[] {
  const out: unknown[] = [];
  let next = 0;
  for (const element of named) {
    const here = position(element);
    while (next < others.length && here !== undefined) {
      const other = position(others[next]);
      if (other === undefined || other > here) break;
      out.push(others[next++]);
    }
    out.push(element);
  }
  return [...out, ...others.slice(next)];
}
