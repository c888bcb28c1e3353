/** Labels, annotations and label selectors. */
import type { LabelSelectorRequirement } from 'kubernetes-types/meta/v1.js';
import { labelValueErrors, qualifiedNameErrors } from '../name-format.ts';
import type { JsonObject } from '../object.ts';
import type { FieldError } from '../status.ts';
import { forbiddenValue, invalidValue, requiredValue, tooLong } from './field-error.ts';
import type { Rule, TypeRules } from './rule.ts';

const ANNOTATIONS_MAX_BYTES = 256 * 1024;

export const labels: Rule = (value, path) =>
  Object.entries(value as Record<string, string>).flatMap(([key, text]) => [
    ...qualifiedNameErrors(key).map((message) => invalidValue(path, key, message)),
    ...labelValueErrors(text).map((message) => invalidValue(path, text, message)),
  ]);

export const annotations: Rule = (value, path) => {
  const entries = Object.entries(value as Record<string, string>);
  const errors: FieldError[] = entries.flatMap(([key]) =>
    qualifiedNameErrors(key.toLowerCase()).map((message) => invalidValue(path, key, message)),
  );
  const characters = entries.reduce((total, [key, text]) => total + key.length + text.length, 0);
  return characters > ANNOTATIONS_MAX_BYTES ? [...errors, tooLong(path, ANNOTATIONS_MAX_BYTES)] : errors;
};

function requirementErrors({ operator, values = [] }: LabelSelectorRequirement, path: string): FieldError[] {
  const field = `${path}.values`;
  switch (operator) {
    case 'In':
    case 'NotIn':
      return values.length === 0 ? [requiredValue(field, "must be specified when `operator` is 'In' or 'NotIn'")] : [];
    case 'Exists':
    case 'DoesNotExist':
      return values.length === 0
        ? []
        : [forbiddenValue(field, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")];
    default:
      return operator ? [invalidValue(`${path}.operator`, operator, 'not a valid selector operator')] : [];
  }
}

export const LABEL_RULES: Readonly<Record<string, TypeRules>> = {
  'meta.v1.ObjectMeta': { fields: { labels, annotations } },
  'meta.v1.LabelSelector': { fields: { matchLabels: labels } },
  'meta.v1.LabelSelectorRequirement': {
    fields: {
      key: (value, path) => qualifiedNameErrors(String(value)).map((message) => invalidValue(path, value, message)),
      values: (value, path) =>
        (value as string[]).flatMap((text, i) =>
          labelValueErrors(text).map((message) => invalidValue(`${path}[${i}]`, text, message)),
        ),
    },
    object: requirementErrors,
  },
};

/** True for a selector object that selects everything. */
export function isEmptySelector(selector: JsonObject | undefined): boolean {
  return selector === undefined || Object.keys(selector).length === 0;
}
