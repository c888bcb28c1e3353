/** What a Job does when its pods fail (Kubernetes API reference, "PodFailurePolicy"; documentation, "Jobs", back-off limit per index). */
import type {
  JobSpec,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyRule,
} from 'kubernetes-types/batch/v1.js';
import type { FieldError } from '../status.ts';
import { duplicateValue, invalidField, invalidValue, requiredValue, tooMany, unsupportedValue } from './field-error.ts';
import { qualifiedName } from './rule.ts';

const ACTIONS = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const OPERATORS = ['In', 'NotIn'];
const STATUSES = ['False', 'True', 'Unknown'];
const MAX_RULES = 20;
const MAX_EXIT_CODES = 255;
const MAX_CONDITIONS = 20;

export function jobFailureErrors(spec: JobSpec, path: string): FieldError[] {
  return [...indexErrors(spec, path), ...policyErrors(spec, path), ...successErrors(spec, path)];
}

function indexErrors(spec: JobSpec, path: string): FieldError[] {
  const { backoffLimitPerIndex, maxFailedIndexes, completionMode, completions } = spec;
  const errors: FieldError[] = [];
  if (completionMode !== 'Indexed') {
    for (const [field, value] of Object.entries({ backoffLimitPerIndex, maxFailedIndexes })) {
      if (value !== undefined) errors.push(invalidValue(`${path}.${field}`, value, 'requires indexed completion mode'));
    }
  } else if (maxFailedIndexes !== undefined) {
    if (backoffLimitPerIndex === undefined) {
      errors.push(requiredValue(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified'));
    }
    if (maxFailedIndexes > (completions ?? maxFailedIndexes)) {
      const detail = 'must be less than or equal to completions';
      errors.push(invalidValue(`${path}.maxFailedIndexes`, maxFailedIndexes, detail));
    }
  }
  return errors;
}

function successErrors({ successPolicy, completionMode, completions = 0 }: JobSpec, path: string): FieldError[] {
  if (successPolicy === undefined) return [];
  const at = `${path}.successPolicy`;
  if (completionMode !== 'Indexed') return [invalidField(at, 'requires indexed completion mode')];
  const { rules = [] } = successPolicy;
  if (rules.length === 0) {
    return [requiredValue(`${at}.rules`, 'at least one rules must be specified when the successPolicy is specified')];
  }
  const errors = rules.length > MAX_RULES ? [tooMany(`${at}.rules`, rules.length, MAX_RULES)] : [];
  for (const [i, { succeededCount, succeededIndexes }] of rules.entries()) {
    const rulePath = `${at}.rules[${i}]`;
    if (succeededCount === undefined && succeededIndexes === undefined) {
      errors.push(requiredValue(rulePath, 'at least one of succeededCount or succeededIndexes must be specified'));
    }
    if (succeededCount !== undefined && succeededCount > completions) {
      const detail = `must be less than or equal to ${completions} (the number of specified completions)`;
      errors.push(invalidValue(`${rulePath}.succeededCount`, succeededCount, detail));
    }
  }
  return errors;
}

function policyErrors(spec: JobSpec, path: string): FieldError[] {
  const { podFailurePolicy, template } = spec;
  if (podFailurePolicy === undefined) return [];
  const errors: FieldError[] = [];
  const restartPolicy = template?.spec?.restartPolicy;
  if (restartPolicy !== 'Never') {
    const detail = 'only "Never" is supported when podFailurePolicy is specified';
    errors.push(invalidValue(`${path}.template.spec.restartPolicy`, restartPolicy, detail));
  }
  const at = `${path}.podFailurePolicy.rules`;
  const { rules = [] } = podFailurePolicy;
  if (rules.length > MAX_RULES) errors.push(tooMany(at, rules.length, MAX_RULES));
  return [...errors, ...rules.flatMap((rule, i) => ruleErrors(spec, rule, `${at}[${i}]`))];
}

function ruleErrors(spec: JobSpec, rule: PodFailurePolicyRule, path: string): FieldError[] {
  const { action, onExitCodes, onPodConditions = [] } = rule;
  const errors = choiceErrors(action, ACTIONS, `${path}.action`);
  if (action === 'FailIndex' && spec.backoffLimitPerIndex === undefined) {
    errors.push(invalidValue(`${path}.action`, action, 'requires the backoffLimitPerIndex to be set'));
  }
  if (onExitCodes !== undefined) errors.push(...exitCodeErrors(spec, onExitCodes, `${path}.onExitCodes`));
  if (onPodConditions.length > MAX_CONDITIONS) {
    errors.push(tooMany(`${path}.onPodConditions`, onPodConditions.length, MAX_CONDITIONS));
  }
  for (const [i, { type, status }] of onPodConditions.entries()) {
    const at = `${path}.onPodConditions[${i}]`;
    errors.push(...qualifiedName(type, `${at}.type`), ...choiceErrors(status, STATUSES, `${at}.status`));
  }
  if (onExitCodes !== undefined && onPodConditions.length > 0) {
    errors.push(invalidField(path, 'specifying both OnExitCodes and OnPodConditions is not supported'));
  }
  if (onExitCodes === undefined && onPodConditions.length === 0) {
    errors.push(invalidField(path, 'specifying one of OnExitCodes and OnPodConditions is required'));
  }
  return errors;
}

function exitCodeErrors(
  { template }: JobSpec,
  { containerName, operator, values = [] }: PodFailurePolicyOnExitCodesRequirement,
  path: string,
): FieldError[] {
  const errors = choiceErrors(operator, OPERATORS, `${path}.operator`);
  const { containers = [], initContainers = [] } = template?.spec ?? {};
  const isKnown = [...containers, ...initContainers].some(({ name }) => name === containerName);
  if (containerName !== undefined && !isKnown) {
    const detail = 'must be one of the container or initContainer names in the pod template';
    errors.push(invalidValue(`${path}.containerName`, containerName, detail));
  }
  const at = `${path}.values`;
  if (values.length === 0) errors.push(invalidValue(at, values, 'at least one value is required'));
  else if (values.length > MAX_EXIT_CODES) errors.push(tooMany(at, values.length, MAX_EXIT_CODES));
  for (const [i, value] of values.entries()) {
    if (operator === 'In' && value === 0) {
      errors.push(invalidValue(`${at}[${i}]`, value, 'must not be 0 for the In operator'));
    }
    if (values.indexOf(value) < i) errors.push(duplicateValue(`${at}[${i}]`, value));
  }
  const isOrdered = values.every((value, i) => i === 0 || (values[i - 1] as number) <= value);
  if (!isOrdered) errors.push(invalidValue(at, values, 'must be ordered'));
  return errors;
}

function choiceErrors(value: string | undefined, choices: readonly string[], path: string): FieldError[] {
  if (!value) return [requiredValue(path, `valid values: [${choices.map((one) => JSON.stringify(one)).join(' ')}]`)];
  return choices.includes(value) ? [] : [unsupportedValue(path, value, choices)];
}
