/** Writes the JSON form as Kubernetes' protobuf by the type table, so that tests can send what client-go sends. */
import protobuf from 'protobufjs/minimal.js';
import type { JsonObject } from '../object.ts';
import { schemaOfKind } from '../registry.ts';
import { type FieldType, type ScalarName, typeNamed } from '../schema/schema.ts';

const MAGIC = Uint8Array.of(0x6b, 0x38, 0x73, 0x00);

export function encodeProtobuf(object: JsonObject): Uint8Array {
  const apiVersion = String(object.apiVersion);
  const kind = String(object.kind);
  const typeName = schemaOfKind(apiVersion, kind)!;
  const typeMeta = protobuf.Writer.create().uint32(10).string(apiVersion).uint32(18).string(kind).finish();
  const raw = message(object, typeName);
  const envelope = protobuf.Writer.create().uint32(10).bytes(typeMeta).uint32(18).bytes(raw).finish();
  return Uint8Array.from([...MAGIC, ...envelope]);
}

function message(object: JsonObject, typeName: string): Uint8Array {
  const writer = protobuf.Writer.create();
  const embedded = new Map<number, [path: readonly number[], type: FieldType, value: unknown][]>();
  for (const field of typeNamed(typeName).fields.values()) {
    const value = object[field.name];
    const [number, ...rest] = field.protobufPath;
    if (value === undefined || number === undefined) continue;
    if (rest.length === 0) writeField(writer, number, field.type, value);
    else embedded.set(number, [...(embedded.get(number) ?? []), [rest, field.type, value]]);
  }
  for (const [number, members] of embedded) {
    const inner = protobuf.Writer.create();
    for (const [path, type, value] of members) writeField(inner, path[0]!, type, value);
    writer.uint32((number << 3) | 2).bytes(inner.finish());
  }
  return writer.finish();
}

function writeField(writer: protobuf.Writer, number: number, type: FieldType, value: unknown): void {
  if (type.kind === 'list' && !type.wrapped) {
    for (const element of value as unknown[]) writeField(writer, number, type.element, element);
  } else if (type.kind === 'map') {
    for (const [key, entry] of Object.entries(value as JsonObject)) {
      const pair = protobuf.Writer.create().uint32(10).string(key);
      writeField(pair, 2, type.element, entry);
      writer.uint32((number << 3) | 2).bytes(pair.finish());
    }
  } else if (type.kind === 'list') {
    const inner = protobuf.Writer.create();
    for (const element of value as unknown[]) writeField(inner, 1, type.element, element);
    writer.uint32((number << 3) | 2).bytes(inner.finish());
  } else if (type.kind === 'object') {
    writer.uint32((number << 3) | 2).bytes(message(value as JsonObject, type.typeName));
  } else {
    writeScalar(writer, number, type.scalar, value);
  }
}

function writeScalar(writer: protobuf.Writer, number: number, scalar: ScalarName, value: unknown): void {
  switch (scalar) {
    case 'bool':
      writer.uint32(number << 3).bool(value as boolean);
      return;
    case 'int32':
    case 'int64':
      writer.uint32(number << 3).int64(value as number);
      return;
    case 'double':
      writer.uint32((number << 3) | 1).double(value as number);
      return;
    case 'string':
      writer.uint32((number << 3) | 2).string(value as string);
      return;
    default:
      writer.uint32((number << 3) | 2).bytes(smallMessage(scalar, value));
  }
}

function smallMessage(scalar: ScalarName, value: unknown): Uint8Array {
  const writer = protobuf.Writer.create();
  switch (scalar) {
    case 'bytes':
      return Uint8Array.from(atob(value as string), (char) => char.charCodeAt(0));
    case 'quantity':
      return writer
        .uint32(10)
        .string(value as string)
        .finish();
    case 'intstr':
      return typeof value === 'number'
        ? writer.uint32(8).int32(0).uint32(16).int32(value).uint32(26).string('').finish()
        : writer
            .uint32(8)
            .int32(1)
            .uint32(16)
            .int32(0)
            .uint32(26)
            .string(value as string)
            .finish();
    case 'raw':
      return writer.uint32(10).string(JSON.stringify(value)).finish();
    default: {
      const timeMs = Date.parse(value as string);
      const nanos = scalar === 'microtime' ? Number((value as string).slice(20, 26)) * 1000 : 0;
      return writer
        .uint32(8)
        .int64(Math.floor(timeMs / 1000))
        .uint32(16)
        .int32(nanos)
        .finish();
    }
  }
}
