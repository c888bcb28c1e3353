import { describe, expect, it } from 'vitest';
import { applySchemaDefaults } from './default.ts';
import { compareVersions } from './definition.ts';
import { matchesFormat } from './format.ts';
import { pruneResource } from './prune.ts';
import type { StructuralSchema } from './structural-schema.ts';
import { structureErrors } from './structure.ts';
import { schemaErrors } from './validate.ts';

const STRING: StructuralSchema = { type: 'string' };
const INTEGER: StructuralSchema = { type: 'integer' };
const KEEP: StructuralSchema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

describe('validation: [schema of spec.x, value, what is told]', () => {
  const rows: readonly (readonly [StructuralSchema, unknown, string | undefined])[] = [
    [STRING, 'a', undefined],
    [STRING, 1, 'spec.x: Invalid value: 1: spec.x in body must be of type string: "integer"'],
    [STRING, null, 'spec.x: Invalid value: "null": spec.x in body must be of type string: "null"'],
    [{ ...STRING, nullable: true }, null, undefined],
    [INTEGER, 1.5, 'spec.x: Invalid value: 1.5: spec.x in body must be of type integer: "number"'],
    [{ type: 'number' }, 1, undefined],
    [{ type: 'array' }, {}, 'spec.x: Invalid value: "object": spec.x in body must be of type array: "object"'],
    [{ ...INTEGER, minimum: 1 }, 0, 'spec.x: Invalid value: 0: spec.x in body should be greater than or equal to 1'],
    [
      { ...INTEGER, minimum: 0, exclusiveMinimum: true },
      0,
      'spec.x: Invalid value: 0: spec.x in body should be greater than 0',
    ],
    [
      { ...INTEGER, maximum: 1, exclusiveMaximum: true },
      1,
      'spec.x: Invalid value: 1: spec.x in body should be less than 1',
    ],
    [{ ...INTEGER, multipleOf: 5 }, 7, 'spec.x: Invalid value: 7: spec.x in body should be a multiple of 5'],
    [{ ...STRING, minLength: 2 }, 'a', 'spec.x: Invalid value: "a": spec.x in body should be at least 2 chars long'],
    [{ ...STRING, maxLength: 1 }, 'ab', 'spec.x: Too long: may not be more than 1 bytes'],
    [{ ...STRING, pattern: '^a+$' }, 'ab', `spec.x: Invalid value: "ab": spec.x in body should match '^a+$'`],
    [
      { ...STRING, format: 'ipv4' },
      '10.0.0.300',
      'spec.x: Invalid value: "10.0.0.300": spec.x in body must be of type ipv4: "10.0.0.300"',
    ],
    [
      { type: 'array', items: STRING, minItems: 1 },
      [],
      'spec.x: Invalid value: []: spec.x in body should have at least 1 items',
    ],
    [{ type: 'array', items: STRING, maxItems: 1 }, ['a', 'b'], 'spec.x: Too many: 2: must have at most 1 items'],
    [
      { type: 'array', items: STRING },
      ['a', 2],
      'spec.x[1]: Invalid value: 2: spec.x[1] in body must be of type string: "integer"',
    ],
    [{ type: 'array', items: STRING, 'x-kubernetes-list-type': 'set' }, ['a', 'a'], 'spec.x[1]: Duplicate value: "a"'],
    [{ type: 'object', required: ['y'] }, {}, 'spec.x.y: Required value'],
    [
      { type: 'object', additionalProperties: INTEGER },
      { y: 'a' },
      'spec.x.y: Invalid value: "a": spec.x.y in body must be of type integer: "string"',
    ],
    [{ ...KEEP, maxProperties: 1 }, { a: 1, b: 2 }, 'spec.x: Too many: 2: must have at most 1 items'],
    [
      { ...KEEP, 'x-kubernetes-embedded-resource': true },
      { kind: 'A' },
      'spec.x.apiVersion: Required value: must not be empty',
    ],
    [{ 'x-kubernetes-int-or-string': true }, 'http', undefined],
    [
      { 'x-kubernetes-int-or-string': true },
      true,
      'spec.x: Invalid value: true: spec.x in body must be of type integer,string: "boolean"',
    ],
    [{ ...STRING, enum: ['a', 'b'] }, 'c', 'spec.x: Unsupported value: "c": supported values: "a", "b"'],
    [
      { anyOf: [STRING, INTEGER] },
      true,
      'spec.x: Invalid value: true: "spec.x" must validate at least one schema (anyOf)',
    ],
    [
      { ...INTEGER, oneOf: [{ minimum: 1 }, { minimum: 2 }] },
      2,
      'spec.x: Invalid value: 2: "spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    ],
    [{ ...INTEGER, not: { minimum: 1 } }, 2, 'spec.x: Invalid value: 2: "spec.x" must not validate the schema (not)'],
    [
      { ...INTEGER, allOf: [{ minimum: 3 }] },
      2,
      'spec.x: Invalid value: 2: spec.x in body should be greater than or equal to 3',
    ],
  ];
  it.each(rows)('%j %j', (x, value, told) => {
    const schema: StructuralSchema = {
      type: 'object',
      properties: { spec: { type: 'object', properties: { x } } },
    };
    const errors = schemaErrors({ apiVersion: 'a/v1', kind: 'A', metadata: {}, spec: { x: value } }, schema);
    expect(errors.map(({ field, message }) => `${field}: ${message}`)).toEqual(told === undefined ? [] : [told]);
  });
});

it('prunes what the schema does not name, and tells the paths', () => {
  const schema: StructuralSchema = {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: {
          known: STRING,
          list: { type: 'array', items: { type: 'object', properties: { name: STRING } } },
          free: { ...KEEP, properties: { strict: { type: 'object', properties: { a: STRING } } } },
          template: { type: 'object', 'x-kubernetes-embedded-resource': true, properties: { spec: KEEP } },
        },
      },
    },
  };
  const { object, unknownFields } = pruneResource(
    {
      apiVersion: 'a/v1',
      kind: 'A',
      metadata: { name: 'a' },
      extra: 1,
      spec: {
        known: 'a',
        colour: 'red',
        list: [{ name: 'a', size: 1 }],
        free: { any: { thing: 1 }, strict: { a: 'a', b: 'b' } },
        template: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { x: 1 }, data: 1 },
      },
    },
    schema,
  );
  expect(unknownFields).toEqual([
    'extra',
    'spec.colour',
    'spec.list[0].size',
    'spec.free.strict.b',
    'spec.template.data',
  ]);
  expect(object).toEqual({
    apiVersion: 'a/v1',
    kind: 'A',
    metadata: { name: 'a' },
    spec: {
      known: 'a',
      list: [{ name: 'a' }],
      free: { any: { thing: 1 }, strict: { a: 'a' } },
      template: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { x: 1 } },
    },
  });
});

it('fills in defaults, nested ones too, and gives each object its own', () => {
  const schema: StructuralSchema = {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        default: {},
        properties: { n: { ...INTEGER, default: 1 }, kept: { ...STRING, nullable: true, default: 'a' } },
      },
      list: { type: 'array', items: { type: 'object', properties: { port: { ...INTEGER, default: 80 } } } },
    },
  };
  const first: Record<string, unknown> = { list: [{}, { port: 1 }] };
  const second: Record<string, unknown> = { spec: { n: null, kept: null } };
  applySchemaDefaults(first, schema);
  applySchemaDefaults(second, schema);
  expect(first).toEqual({ spec: { n: 1, kept: 'a' }, list: [{ port: 80 }, { port: 1 }] });
  expect(second).toEqual({ spec: { n: 1, kept: null } });
});

it('names what is not structural', () => {
  const schema: StructuralSchema = {
    type: 'object',
    properties: {
      untyped: {},
      loose: { 'x-kubernetes-preserve-unknown-fields': true },
      list: { type: 'array' },
      items: { type: 'array', items: {} },
      both: { type: 'object', properties: { a: STRING }, additionalProperties: STRING },
      pattern: { type: 'string', pattern: '(' },
      wrong: { type: 'integer', default: 'a' },
    },
  };
  expect(structureErrors(schema, 's').map(({ field, message }) => `${field}: ${message}`)).toEqual([
    's.properties[untyped].type: Required value: must not be empty for specified object fields',
    's.properties[list].items: Required value: must be specified',
    's.properties[items].items.type: Required value: must not be empty for specified array items',
    's.properties[both].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive',
    's.properties[pattern].pattern: Invalid value: "(": must be a valid regular expression',
    's.properties[wrong].default: Invalid value: "a": s.properties[wrong].default in body must be of type integer: "string"',
  ]);
  expect(structureErrors({ type: 'array', items: STRING }, 's').map(({ field }) => field)).toEqual(['s.type']);
});

it('orders versions as discovery prefers them', () => {
  const versions = ['foo1', 'v1alpha1', 'v3beta1', 'v10', 'v2', 'v12alpha1', 'v11beta2', 'foo10'];
  expect(versions.sort(compareVersions)).toEqual([
    'v10',
    'v2',
    'v11beta2',
    'v3beta1',
    'v12alpha1',
    'v1alpha1',
    'foo1',
    'foo10',
  ]);
});

it.each([
  ['date-time', '2026-01-31T08:00:00Z', '2026-01-31'],
  ['date', '2026-01-31', '2026-13-01'],
  ['duration', '1h30m', 'soon'],
  ['uuid', '0b7f4a52-5b6f-4b1e-9d2c-3c8f7a6b5d4e', 'not-one'],
  ['cidr', '10.0.0.0/8', '10.0.0.0'],
  ['byte', 'Yg==', 'Y'],
  ['email', 'a@example.com', 'a'],
  ['hostname', 'a.example.com', '-a'],
])('knows the format %s', (format, good, bad) => {
  expect([matchesFormat(good, format), matchesFormat(bad, format)]).toEqual([true, false]);
});
