/** LimitRanges and ResourceQuotas (Kubernetes API reference, core/v1). */
import type {
  LimitRangeItem,
  LimitRangeSpec,
  ResourceQuotaSpec,
  ScopedResourceSelectorRequirement,
} from 'kubernetes-types/core/v1.js';
import { compareQuantities, formatQuantity, type Quantity } from '../quantity.ts';
import { type Amounts, amountsOf } from '../quota/amounts.ts';
import type { FieldError } from '../status.ts';
import { duplicateValue, forbiddenValue, invalidValue, requiredValue } from './field-error.ts';
import { each, oneOf, qualifiedName, type TypeRules } from './rule.ts';

function limitRangeErrors({ limits = [] }: LimitRangeSpec, path: string): FieldError[] {
  const seen = new Set<string>();
  return limits.flatMap((item, i) => {
    const at = `${path}.limits[${i}]`;
    const errors = seen.has(item.type) ? [duplicateValue(`${at}.type`, item.type)] : [];
    seen.add(item.type);
    return [...errors, ...defaultsOfPodErrors(item, at), ...orderErrors(item, at), ...ratioErrors(item, at)];
  });
}

function defaultsOfPodErrors(item: LimitRangeItem, path: string): FieldError[] {
  if (item.type !== 'Pod') return [];
  return (['default', 'defaultRequest'] as const)
    .filter((field) => Object.keys(item[field] ?? {}).length > 0)
    .map((field) => forbiddenValue(`${path}.${field}`, "may not be specified when `type` is 'Pod'"));
}

interface Side {
  readonly field: 'min' | 'max' | 'default' | 'defaultRequest';
  readonly what: string;
}

const MIN: Side = { field: 'min', what: 'min value' };
const MAX: Side = { field: 'max', what: 'max value' };
const REQUEST: Side = { field: 'defaultRequest', what: 'default request value' };
const LIMIT: Side = { field: 'default', what: 'default limit value' };
const DEFAULT: Side = { field: 'default', what: 'default value' };

/** The first is not more than the second; the error is the field's that is named last. */
const ORDER: readonly (readonly [less: Side, more: Side, at: Side['field']])[] = [
  [MIN, MAX, 'min'],
  [MIN, REQUEST, 'defaultRequest'],
  [REQUEST, MAX, 'defaultRequest'],
  [REQUEST, LIMIT, 'defaultRequest'],
  [MIN, DEFAULT, 'default'],
  [DEFAULT, MAX, 'default'],
];

function orderErrors(item: LimitRangeItem, path: string): FieldError[] {
  const amounts = (field: Side['field']) => amountsOf(item[field]);
  return ORDER.flatMap(([less, more, at]) => {
    const values = amounts(at);
    return [...exceeding(amounts(less.field), amounts(more.field))].map(([name, low, high]) => {
      const detail = `${less.what} ${formatQuantity(low)} is greater than ${more.what} ${formatQuantity(high)}`;
      return invalidValue(`${path}.${at}[${name}]`, formatQuantity(values.get(name)!), detail);
    });
  });
}

function* exceeding(low: Amounts, high: Amounts): Generator<[name: string, low: Quantity, high: Quantity]> {
  for (const [name, quantity] of low) {
    const bound = high.get(name);
    if (bound !== undefined && compareQuantities(quantity, bound) > 0) yield [name, quantity, bound];
  }
}

const ONE_NANO = 10n ** 9n;

function ratioErrors({ maxLimitRequestRatio }: LimitRangeItem, path: string): FieldError[] {
  return [...amountsOf(maxLimitRequestRatio)]
    .filter(([, { nano }]) => nano < ONE_NANO)
    .map(([name, quantity]) => {
      const text = formatQuantity(quantity);
      return invalidValue(`${path}.maxLimitRequestRatio[${name}]`, text, `ratio ${text} is less than 1`);
    });
}

const COMPUTE = ['cpu', 'memory', 'ephemeral-storage'];
/** Names without a prefix that a quota may have. */
const STANDARD_QUOTAS = new Set([
  ...COMPUTE,
  ...COMPUTE.flatMap((name) => [`requests.${name}`, `limits.${name}`]),
  'requests.storage',
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'persistentvolumeclaims',
  'configmaps',
  'services.nodeports',
  'services.loadbalancers',
]);
const COMPUTED = /^((requests|limits)\.)?(cpu|memory|ephemeral-storage|storage)$|^(requests\.)?hugepages-/;

function quotaErrors({ hard = {}, scopeSelector }: ResourceQuotaSpec, path: string): FieldError[] {
  const errors = [...amountsOf(hard)].flatMap(([name, quantity]) =>
    hardErrors(name, quantity, `${path}.hard[${name}]`),
  );
  const requirements = scopeSelector?.matchExpressions ?? [];
  const at = `${path}.scopeSelector.matchExpressions`;
  return [...errors, ...requirements.flatMap((requirement, i) => scopeErrors(requirement, `${at}[${i}]`))];
}

function hardErrors(name: string, quantity: Quantity, path: string): FieldError[] {
  const errors = qualifiedName(name, path);
  const isStandard = name.includes('/') || STANDARD_QUOTAS.has(name) || /^(requests\.)?hugepages-/.test(name);
  if (errors.length === 0 && !isStandard) {
    errors.push(invalidValue(path, name, 'must be a standard resource for quota'));
  }
  const text = formatQuantity(quantity);
  if (quantity.nano < 0n) errors.push(invalidValue(path, text, 'must be greater than or equal to 0'));
  if (!COMPUTED.test(name) && !name.includes('/') && quantity.nano % ONE_NANO !== 0n) {
    errors.push(invalidValue(path, text, 'must be an integer'));
  }
  return errors;
}

function scopeErrors({ operator, values = [] }: ScopedResourceSelectorRequirement, path: string): FieldError[] {
  const wantsValues = operator === 'In' || operator === 'NotIn';
  if (wantsValues && values.length === 0) {
    const detail = 'must be at least one value when `operator` is `In` or `NotIn` for scope selector';
    return [requiredValue(`${path}.values`, detail)];
  }
  if (wantsValues || values.length === 0) return [];
  const detail = 'must be no value when `operator` is `Exist` or `DoesNotExist` for scope selector';
  return [invalidValue(`${path}.values`, values, detail)];
}

const SCOPES = oneOf(
  'BestEffort',
  'CrossNamespacePodAffinity',
  'NotBestEffort',
  'NotTerminating',
  'PriorityClass',
  'Terminating',
);

export const QUOTA_RULES: Readonly<Record<string, TypeRules>> = {
  'core.v1.LimitRangeSpec': { object: limitRangeErrors },
  'core.v1.LimitRangeItem': { fields: { type: qualifiedName } },
  'core.v1.ResourceQuotaSpec': { fields: { scopes: each(SCOPES) }, object: quotaErrors },
  'core.v1.ScopedResourceSelectorRequirement': {
    fields: { scopeName: SCOPES, operator: oneOf('DoesNotExist', 'Exists', 'In', 'NotIn') },
  },
};
