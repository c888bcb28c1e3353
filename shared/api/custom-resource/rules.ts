/**
 * The rules of custom resources, `x-kubernetes-validations`: expressions over a value (`self`) and what it was (`oldSelf`),
 * evaluated along the schema (Kubernetes documentation, "Validation rules").
 */
import { EvaluationError, Optional, type ParseResult, TypeError as RuleTypeError } from '@marcbachmann/cel-js';
import { isSame } from '../json-equality.ts';
import { isJsonObject, type JsonObject } from '../object.ts';
import type { FieldError } from '../status.ts';
import { duplicateValue, forbiddenValue, invalidValue, requiredValue } from '../validation/field-error.ts';
import { OPTIONAL_RULE_ENVIRONMENT, RULE_ENVIRONMENT } from './cel-library.ts';
import { celValue } from './cel-value.ts';
import { below, fieldSchema, type StructuralSchema, type ValidationRule } from './structural-schema.ts';

const UNCHECKED =
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
/** What else is wrong may be what a rule would stumble over. */
const BLOCKING = new Set(['FieldValueRequired', 'FieldValueTooLong', 'FieldValueTooMany', 'FieldValueTypeInvalid']);

/** `old` is undefined for a new resource. `found`: what the schema has found already. */
export function ruleErrors(
  resource: JsonObject,
  old: JsonObject | undefined,
  schema: StructuralSchema,
  found: readonly FieldError[] = [],
): FieldError[] {
  if (found.some(({ reason, message }) => BLOCKING.has(reason) || /must be of type/.test(message))) {
    return [invalidValue('<nil>', undefined, UNCHECKED)];
  }
  return valueErrors(visible(resource), old && visible(old), schema, '');
}

/** Of metadata, rules see the name only. */
function visible(resource: JsonObject): JsonObject {
  const { name, generateName } = isJsonObject(resource.metadata) ? resource.metadata : {};
  return { ...resource, metadata: { name, generateName } };
}

function valueErrors(value: unknown, old: unknown, schema: StructuralSchema, path: string): FieldError[] {
  const own = (schema['x-kubernetes-validations'] ?? []).flatMap((rule) => errorOf(rule, value, old, schema, path));
  if (Array.isArray(value)) return [...own, ...elementErrors(value, old, schema, path)];
  return isJsonObject(value) ? [...own, ...fieldErrors(value, old, schema, path)] : own;
}

function fieldErrors(value: JsonObject, old: unknown, schema: StructuralSchema, path: string): FieldError[] {
  const before = isJsonObject(old) ? old : {};
  return Object.entries(value).flatMap(([name, entry]) => {
    const field = fieldSchema(schema, name);
    if (field === undefined || entry === undefined || entry === null) return [];
    const declared = schema.properties !== undefined && Object.hasOwn(schema.properties, name);
    const here = declared ? below(path, name) : `${path}[${name}]`;
    return valueErrors(entry, Object.hasOwn(before, name) ? before[name] : undefined, field, here);
  });
}

/** Only the elements of a list with keys can be found again in what the list was. */
function elementErrors(
  value: readonly unknown[],
  old: unknown,
  { items, ...list }: StructuralSchema,
  path: string,
): FieldError[] {
  if (items === undefined) return [];
  const keys = list['x-kubernetes-list-type'] === 'map' ? list['x-kubernetes-list-map-keys'] : undefined;
  const keyOf = (entry: unknown) => keys?.map((key) => (isJsonObject(entry) ? entry[key] : undefined));
  const before = keys !== undefined && Array.isArray(old) ? old : [];
  return value.flatMap((entry, i) => {
    const counterpart: unknown = before.find((candidate) => isSame(keyOf(candidate), keyOf(entry)));
    return valueErrors(entry, counterpart, items, `${path}[${i}]`);
  });
}

interface CompiledRule {
  readonly holds: ParseResult;
  readonly message: ParseResult | undefined;
  readonly isTransition: boolean;
}

/** Schemas do not change: a new one is a new object. */
const compiled = new WeakMap<ValidationRule, CompiledRule>();

function compile(rule: ValidationRule): CompiledRule {
  let known = compiled.get(rule);
  if (known === undefined) {
    const environment = rule.optionalOldSelf ? OPTIONAL_RULE_ENVIRONMENT : RULE_ENVIRONMENT;
    known = {
      holds: environment.parse(rule.rule),
      message: rule.messageExpression ? environment.parse(rule.messageExpression) : undefined,
      isTransition: /\boldSelf\b/.test(rule.rule),
    };
    compiled.set(rule, known);
  }
  return known;
}

function errorOf(
  rule: ValidationRule,
  value: unknown,
  old: unknown,
  schema: StructuralSchema,
  path: string,
): FieldError[] {
  const { holds, message, isTransition } = compile(rule);
  if (isTransition && old === undefined && !rule.optionalOldSelf) return [];
  const before = old === undefined ? undefined : celValue(old, schema);
  const oldSelf = rule.optionalOldSelf ? (old === undefined ? Optional.none() : Optional.of(before)) : before;
  const context = { self: celValue(value, schema), ...(oldSelf === undefined ? {} : { oldSelf }) };
  const at = rule.fieldPath ? `${path}${rule.fieldPath}`.replace(/^\./, '') : path || '<nil>';
  try {
    if (holds(context) === true) return [];
  } catch (error) {
    if (!isRuleError(error)) throw error;
    return [invalidValue(at, schema.type, `${error.summary} evaluating rule: ${textOf(rule, undefined)}`)];
  }
  return [reasoned(rule.reason, at, schema.type, textOf(rule, message && evaluatedText(message, context)))];
}

/** The expression fails on the value: a fault of the value or of the rule, never of this program. */
function isRuleError(error: unknown): error is EvaluationError | RuleTypeError {
  return error instanceof EvaluationError || error instanceof RuleTypeError || isFunctionError(error);
}

/** What the functions of the library throw. */
function isFunctionError(error: unknown): error is EvaluationError {
  return error instanceof Error && error.name === 'EvaluationError';
}

function textOf({ rule, message }: ValidationRule, evaluated: string | undefined): string {
  return evaluated ?? (message || `failed rule: ${rule.trim()}`);
}

/** Undefined when the expression gives no usable text: then the fixed message has to do. */
function evaluatedText(message: ParseResult, context: object): string | undefined {
  try {
    const text: unknown = message(context);
    return typeof text === 'string' && text.trim() !== '' && !text.includes('\n') ? text.trim() : undefined;
  } catch (error) {
    if (!isRuleError(error)) throw error;
    return undefined;
  }
}

function reasoned(reason: string | undefined, field: string, value: unknown, text: string): FieldError {
  switch (reason) {
    case 'FieldValueRequired':
      return requiredValue(field, text);
    case 'FieldValueForbidden':
      return forbiddenValue(field, text);
    case 'FieldValueDuplicate':
      return duplicateValue(field, value);
    default:
      return invalidValue(field, value, text);
  }
}
