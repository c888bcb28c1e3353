/** Whether the rules of a schema can be evaluated at all, looked at when a definition is written. */
import type { FieldError } from '../status.ts';
import { invalidValue, requiredValue, unsupportedValue } from '../validation/field-error.ts';
import { OPTIONAL_RULE_ENVIRONMENT, RULE_ENVIRONMENT } from './cel-library.ts';
import type { StructuralSchema, ValidationRule } from './structural-schema.ts';

const REASONS = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];

/** `path` is that of the schema: `spec.versions[0].schema.openAPIV3Schema`. */
export function ruleCheckErrors(schema: StructuralSchema, path: string): FieldError[] {
  const { properties = {}, additionalProperties, items } = schema;
  return [
    ...(schema['x-kubernetes-validations'] ?? []).flatMap((rule, i) =>
      checkRule(rule, `${path}.x-kubernetes-validations[${i}]`),
    ),
    ...Object.entries(properties).flatMap(([name, part]) => ruleCheckErrors(part, `${path}.properties[${name}]`)),
    ...(typeof additionalProperties === 'object'
      ? ruleCheckErrors(additionalProperties, `${path}.additionalProperties`)
      : []),
    ...(items === undefined ? [] : ruleCheckErrors(items, `${path}.items`)),
  ];
}

function checkRule(rule: ValidationRule, path: string): FieldError[] {
  if (!rule.rule?.trim()) return [requiredValue(`${path}.rule`, 'rule is not specified')];
  const { messageExpression, reason } = rule;
  return [
    ...expressionErrors(rule, rule.rule, 'bool', `${path}.rule`),
    ...(messageExpression ? expressionErrors(rule, messageExpression, 'string', `${path}.messageExpression`) : []),
    ...(reason === undefined || REASONS.includes(reason) ? [] : [unsupportedValue(`${path}.reason`, reason, REASONS)]),
  ];
}

function expressionErrors(rule: ValidationRule, text: string, wanted: string, path: string): FieldError[] {
  const environment = rule.optionalOldSelf ? OPTIONAL_RULE_ENVIRONMENT : RULE_ENVIRONMENT;
  const { valid, type = '', error } = environment.check(text);
  if (!valid) return [invalidValue(path, text, `compilation failed: ERROR: <input>: ${error?.summary ?? 'unknown'}`)];
  // What depends on the value's type is known when it is evaluated.
  if (type === wanted || type === 'dyn') return [];
  return [invalidValue(path, text, `compilation failed: must evaluate to a ${wanted}`)];
}
