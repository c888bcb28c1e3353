/**
 * An OpenAPI v2 document in protobuf: the messages of gnostic's `openapi.v2` (OpenAPIv2.proto), as far as documents of the
 * API have them. A message is a table of its JSON names; what the table does not name and begins with `x-` is a vendor
 * extension, which carries its value as YAML text.
 */
import protobuf from 'protobufjs/minimal.js';
import { isJsonObject, type JsonObject } from '../../../shared/api/object.ts';

type Write = (writer: protobuf.Writer, number: number, value: unknown) => void;

interface MessageTable {
  /** By JSON name: the field's number and how its value is written. */
  readonly fields: Readonly<Record<string, readonly [number: number, write: Write]>>;
  /** The number of `vendor_extension`. */
  readonly extensions?: number;
}

const LENGTH_DELIMITED = 2;
const FIXED_64 = 1;

function tag(writer: protobuf.Writer, number: number, wireType: number): protobuf.Writer {
  return writer.uint32((number << 3) | wireType);
}

function nested(writer: protobuf.Writer, number: number, body: (inner: protobuf.Writer) => void): void {
  body(tag(writer, number, LENGTH_DELIMITED).fork());
  writer.ldelim();
}

const text: Write = (writer, number, value) => {
  tag(writer, number, LENGTH_DELIMITED).string(String(value));
};
const flag: Write = (writer, number, value) => {
  if (value === true) tag(writer, number, 0).bool(true);
};
const integer: Write = (writer, number, value) => {
  tag(writer, number, 0).int64(Number(value));
};
const double: Write = (writer, number, value) => {
  tag(writer, number, FIXED_64).double(Number(value));
};
/** Message `Any`: JSON is YAML. */
const any: Write = (writer, number, value) =>
  nested(writer, number, (inner) => text(inner, 2, `${JSON.stringify(value)}\n`));

function each(write: Write): Write {
  return (writer, number, value) => {
    for (const entry of Array.isArray(value) ? value : [value]) write(writer, number, entry);
  };
}

/** The table is asked for late: messages lead back to themselves. */
function message(table: () => MessageTable): Write {
  return (writer, number, value) => {
    if (isJsonObject(value)) nested(writer, number, (inner) => writeMessage(inner, value, table()));
  };
}

/** A JSON object with any names: a list of `Named...` messages, name 1 and value 2. */
function named(writer: protobuf.Writer, number: number, value: unknown, write: Write): void {
  if (!isJsonObject(value)) return;
  for (const [name, entry] of Object.entries(value)) {
    nested(writer, number, (inner) => {
      text(inner, 1, name);
      write(inner, 2, entry);
    });
  }
}

/** The same inside a message of its own, as its field `number`. */
function namedIn(inside: number, write: Write): Write {
  return (writer, number, value) => nested(writer, number, (inner) => named(inner, inside, value, write));
}

/** A value inside of messages that only say which of several forms it has: their field numbers, outermost first. */
function wrapped(path: readonly number[], write: Write): Write {
  const [outer, ...rest] = path;
  if (outer === undefined) return write;
  const inside = wrapped(rest, write);
  return (writer, number, value) => nested(writer, number, (inner) => inside(inner, outer, value));
}

const schema: Write = message(() => SCHEMA);

const SCHEMA: MessageTable = {
  fields: {
    $ref: [1, text],
    format: [2, text],
    title: [3, text],
    description: [4, text],
    default: [5, any],
    multipleOf: [6, double],
    maximum: [7, double],
    exclusiveMaximum: [8, flag],
    minimum: [9, double],
    exclusiveMinimum: [10, flag],
    maxLength: [11, integer],
    minLength: [12, integer],
    pattern: [13, text],
    maxItems: [14, integer],
    minItems: [15, integer],
    uniqueItems: [16, flag],
    maxProperties: [17, integer],
    minProperties: [18, integer],
    required: [19, each(text)],
    enum: [20, each(any)],
    additionalProperties: [
      21,
      (writer, number, value) =>
        wrapped([typeof value === 'boolean' ? 2 : 1], typeof value === 'boolean' ? flag : schema)(
          writer,
          number,
          value,
        ),
    ],
    type: [22, wrapped([1], each(text))],
    items: [23, wrapped([1], schema)],
    properties: [25, namedIn(1, schema)],
  },
  extensions: 31,
};

const QUERY_PARAMETER: MessageTable = {
  fields: { in: [2, text], description: [3, text], name: [4, text], type: [6, text] },
};

const BODY_PARAMETER: MessageTable = {
  fields: { description: [1, text], name: [2, text], in: [3, text], required: [4, flag], schema: [5, schema] },
};

/** ParametersItem.parameter, then Parameter.body_parameter or .non_body_parameter.query_parameter_sub_schema. */
const parameter: Write = (writer, number, value) => {
  const isBody = isJsonObject(value) && value.in === 'body';
  const path = isBody ? [1, 1] : [1, 2, 3];
  wrapped(
    path,
    message(() => (isBody ? BODY_PARAMETER : QUERY_PARAMETER)),
  )(writer, number, value);
};

const RESPONSE: MessageTable = { fields: { description: [1, text], schema: [2, wrapped([1], schema)] } };

const OPERATION: MessageTable = {
  fields: {
    description: [3, text],
    operationId: [5, text],
    produces: [6, each(text)],
    consumes: [7, each(text)],
    parameters: [8, each(parameter)],
    // NamedResponseValue's value is a ResponseValue, whose field 1 is the response.
    responses: [
      9,
      namedIn(
        1,
        wrapped(
          [1],
          message(() => RESPONSE),
        ),
      ),
    ],
  },
  extensions: 13,
};

const operation = message(() => OPERATION);

const PATH_ITEM: MessageTable = {
  fields: {
    get: [2, operation],
    put: [3, operation],
    post: [4, operation],
    delete: [5, operation],
    patch: [8, operation],
  },
};

const INFO: MessageTable = { fields: { title: [1, text], version: [2, text] } };

const DOCUMENT: MessageTable = {
  fields: {
    swagger: [1, text],
    info: [2, message(() => INFO)],
    paths: [
      8,
      namedIn(
        2,
        message(() => PATH_ITEM),
      ),
    ],
    definitions: [9, namedIn(1, schema)],
  },
};

function writeMessage(writer: protobuf.Writer, value: JsonObject, { fields, extensions }: MessageTable): void {
  const vendor: JsonObject = {};
  for (const [name, entry] of Object.entries(value)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (field !== undefined && entry !== undefined) field[1](writer, field[0], entry);
    else if (name.startsWith('x-')) vendor[name] = entry;
  }
  if (extensions !== undefined) named(writer, extensions, vendor, any);
}

export function encodeOpenApiV2(document: JsonObject): Uint8Array {
  const writer = protobuf.Writer.create();
  writeMessage(writer, document, DOCUMENT);
  return writer.finish();
}
