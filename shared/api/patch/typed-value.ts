/** Values along their merge types: which fields they set, what is at a path, how two merge. */
import { isSame } from '../json-equality.ts';
import { isJsonObject, type JsonObject, setField } from '../object.ts';
import { formatQuantity, parseQuantity } from '../quantity.ts';
import { KEY_DEFAULTS, type MergeType } from '../schema/merge-type.ts';
import { type ApiError, badRequest } from '../status.ts';
import { type FieldPath, FieldSet, type PathElement, pathText } from './field-set.ts';

/** All fields that an object sets. A list whose elements cannot be told apart by their keys counts as one field. */
export function fieldsOf(value: JsonObject, type: MergeType): FieldSet {
  const paths: FieldPath[] = [];
  collect(value, type, [], paths);
  return FieldSet.of(paths);
}

function collect(value: unknown, type: MergeType, path: FieldPath, paths: FieldPath[]): void {
  if (isJsonObject(value) && (type.kind === 'object' || type.kind === 'deduced')) {
    const names = Object.keys(value);
    if (names.length === 0 && path.length > 0) paths.push(path);
    for (const name of names) collect(value[name], fieldType(type, name), [...path, `f:${name}`], paths);
    return;
  }
  const elements = elementsOf(value, type);
  if (elements === undefined || elements.size === 0) {
    paths.push(path);
    return;
  }
  for (const [element, entry] of elements) {
    paths.push([...path, element]);
    if (type.kind === 'keyed') collect(entry, type.element, [...path, element], paths);
  }
}

function fieldType(type: MergeType, name: string): MergeType {
  return type.kind === 'object' ? type.field(name) : { kind: 'deduced' };
}

type ListType = Extract<MergeType, { readonly kind: 'set' | 'keyed' }>;

/** The elements of a list by their path element; undefined for what is no such list, or cannot be told apart. */
function elementsOf(value: unknown, type: MergeType): Map<PathElement, unknown> | undefined {
  if (!Array.isArray(value) || !isListType(type)) return undefined;
  const elements = new Map<PathElement, unknown>();
  for (const entry of value) {
    const element = elementOf(entry, type);
    if (element === undefined || elements.has(element)) return undefined;
    elements.set(element, entry);
  }
  return elements;
}

function isListType(type: MergeType): type is ListType {
  return type.kind === 'set' || type.kind === 'keyed';
}

/** Undefined when the entry has none of the keys. */
function elementOf(entry: unknown, type: ListType): PathElement | undefined {
  if (type.kind === 'set') return `v:${JSON.stringify(entry)}`;
  const found: JsonObject = {};
  for (const key of [...type.keys].sort()) {
    const value = isJsonObject(entry) ? (entry[key] ?? KEY_DEFAULTS[key]) : undefined;
    if (value !== undefined) setField(found, key, value);
  }
  const isKeyed = isJsonObject(entry) && type.keys.some((key) => entry[key] !== undefined);
  return isKeyed ? `k:${JSON.stringify(found)}` : undefined;
}

/** BadRequest when elements of a keyed list have no key or the same one, which an applied configuration may not hold. */
export function checkKeys(value: unknown, type: MergeType, path: FieldPath = []): void {
  if (isJsonObject(value)) {
    for (const [name, entry] of Object.entries(value)) checkKeys(entry, fieldType(type, name), [...path, `f:${name}`]);
  } else if (Array.isArray(value) && isListType(type)) {
    const seen = new Set<PathElement>();
    for (const [i, entry] of value.entries()) {
      const element = elementOf(entry, type);
      if (element === undefined) throw withoutKey(path, i, type);
      if (seen.has(element)) throw badRequest(`${pathText(path)}: duplicate entries for key ${pathText([element])}`);
      seen.add(element);
      if (type.kind === 'keyed') checkKeys(entry, type.element, [...path, element]);
    }
  }
}

function withoutKey(path: FieldPath, i: number, type: ListType): ApiError {
  const key = type.kind === 'keyed' ? type.keys[0] : '';
  return badRequest(
    `${pathText(path)}: element ${i}: associative list with keys has an element that omits key field "${key}" (and doesn't have default value)`,
  );
}

/** What changed from one value to another: fields that are new or different, and fields that are gone. */
export interface Difference {
  readonly changed: FieldSet;
  readonly gone: FieldSet;
}

export function differenceOf(before: JsonObject, after: JsonObject, type: MergeType): Difference {
  const changed: FieldPath[] = [];
  const gone: FieldPath[] = [];
  compare(before, after, type, [], changed, gone);
  const present = FieldSet.of(changed);
  return { changed: present, gone: FieldSet.of(gone).without(present) };
}

function compare(
  before: unknown,
  after: unknown,
  type: MergeType,
  path: FieldPath,
  changed: FieldPath[],
  gone: FieldPath[],
): void {
  if (isSame(before, after)) return;
  const [old, now] = [membersOf(before, type), membersOf(after, type)];
  if (old === undefined || now === undefined || old.size === 0 || now.size === 0) {
    if (type.kind === 'leaf' && type.isQuantity && isSame(canonical(before), canonical(after))) return;
    collect(before, type, path, gone);
    collect(after, type, path, changed);
    return;
  }
  for (const [element, entry] of old) {
    if (!now.has(element)) collectMember(entry, type, [...path, element], gone);
  }
  for (const [element, entry] of now) {
    const here = [...path, element];
    if (!old.has(element)) collectMember(entry, type, here, changed);
    else if (type.kind !== 'set') compare(old.get(element), entry, memberType(type, element), here, changed, gone);
  }
}

/** Fields of an object and elements of a list, by path element; undefined for what is taken whole. */
function membersOf(value: unknown, type: MergeType): ReadonlyMap<PathElement, unknown> | undefined {
  if (isJsonObject(value) && (type.kind === 'object' || type.kind === 'deduced')) {
    return new Map(Object.entries(value).map(([name, entry]) => [`f:${name}`, entry]));
  }
  return elementsOf(value, type);
}

function memberType(type: MergeType, element: PathElement): MergeType {
  return type.kind === 'keyed' ? type.element : fieldType(type, element.slice(2));
}

/** An element of a list is a field of its own, beside those in it. */
function collectMember(value: unknown, type: MergeType, path: FieldPath, paths: FieldPath[]): void {
  if (isListType(type)) paths.push(path);
  if (type.kind !== 'set') collect(value, memberType(type, path.at(-1)!), path, paths);
}

/** The value at a path; undefined when there is none. */
export function valueAt(value: unknown, type: MergeType, path: FieldPath): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return value;
  if (first.startsWith('f:')) {
    const name = first.slice(2);
    if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined;
    return valueAt(value[name], fieldType(type, name), rest);
  }
  const entry = elementsOf(value, type)?.get(first);
  return type.kind === 'keyed' ? valueAt(entry, type.element, rest) : entry;
}

/** `applied` laid over `live`; neither is changed. */
export function mergeValues(live: unknown, applied: unknown, type: MergeType): unknown {
  if (isJsonObject(applied) && (type.kind === 'object' || type.kind === 'deduced')) {
    const out: JsonObject = isJsonObject(live) ? { ...live } : {};
    for (const [name, value] of Object.entries(applied)) {
      const current = Object.hasOwn(out, name) ? out[name] : undefined;
      setField(out, name, mergeValues(current, value, fieldType(type, name)));
    }
    return out;
  }
  const before = elementsOf(live, type);
  const added = elementsOf(applied, type);
  return before === undefined || added === undefined ? applied : mergeElements(before, added, type);
}

/** Elements that were there keep their place; new ones follow in the order they are applied in. */
function mergeElements(
  live: ReadonlyMap<PathElement, unknown>,
  applied: ReadonlyMap<PathElement, unknown>,
  type: MergeType,
): unknown[] {
  const merged = new Map(live);
  for (const [element, entry] of applied) {
    merged.set(element, type.kind === 'keyed' ? mergeValues(merged.get(element), entry, type.element) : entry);
  }
  return [...merged.values()];
}

/** `value` without what is at the paths. */
export function removePaths(value: unknown, type: MergeType, paths: FieldSet): unknown {
  if (isJsonObject(value)) {
    const out: JsonObject = {};
    for (const [name, entry] of Object.entries(value)) {
      const below = paths.children.get(`f:${name}`);
      if (below?.isMember) continue;
      setField(out, name, below === undefined ? entry : removePaths(entry, fieldType(type, name), below));
    }
    return out;
  }
  const elements = elementsOf(value, type);
  if (elements === undefined) return value;
  const kept: unknown[] = [];
  for (const [element, entry] of elements) {
    const below = paths.children.get(element);
    if (below?.isMember) continue;
    kept.push(below === undefined || type.kind !== 'keyed' ? entry : removePaths(entry, type.element, below));
  }
  return kept;
}

/** Equal values at a path; quantities by amount, not by text. */
export function isSameAt(a: JsonObject, b: JsonObject, type: MergeType, path: FieldPath): boolean {
  const [left, right] = [valueAt(a, type, path), valueAt(b, type, path)];
  return isSame(left, right) || (isQuantityAt(type, path) && isSame(canonical(left), canonical(right)));
}

function isQuantityAt(type: MergeType, path: FieldPath): boolean {
  let current = type;
  for (const element of path) {
    if (element.startsWith('f:')) current = fieldType(current, element.slice(2));
    else if (current.kind === 'keyed') current = current.element;
  }
  return current.kind === 'leaf' && current.isQuantity === true;
}

function canonical(value: unknown): unknown {
  if (typeof value !== 'string' && typeof value !== 'number') return value;
  const quantity = parseQuantity(String(value));
  return quantity === undefined ? value : formatQuantity(quantity);
}
