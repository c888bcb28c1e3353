import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../object.ts';
import { ruleCheckErrors } from './rule-check.ts';
import { ruleErrors } from './rules.ts';
import type { StructuralSchema, ValidationRule } from './structural-schema.ts';

function schemaOf(rules: readonly ValidationRule[], spec: StructuralSchema = {}): StructuralSchema {
  return {
    type: 'object',
    properties: { spec: { type: 'object', ...spec, 'x-kubernetes-validations': rules } },
  };
}

const NUMBERS: StructuralSchema = {
  properties: {
    min: { type: 'integer' },
    max: { type: 'integer' },
    ratio: { type: 'number' },
    name: { type: 'string' },
  },
};

function texts(schema: StructuralSchema, spec: JsonObject, old?: JsonObject): string[] {
  const resource = (value: JsonObject): JsonObject => ({ metadata: { name: 'a' }, spec: value });
  return ruleErrors(resource(spec), old && resource(old), schema).map(({ field, message }) => `${field}: ${message}`);
}

describe('what holds and what does not', () => {
  test.each<[string, JsonObject, boolean]>([
    ['self.min <= self.max', { min: 1, max: 2 }, true],
    ['self.min <= self.max', { min: 3, max: 2 }, false],
    ['!has(self.max) || self.max > 0', {}, true],
    ['self.ratio < 0.5', { ratio: 1 }, false],
    ['self.ratio * 2.0 == 1.0', { ratio: 0.5 }, true],
    ['self.name.matches("^[a-z]+$")', { name: 'abc' }, true],
    ['self.name.startsWith("x-") && size(self.name) < 5', { name: 'x-abc' }, false],
    ['self.?name.orValue("none") == "none"', {}, true],
    ['[1, 2, 3].isSorted() && [1, 2].sum() == 3 && [1, 5, 2].max() == 5', {}, true],
    ['["a", "b"].indexOf("b") == 1 && "a.b".replace(".", "-") == "a-b"', {}, true],
    ['"x1y22".findAll("[0-9]+") == ["1", "22"] && "x1".find("[0-9]") == "1"', {}, true],
    ['isURL("https://a.example:8080/p") && url("https://a.example:8080/p").getPort() == "8080"', {}, true],
    ['isIP("10.0.0.1") && !isIP("10.0.0") && isCIDR("10.0.0.0/8")', {}, true],
    ['quantity("1Gi").isGreaterThan(quantity("1000Mi")) && !isQuantity("1x")', {}, true],
    ['self.min in [1, 2]', { min: 2 }, true],
  ])('%s of %j is %s', (rule, spec, holds) => {
    expect(texts(schemaOf([{ rule }], NUMBERS), spec)).toHaveLength(holds ? 0 : 1);
  });
});

describe('the error', () => {
  const wrong = { min: 3, max: 2 };
  const rule = 'self.min <= self.max';
  test.each<[string, Partial<ValidationRule>, string]>([
    ['the rule, when it has no message', {}, 'spec: Invalid value: "object": failed rule: self.min <= self.max'],
    ['its message', { message: 'min is above max' }, 'spec: Invalid value: "object": min is above max'],
    [
      'the message of an expression',
      { message: 'other', messageExpression: '"min " + string(self.min) + " is above " + string(self.max)' },
      'spec: Invalid value: "object": min 3 is above 2',
    ],
    [
      'the fixed one when the expression fails',
      { message: 'm', messageExpression: 'self.none' },
      'spec: Invalid value: "object": m',
    ],
    ['another field', { message: 'm', fieldPath: '.min' }, 'spec.min: Invalid value: "object": m'],
    ['forbidden', { message: 'm', reason: 'FieldValueForbidden' }, 'spec: Forbidden: m'],
    ['required', { message: 'm', reason: 'FieldValueRequired' }, 'spec: Required value: m'],
    ['duplicate', { message: 'm', reason: 'FieldValueDuplicate' }, 'spec: Duplicate value: "object"'],
  ])('%s', (_, more, text) => {
    expect(texts(schemaOf([{ rule, ...more }], NUMBERS), wrong)).toEqual([text]);
  });

  test('a rule that cannot be evaluated says why', () => {
    expect(texts(schemaOf([{ rule: 'self.max > 0', message: 'm' }], NUMBERS), {})).toEqual([
      'spec: Invalid value: "object": No such key: max evaluating rule: m',
    ]);
  });

  test('rules wait until the object has the right shape', () => {
    const found = [{ field: 'spec.max', reason: 'FieldValueRequired', message: 'Required value' }];
    expect(ruleErrors({ spec: wrong }, undefined, schemaOf([{ rule }], NUMBERS), found)).toMatchObject([
      {
        field: '<nil>',
        message: expect.stringMatching(/^Invalid value: "null": some validation rules were not checked/),
      },
    ]);
  });
});

describe('transitions', () => {
  const fixed = schemaOf([{ rule: 'self.min == oldSelf.min', message: 'min is immutable' }], NUMBERS);
  test('a rule over oldSelf is for updates only', () => {
    expect(texts(fixed, { min: 1 })).toEqual([]);
    expect(texts(fixed, { min: 1 }, { min: 1 })).toEqual([]);
    expect(texts(fixed, { min: 2 }, { min: 1 })).toEqual(['spec: Invalid value: "object": min is immutable']);
  });

  test('or for new values too, when the old one is optional', () => {
    const rule = 'oldSelf.hasValue() ? self.min >= oldSelf.value().min : self.min == 0';
    const schema = schemaOf([{ rule, optionalOldSelf: true }], NUMBERS);
    expect(texts(schema, { min: 0 })).toEqual([]);
    expect(texts(schema, { min: 1 })).toHaveLength(1);
    expect(texts(schema, { min: 3 }, { min: 2 })).toEqual([]);
    expect(texts(schema, { min: 1 }, { min: 2 })).toHaveLength(1);
  });

  test('elements of a list with keys keep their past, those of others have none', () => {
    const items: StructuralSchema = {
      type: 'object',
      properties: { name: { type: 'string' }, size: { type: 'integer' } },
      'x-kubernetes-validations': [{ rule: 'self.size >= oldSelf.size', message: 'no shrinking' }],
    };
    const list = (more: Partial<StructuralSchema>) =>
      schemaOf([], { properties: { disks: { type: 'array', items, ...more } } });
    const disks = (size: number) => ({
      disks: [
        { name: 'new', size: 0 },
        { name: 'a', size },
      ],
    });
    const old = { disks: [{ name: 'a', size: 5 }] };
    const keyed = list({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] });
    expect(texts(keyed, disks(4), old)).toEqual(['spec.disks[1]: Invalid value: "object": no shrinking']);
    expect(texts(list({}), disks(4), old)).toEqual([]);
  });
});

test('times, durations, escaped names, metadata', () => {
  const spec: StructuralSchema = {
    properties: {
      from: { type: 'string', format: 'date-time' },
      wait: { type: 'string', format: 'duration' },
      'a-b': { type: 'integer' },
      namespace: { type: 'string' },
    },
  };
  const rule =
    'self.from < timestamp("2030-01-01T00:00:00Z") && self.wait < duration("2h") && self.a__dash__b == 1 && self.__namespace__ == "x"';
  expect(
    texts(schemaOf([{ rule }], spec), { from: '2026-01-01T00:00:00Z', wait: '1h30m', 'a-b': 1, namespace: 'x' }),
  ).toEqual([]);
  const root: StructuralSchema = {
    type: 'object',
    'x-kubernetes-validations': [{ rule: 'self.metadata.name == "b"', message: 'm' }],
  };
  expect(texts(root, {})).toEqual(['<nil>: Invalid value: "object": m']);
});

test('a definition whose rules cannot be compiled is refused', () => {
  const check = (rule: ValidationRule) =>
    ruleCheckErrors(schemaOf([rule]), 'schema').map(({ field, message }) => `${field}: ${message}`);
  const at = 'schema.properties[spec].x-kubernetes-validations[0]';
  expect(check({ rule: 'self.a > 0', messageExpression: '"a is " + string(self.a)' })).toEqual([]);
  expect(check({ rule: 'self.a >' })[0]).toMatch(`${at}.rule: Invalid value: "self.a >": compilation failed: ERROR:`);
  expect(check({ rule: 'nosuch(self)' })[0]).toMatch('no matching overload');
  expect(check({ rule: 'self.a + 1 == 2 ? "x" : "y"' })[0]).toMatch('must evaluate to a bool');
  expect(check({ rule: ' ' })).toEqual([`${at}.rule: Required value: rule is not specified`]);
  expect(check({ rule: 'true', reason: 'Other' })[0]).toMatch(`${at}.reason: Unsupported value: "Other"`);
});
