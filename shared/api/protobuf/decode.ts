/**
 * Kubernetes' protobuf bodies (`application/vnd.kubernetes.protobuf`) into the JSON form:
 *
 *   "k8s\0" | runtime.Unknown { 1: TypeMeta { 1: apiVersion, 2: kind }, 2: raw object }
 *
 * The type table says which number is which field. Fields of embedded messages (a Volume's source) are nested here and
 * flat in JSON. Zero values come through as they are on the wire; `decodeObject` makes them what the store holds.
 */
import protobuf from 'protobufjs/minimal.js';
import { formatGoDuration } from '../duration.ts';
import { type JsonObject, setField } from '../object.ts';
import { schemaOfKind } from '../registry.ts';
import { type FieldSchema, type FieldType, type ScalarName, type TypeSchema, typeNamed } from '../schema/schema.ts';
import { type ApiError, badRequest } from '../status.ts';
import { formatMicroTimestamp, formatTimestamp } from '../timestamp.ts';

const MAGIC = [0x6b, 0x38, 0x73, 0x00];
const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;

export interface ProtobufBody {
  readonly apiVersion: string;
  readonly kind: string;
  /** With `apiVersion` and `kind` set. */
  readonly object: JsonObject;
}

/** BadRequest when the bytes are malformed or the kind is not a built-in one. */
export function decodeProtobuf(bytes: Uint8Array): ProtobufBody {
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) throw malformed('the body does not start with the bytes "k8s\\0"');
  try {
    return decodeEnvelope(protobuf.Reader.create(bytes.subarray(MAGIC.length)));
  } catch (error) {
    if (error instanceof MalformedError || error instanceof RangeError || error instanceof SyntaxError) {
      throw malformed(error.message);
    }
    // The reader throws plain errors for impossible wire types and varints.
    if (error instanceof Error && error.constructor === Error) throw malformed(error.message);
    throw error;
  }
}

class MalformedError extends Error {}

function malformed(detail: string): ApiError {
  return badRequest(`unable to decode the protobuf body: ${detail}`);
}

function decodeEnvelope(reader: protobuf.Reader): ProtobufBody {
  let typeMeta = new Map<number, string>();
  let raw: Uint8Array = new Uint8Array();
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === ((1 << 3) | LENGTH_DELIMITED)) typeMeta = stringFields(reader);
    else if (tag === ((2 << 3) | LENGTH_DELIMITED)) raw = reader.bytes();
    else reader.skipType(tag & 7);
  }
  const apiVersion = typeMeta.get(1) ?? '';
  const kind = typeMeta.get(2) ?? '';
  const typeName = schemaOfKind(apiVersion, kind);
  if (typeName === undefined) throw new MalformedError(`no kind "${kind}" is registered for version "${apiVersion}"`);
  const inner = protobuf.Reader.create(raw);
  const object: JsonObject = { apiVersion, kind };
  readMessage(inner, inner.len, numbersOf(typeNamed(typeName)), object);
  return { apiVersion, kind, object };
}

function stringFields(reader: protobuf.Reader): Map<number, string> {
  const found = new Map<number, string>();
  const end = lengthDelimitedEnd(reader);
  while (reader.pos < end) {
    const tag = reader.uint32();
    if ((tag & 7) === LENGTH_DELIMITED) found.set(tag >>> 3, reader.string());
    else reader.skipType(tag & 7);
  }
  return found;
}

/** Number -> field, or the numbers of a message that JSON has inline. */
type Numbers = Map<number, FieldSchema | Numbers>;

const numbersByType = new Map<string, Numbers>();

function numbersOf(type: TypeSchema): Numbers {
  const known = numbersByType.get(type.name);
  if (known !== undefined) return known;
  const numbers: Numbers = new Map();
  for (const field of type.fields.values()) place(numbers, field, field.protobufPath);
  numbersByType.set(type.name, numbers);
  return numbers;
}

function place(numbers: Numbers, field: FieldSchema, path: readonly number[]): void {
  const [first, ...rest] = path;
  if (first === undefined) return;
  if (rest.length === 0) {
    numbers.set(first, field);
    return;
  }
  const existing = numbers.get(first);
  const inner: Numbers = existing instanceof Map ? existing : new Map();
  numbers.set(first, inner);
  place(inner, field, rest);
}

function lengthDelimitedEnd(reader: protobuf.Reader): number {
  const end = reader.uint32() + reader.pos;
  if (end > reader.len) throw new RangeError(`a length at byte ${reader.pos} leads beyond the body`);
  return end;
}

function readMessage(reader: protobuf.Reader, end: number, numbers: Numbers, out: JsonObject): void {
  while (reader.pos < end) {
    const tag = reader.uint32();
    const target = numbers.get(tag >>> 3);
    if (target === undefined) reader.skipType(tag & 7);
    else if (target instanceof Map) {
      expectWire(tag, LENGTH_DELIMITED);
      readMessage(reader, lengthDelimitedEnd(reader), target, out);
    } else readField(reader, tag & 7, target, out);
  }
  if (reader.pos !== end) throw new RangeError(`a message that ends at byte ${end} was read up to byte ${reader.pos}`);
}

function expectWire(tag: number, wireType: number): void {
  if ((tag & 7) !== wireType) throw new MalformedError(`field ${tag >>> 3} has wire type ${tag & 7}, not ${wireType}`);
}

function readField(reader: protobuf.Reader, wireType: number, field: FieldSchema, out: JsonObject): void {
  const { type } = field;
  if (type.kind === 'list' && !type.wrapped) {
    const existing = out[field.name];
    const list: unknown[] = Array.isArray(existing) ? existing : [];
    out[field.name] = list;
    readElements(reader, wireType, type.element, list);
  } else if (type.kind === 'map') {
    const map = (out[field.name] ?? {}) as JsonObject;
    out[field.name] = map;
    readMapEntry(reader, wireType, type.element, map);
  } else {
    const value = readValue(reader, wireType, type);
    if (value !== undefined) out[field.name] = value;
  }
}

/** One element, or several numbers packed into one field. */
function readElements(reader: protobuf.Reader, wireType: number, element: FieldType, list: unknown[]): void {
  const elementWire = wireTypeOf(element);
  if (wireType === LENGTH_DELIMITED && elementWire !== LENGTH_DELIMITED) {
    const end = lengthDelimitedEnd(reader);
    while (reader.pos < end) list.push(readValue(reader, elementWire, element));
  } else {
    list.push(readValue(reader, wireType, element) ?? null);
  }
}

function readMapEntry(reader: protobuf.Reader, wireType: number, element: FieldType, map: JsonObject): void {
  if (wireType !== LENGTH_DELIMITED) throw new MalformedError(`a map entry has wire type ${wireType}`);
  const end = lengthDelimitedEnd(reader);
  let key = '';
  let value: unknown = null;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) {
      expectWire(tag, LENGTH_DELIMITED);
      key = reader.string();
    } else if (tag >>> 3 === 2) value = readValue(reader, tag & 7, element) ?? null;
    else reader.skipType(tag & 7);
  }
  setField(map, key, value);
}

function wireTypeOf(type: FieldType): number {
  if (type.kind !== 'scalar') return LENGTH_DELIMITED;
  switch (type.scalar) {
    case 'bool':
    case 'int32':
    case 'int64':
      return VARINT;
    case 'double':
      return FIXED64;
    default:
      return LENGTH_DELIMITED;
  }
}

function readValue(reader: protobuf.Reader, wireType: number, type: FieldType): unknown {
  if (wireType !== wireTypeOf(type)) {
    throw new MalformedError(`wire type ${wireType} at byte ${reader.pos} does not fit its field`);
  }
  switch (type.kind) {
    case 'scalar':
      return readScalar(reader, type.scalar);
    case 'object': {
      const out: JsonObject = {};
      readMessage(reader, lengthDelimitedEnd(reader), numbersOf(typeNamed(type.typeName)), out);
      return out;
    }
    case 'list':
      return readWrapped(reader, type.element);
    case 'map':
      throw new MalformedError('a map cannot be an element');
  }
}

/** A message whose only field is the list. */
function readWrapped(reader: protobuf.Reader, element: FieldType): unknown[] {
  const end = lengthDelimitedEnd(reader);
  const list: unknown[] = [];
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) readElements(reader, tag & 7, element, list);
    else reader.skipType(tag & 7);
  }
  return list;
}

function readScalar(reader: protobuf.Reader, scalar: ScalarName): unknown {
  switch (scalar) {
    case 'bool':
      return reader.bool();
    case 'int32':
      return reader.int32();
    case 'int64':
      return readInt64(reader);
    case 'double':
      return reader.double();
    case 'string':
      return reader.string();
    case 'bytes':
      return base64(reader.bytes());
    default:
      return readSpecial(reader, scalar);
  }
}

function readInt64(reader: protobuf.Reader): number {
  const value: unknown = reader.int64();
  return typeof value === 'number' ? value : (value as { toNumber(): number }).toNumber();
}

function base64(bytes: Uint8Array): string {
  return protobuf.util.base64.encode(bytes, 0, bytes.length);
}

/** The members of Kubernetes' small value messages, by number; numbers and texts alike. */
interface SmallMessage {
  readonly numbers: ReadonlyMap<number, number>;
  readonly bytes: ReadonlyMap<number, Uint8Array>;
}

function readSmallMessage(reader: protobuf.Reader): SmallMessage {
  const numbers = new Map<number, number>();
  const bytes = new Map<number, Uint8Array>();
  const end = lengthDelimitedEnd(reader);
  while (reader.pos < end) {
    const tag = reader.uint32();
    if ((tag & 7) === VARINT) numbers.set(tag >>> 3, readInt64(reader));
    else if ((tag & 7) === LENGTH_DELIMITED) bytes.set(tag >>> 3, reader.bytes());
    else reader.skipType(tag & 7);
  }
  return { numbers, bytes };
}

type SmallScalar = Exclude<ScalarName, 'bool' | 'int32' | 'int64' | 'double' | 'string' | 'bytes'>;

/** Undefined for the zero time, which JSON writes as null. */
function readSpecial(reader: protobuf.Reader, scalar: SmallScalar): unknown {
  const { numbers, bytes } = readSmallMessage(reader);
  const text = (number: number): string => new TextDecoder().decode(bytes.get(number) ?? new Uint8Array());
  switch (scalar) {
    case 'quantity':
      return text(1);
    case 'intstr':
      return numbers.get(1) === 1 ? text(3) : (numbers.get(2) ?? 0);
    case 'duration':
      return formatGoDuration(numbers.get(1) ?? 0);
    case 'raw':
      return bytes.has(1) ? (JSON.parse(text(1)) as unknown) : null;
    case 'time':
    case 'microtime':
      return numbers.size === 0 ? undefined : timeText(scalar, numbers.get(1) ?? 0, numbers.get(2) ?? 0);
  }
}

/** The years 0001 to 9999, as RFC 3339 has them. */
const EARLIEST_SECONDS = -62_135_596_800;
const LATEST_SECONDS = 253_402_300_799;

function timeText(scalar: 'time' | 'microtime', seconds: number, nanos: number): string {
  if (seconds < EARLIEST_SECONDS || seconds > LATEST_SECONDS || nanos < 0 || nanos > 999_999_999) {
    throw new MalformedError(`${seconds} s and ${nanos} ns since 1970 are no time between the years 1 and 9999`);
  }
  if (scalar === 'time') return formatTimestamp(seconds * 1000);
  const microseconds = Math.floor(nanos / 1000);
  return formatMicroTimestamp(seconds * 1000 + Math.floor(microseconds / 1000), microseconds % 1000);
}
