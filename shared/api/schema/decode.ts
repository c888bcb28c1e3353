/**
 * Takes an object as a client sent it and gives it in the form that is stored: unknown fields and nulls left out, scalars
 * checked and canonical (quantities, times), zero values omitted or written as the original's encoder does. What was
 * unknown is told by path, for field validation (Kubernetes API concepts, "Server-side field validation").
 */
import { formatGoDuration, parseGoDuration } from '../duration.ts';
import { isJsonObject, type JsonObject, setField } from '../object.ts';
import { formatQuantity, parseQuantity, QUANTITY_PATTERN_MESSAGE } from '../quantity.ts';
import { type ApiError, badRequest } from '../status.ts';
import { normalizeMicroTimestamp, normalizeTimestamp } from '../timestamp.ts';
import { type FieldSchema, type FieldType, type ScalarName, type TypeSchema, typeNamed } from './schema.ts';

export interface Decoded {
  readonly object: JsonObject;
  /** Paths of fields that the type does not have, in the order met: `spec.containers[0].foo`. */
  readonly unknownFields: readonly string[];
}

/** The kind and version that a decoding error speaks of. */
export interface DecodeSubject {
  readonly kind: string;
  readonly version: string;
}

/** Deeper JSON than this is refused; no type of the API comes near. */
export const MAXIMUM_DEPTH = 512;

/** Decodes a value as a type of the table; a value of the wrong type is a BadRequest that names the field. */
export function decodeObject(value: unknown, typeName: string, subject: DecodeSubject): Decoded {
  const decoder = new Decoder();
  try {
    const object = decoder.object(value, typeNamed(typeName), { struct: '', dotted: '', indexed: '', depth: 0 });
    return { object, unknownFields: decoder.unknownFields };
  } catch (error) {
    if (error instanceof FieldTypeError) throw cannotBeHandled(subject, error.message);
    throw error;
  }
}

/** BadRequest for a value that is nested too deep. */
export function checkDepth(value: unknown, subject: DecodeSubject): void {
  try {
    rejectDeep(value, 0);
  } catch (error) {
    if (error instanceof FieldTypeError) throw cannotBeHandled(subject, error.message);
    throw error;
  }
}

/** BadRequest for `fieldValidation=Strict`; `problems` are texts such as `unknownFieldText` gives. */
export function strictDecodingError(subject: DecodeSubject, problems: readonly string[]): ApiError {
  return cannotBeHandled(subject, `strict decoding error: ${problems.join(', ')}`);
}

/** The text of a warning for `fieldValidation=Warn`, and of each part of a strict error. */
export function unknownFieldText(path: string): string {
  return `unknown field "${path}"`;
}

function cannotBeHandled({ kind, version }: DecodeSubject, detail: string): ApiError {
  return badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: ${detail}`);
}

class FieldTypeError extends Error {}

/** Where the decoder is, in the three notations that messages use. */
interface Place {
  /** `PodSpec`: the type that holds the field. */
  readonly struct: string;
  /** `spec.containers.ports`. */
  readonly dotted: string;
  /** `spec.containers[0].ports[1]`. */
  readonly indexed: string;
  readonly depth: number;
}

class Decoder {
  readonly unknownFields: string[] = [];

  object(value: unknown, type: TypeSchema, place: Place): JsonObject {
    if (!isJsonObject(value)) throw mismatch(value, goTypeName(type.name), place);
    if (place.depth > MAXIMUM_DEPTH) throw tooDeep();
    const out: JsonObject = {};
    const struct = type.name.slice(type.name.lastIndexOf('.') + 1);
    for (const name of Object.keys(value)) {
      const here = inside(place, struct, name);
      const field = type.fields.get(name);
      if (field === undefined) this.unknownFields.push(here.indexed);
      else this.field(out, field, value[name], here);
    }
    for (const field of type.fields.values()) {
      if (field.zero === 'object' && out[field.name] === undefined) this.emptyObject(out, field, place, struct);
    }
    return out;
  }

  private emptyObject(out: JsonObject, field: FieldSchema, place: Place, struct: string): void {
    if (field.type.kind !== 'object') return;
    out[field.name] = this.object({}, typeNamed(field.type.typeName), inside(place, struct, field.name));
  }

  private field(out: JsonObject, field: FieldSchema, value: unknown, place: Place): void {
    if (value === null || value === undefined) {
      if (field.type.kind === 'scalar' && field.type.scalar === 'raw' && field.protobufPath.length === 0) {
        out[field.name] = null;
      }
      return;
    }
    const decoded = this.value(value, field.type, place);
    if (!isOmitted(field, decoded)) out[field.name] = decoded;
  }

  private value(value: unknown, type: FieldType, place: Place): unknown {
    switch (type.kind) {
      case 'scalar':
        return scalar(value, type.scalar, place);
      case 'object':
        return this.object(value, typeNamed(type.typeName), place);
      case 'list':
        if (!Array.isArray(value)) throw mismatch(value, goTypeText(type), place);
        return value.map((element: unknown, i) =>
          this.element(element, type.element, { ...place, indexed: `${place.indexed}[${i}]` }),
        );
      case 'map':
        return this.map(value, type.element, place);
    }
  }

  private map(value: unknown, element: FieldType, place: Place): JsonObject {
    if (!isJsonObject(value)) throw mismatch(value, goTypeText({ kind: 'map', element }), place);
    const out: JsonObject = {};
    for (const [key, entry] of Object.entries(value)) {
      setField(out, key, this.element(entry, element, { ...place, indexed: `${place.indexed}.${key}` }));
    }
    return out;
  }

  /** In lists and maps a null stands for the zero value of its type. */
  private element(value: unknown, type: FieldType, place: Place): unknown {
    return this.value(value ?? zeroValue(type), type, place);
  }
}

function inside(place: Place, struct: string, name: string): Place {
  const prefix = place.dotted === '' ? '' : `${place.dotted}.`;
  const indexedPrefix = place.indexed === '' ? '' : `${place.indexed}.`;
  return { struct, dotted: prefix + name, indexed: indexedPrefix + name, depth: place.depth + 1 };
}

/** Fields whose Go form is not known (newer than the types that were read) keep what they are given. */
function isOmitted(field: FieldSchema, value: unknown): boolean {
  if (field.zero !== 'omitted' || field.protobufPath.length === 0) return false;
  if (field.type.kind === 'list') return !field.required && (value as unknown[]).length === 0;
  if (field.type.kind === 'map') return !field.required && Object.keys(value as JsonObject).length === 0;
  if (field.type.kind === 'object' || field.type.scalar === 'intstr' || field.type.scalar === 'raw') return false;
  return value === '' || value === 0 || value === false;
}

function zeroValue(type: FieldType): unknown {
  if (type.kind === 'list') return [];
  if (type.kind !== 'scalar') return {};
  switch (type.scalar) {
    case 'bool':
      return false;
    case 'double':
    case 'int32':
    case 'int64':
    case 'intstr':
      return 0;
    case 'quantity':
      return '0';
    case 'raw':
      return null;
    default:
      return '';
  }
}

function scalar(value: unknown, type: ScalarName, place: Place): unknown {
  switch (type) {
    case 'raw':
      rejectDeep(value, place.depth);
      return value;
    case 'string':
      if (typeof value !== 'string') throw mismatch(value, 'string', place);
      return value;
    case 'bool':
      if (typeof value !== 'boolean') throw mismatch(value, 'bool', place);
      return value;
    case 'double':
      if (typeof value !== 'number') throw mismatch(value, 'float64', place);
      return value;
    case 'int32':
      if (!isInteger(value) || value < -(2 ** 31) || value >= 2 ** 31) throw mismatch(value, 'int32', place);
      return value;
    case 'int64':
      if (!isInteger(value)) throw mismatch(value, 'int64', place);
      return value;
    case 'intstr':
      if (typeof value === 'string') return value;
      if (!isInteger(value)) throw mismatch(value, 'int32', place);
      return value;
    case 'quantity':
      return quantity(value);
    case 'bytes':
      return base64(value, place);
    default:
      return timeOrDuration(value, type, place);
  }
}

function isInteger(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value);
}

function quantity(value: unknown): string {
  if (value === '') return '0';
  const parsed = typeof value === 'string' || typeof value === 'number' ? parseQuantity(String(value)) : undefined;
  if (parsed === undefined) throw new FieldTypeError(QUANTITY_PATTERN_MESSAGE);
  return formatQuantity(parsed);
}

function base64(value: unknown, place: Place): string {
  if (typeof value !== 'string') throw mismatch(value, '[]uint8', place);
  const text = value.replace(/[\r\n]/g, '');
  const bad = /[^A-Za-z0-9+/]/.exec(text.replace(/={0,2}$/, ''));
  if (bad !== null || text.length % 4 !== 0) {
    throw new FieldTypeError(`illegal base64 data at input byte ${bad?.index ?? text.length}`);
  }
  return text;
}

function timeOrDuration(value: unknown, type: 'time' | 'microtime' | 'duration', place: Place): string {
  if (typeof value !== 'string') throw mismatch(value, type === 'duration' ? 'v1.Duration' : 'string', place);
  if (type === 'duration') {
    const durationNs = parseGoDuration(value);
    if (durationNs === undefined) throw new FieldTypeError(`time: invalid duration "${value}"`);
    return formatGoDuration(durationNs);
  }
  const time = type === 'time' ? normalizeTimestamp(value) : normalizeMicroTimestamp(value);
  if (time === undefined) {
    const layout = type === 'time' ? '2006-01-02T15:04:05Z07:00' : '2006-01-02T15:04:05.000000Z07:00';
    throw new FieldTypeError(`parsing time "${value}" as "${layout}": cannot parse "${value}" as "2006"`);
  }
  return time;
}

function rejectDeep(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > MAXIMUM_DEPTH) throw tooDeep();
  for (const entry of Object.values(value)) rejectDeep(entry, depth + 1);
}

function tooDeep(): FieldTypeError {
  return new FieldTypeError(`json: exceeded max depth of ${MAXIMUM_DEPTH}`);
}

function mismatch(value: unknown, wanted: string, place: Place): FieldTypeError {
  const target =
    place.dotted === ''
      ? `Go value of type ${wanted}`
      : `Go struct field ${place.struct}.${place.dotted} of type ${wanted}`;
  return new FieldTypeError(`json: cannot unmarshal ${jsonTypeName(value, wanted)} into ${target}`);
}

function jsonTypeName(value: unknown, wanted: string): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return /^int/.test(wanted) ? `number ${value}` : 'number';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'object' ? 'object' : typeof value;
}

/** `core.v1.PodSpec` -> `v1.PodSpec`. */
function goTypeName(name: string): string {
  return name.slice(name.indexOf('.') + 1);
}

function goTypeText(type: FieldType): string {
  switch (type.kind) {
    case 'list':
      return `[]${goTypeText(type.element)}`;
    case 'map':
      return `map[string]${goTypeText(type.element)}`;
    case 'object':
      return goTypeName(type.typeName);
    case 'scalar':
      return type.scalar;
  }
}
