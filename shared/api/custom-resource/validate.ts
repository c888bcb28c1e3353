/**
 * One walk over a value along its structural schema. A check is a line of a table: for which values it is, and what is
 * wrong with one; the texts are those that clients of the original know.
 */
import { isSame } from '../json-equality.ts';
import { isJsonObject, type JsonObject } from '../object.ts';
import type { FieldError } from '../status.ts';
import { duplicateValue, invalidValue, requiredValue, tooLong, unsupportedValue } from '../validation/field-error.ts';
import { matchesFormat } from './format.ts';
import { below, fieldSchema, RESOURCE_FIELDS, type StructuralSchema } from './structural-schema.ts';

/** Errors of a whole resource but for its metadata. */
export function schemaErrors(resource: JsonObject, schema: StructuralSchema): FieldError[] {
  return valueErrors(resource, schema, '', true);
}

/** Errors of any value, named from `path` on. */
export function schemaErrorsAt(value: unknown, schema: StructuralSchema, path: string): FieldError[] {
  return valueErrors(value, schema, path);
}

function valueErrors(value: unknown, schema: StructuralSchema, path: string, isResource = false): FieldError[] {
  if (value === null && schema.nullable) return [];
  const mismatch = typeError(value, schema, path);
  // What has the wrong type has no other faults worth telling.
  if (mismatch !== undefined) return [mismatch];
  return [
    ...VALUE_CHECKS.flatMap((check) => check(value, schema, path)),
    ...(typeof value === 'number' ? NUMBER_CHECKS.flatMap((check) => check(value, schema, path)) : []),
    ...(typeof value === 'string' ? STRING_CHECKS.flatMap((check) => check(value, schema, path)) : []),
    ...(Array.isArray(value) ? LIST_CHECKS.flatMap((check) => check(value, schema, path)) : []),
    ...(isJsonObject(value) ? objectErrors(value, schema, path, isResource) : []),
  ];
}

type Check<T> = (value: T, schema: StructuralSchema, path: string) => FieldError[];

function inBody(path: string, value: unknown, what: string): FieldError {
  return invalidValue(path === '' ? '<nil>' : path, value, `${path === '' ? '' : `${path} `}in body ${what}`);
}

function typeError(value: unknown, schema: StructuralSchema, path: string): FieldError | undefined {
  const wanted = schema['x-kubernetes-int-or-string'] ? 'integer,string' : schema.type;
  if (wanted === undefined) return undefined;
  const found = typeName(value, wanted);
  if (wanted.split(',').includes(found)) return undefined;
  // Composite values are named by their type only, as a list of them would fill the screen.
  const shown = typeof value === 'object' ? found : value;
  return inBody(path, shown, `must be of type ${wanted}: ${JSON.stringify(found)}`);
}

function typeName(value: unknown, wanted: string): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) && wanted !== 'number' ? 'integer' : 'number';
  return typeof value;
}

const VALUE_CHECKS: readonly Check<unknown>[] = [
  (value, { enum: allowed }, path) =>
    allowed === undefined || allowed.some((entry) => isSame(entry, value))
      ? []
      : [unsupportedValue(path, value, allowed.map(plainText))],
  (value, { allOf = [] }, path) => allOf.flatMap((part) => valueErrors(value, part, path)),
  (value, { anyOf }, path) =>
    anyOf === undefined || anyOf.some((part) => fits(value, part))
      ? []
      : [composite(path, value, 'must validate at least one schema (anyOf)')],
  (value, { oneOf }, path) => {
    if (oneOf === undefined) return [];
    const fitting = oneOf.filter((part) => fits(value, part)).length;
    if (fitting === 1) return [];
    const found = fitting === 0 ? 'Found none valid' : `Found ${fitting} valid alternatives`;
    return [composite(path, value, `must validate one and only one schema (oneOf). ${found}`)];
  },
  (value, { not }, path) =>
    not === undefined || !fits(value, not) ? [] : [composite(path, value, 'must not validate the schema (not)')],
];

function composite(path: string, value: unknown, what: string): FieldError {
  return invalidValue(path === '' ? '<nil>' : path, value, `${JSON.stringify(path)} ${what}`);
}

function plainText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function fits(value: unknown, schema: StructuralSchema): boolean {
  return valueErrors(value, schema, '').length === 0;
}

const INTEGER_RANGES: Readonly<Record<string, number>> = { int32: 2 ** 31, int64: 2 ** 63 };

const NUMBER_CHECKS: readonly Check<number>[] = [
  (value, { minimum, exclusiveMinimum }, path) => {
    if (minimum === undefined || value > minimum || (value === minimum && !exclusiveMinimum)) return [];
    return [inBody(path, value, `should be greater than ${exclusiveMinimum ? '' : 'or equal to '}${minimum}`)];
  },
  (value, { maximum, exclusiveMaximum }, path) => {
    if (maximum === undefined || value < maximum || (value === maximum && !exclusiveMaximum)) return [];
    return [inBody(path, value, `should be less than ${exclusiveMaximum ? '' : 'or equal to '}${maximum}`)];
  },
  (value, { multipleOf }, path) =>
    multipleOf === undefined || Number.isInteger(value / multipleOf)
      ? []
      : [inBody(path, value, `should be a multiple of ${multipleOf}`)],
  (value, { format = '' }, path) => {
    const bound = INTEGER_RANGES[format];
    if (bound === undefined || (value >= -bound && value < bound)) return [];
    return [inBody(path, value, `must be of type integer with format ${format}`)];
  },
];

const STRING_CHECKS: readonly Check<string>[] = [
  (value, { minLength = 0 }, path) =>
    lengthOf(value) >= minLength ? [] : [inBody(path, value, `should be at least ${minLength} chars long`)],
  (value, { maxLength }, path) =>
    maxLength === undefined || lengthOf(value) <= maxLength ? [] : [tooLong(path, maxLength)],
  (value, { pattern }, path) =>
    pattern === undefined || matchesPattern(value, pattern) ? [] : [inBody(path, value, `should match '${pattern}'`)],
  (value, { format }, path) =>
    format === undefined || matchesFormat(value, format)
      ? []
      : [inBody(path, value, `must be of type ${format}: ${JSON.stringify(value)}`)],
];

/** In code points. */
function lengthOf(text: string): number {
  return [...text].length;
}

/** Undefined for what is no regular expression to JavaScript; a definition with one is refused. */
export function regularExpression(pattern: string): RegExp | undefined {
  for (const flags of ['u', '']) {
    try {
      return new RegExp(pattern, flags);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return undefined;
}

function matchesPattern(text: string, pattern: string): boolean {
  return regularExpression(pattern)?.test(text) ?? true;
}

function tooMany(path: string, found: number, maximum: number): FieldError {
  const message = `Too many: ${found}: must have at most ${maximum} items`;
  return { field: path, reason: 'FieldValueTooMany', message };
}

const LIST_CHECKS: readonly Check<readonly unknown[]>[] = [
  (value, { minItems = 0 }, path) =>
    value.length >= minItems ? [] : [inBody(path, value, `should have at least ${minItems} items`)],
  (value, { maxItems }, path) =>
    maxItems === undefined || value.length <= maxItems ? [] : [tooMany(path, value.length, maxItems)],
  (value, schema, path) => {
    const keyOf = elementKey(schema);
    if (keyOf === undefined) return [];
    const seen: unknown[] = [];
    return value.flatMap((entry, i) => {
      const key = keyOf(entry);
      if (seen.some((other) => isSame(other, key))) return [duplicateValue(`${path}[${i}]`, key)];
      seen.push(key);
      return [];
    });
  },
  (value, { items }, path) =>
    items === undefined ? [] : value.flatMap((entry, i) => valueErrors(entry, items, `${path}[${i}]`)),
];

/** What tells the elements of a list apart; undefined where they need not be. */
function elementKey(schema: StructuralSchema): ((entry: unknown) => unknown) | undefined {
  if (schema['x-kubernetes-list-type'] === 'set') return (entry) => entry;
  const keys = schema['x-kubernetes-list-map-keys'];
  if (schema['x-kubernetes-list-type'] !== 'map' || keys === undefined) return undefined;
  return (entry) => Object.fromEntries(keys.map((key) => [key, isJsonObject(entry) ? entry[key] : undefined]));
}

const OBJECT_CHECKS: readonly Check<JsonObject>[] = [
  (value, { required = [] }, path) =>
    required.filter((name) => value[name] === undefined).map((name) => requiredValue(below(path, name))),
  (value, { minProperties = 0 }, path) =>
    Object.keys(value).length >= minProperties
      ? []
      : [inBody(path, value, `should have at least ${minProperties} properties`)],
  (value, { maxProperties }, path) =>
    maxProperties === undefined || Object.keys(value).length <= maxProperties
      ? []
      : [tooMany(path, Object.keys(value).length, maxProperties)],
];

function objectErrors(value: JsonObject, schema: StructuralSchema, path: string, isResource: boolean): FieldError[] {
  const errors = OBJECT_CHECKS.flatMap((check) => check(value, schema, path));
  for (const [name, entry] of Object.entries(value)) {
    const field = fieldSchema(schema, name);
    // Metadata has a type and rules of its own.
    if (field === undefined || entry === undefined || (isResource && RESOURCE_FIELDS.has(name))) continue;
    errors.push(...valueErrors(entry, field, below(path, name), field['x-kubernetes-embedded-resource']));
  }
  return schema['x-kubernetes-embedded-resource'] ? [...errors, ...embeddedErrors(value, path)] : errors;
}

function embeddedErrors(value: JsonObject, path: string): FieldError[] {
  return ['apiVersion', 'kind'].flatMap((name) =>
    typeof value[name] === 'string' && value[name] !== ''
      ? []
      : [requiredValue(below(path, name), 'must not be empty')],
  );
}
