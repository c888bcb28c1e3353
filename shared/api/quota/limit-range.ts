/** What a LimitRange gives to containers that do not say it, and what it refuses (Kubernetes "Limit Ranges"). */
import type {
  Container,
  LimitRange,
  LimitRangeItem,
  PersistentVolumeClaim,
  Pod,
  ResourceRequirements,
} from 'kubernetes-types/core/v1.js';
import { compareQuantities, formatQuantity, type Quantity, quantityMilli, quantityValue } from '../quantity.ts';
import { type Amounts, amountsOf } from './amounts.ts';
import { podResources } from './pod-resources.ts';

const ANNOTATION = 'kubernetes.io/limit-ranger';
/** From here on the original counts in whole units instead of thousandths. */
const MAXIMUM_MILLI_VALUE = (2n ** 63n - 1n) / 1000n;

/** Changes the pod, which was decoded as one, and notes in an annotation what it has got. */
export function applyLimitRange(pod: Pod, range: LimitRange): void {
  const defaults = containerDefaults(range);
  const notes = [
    ...(pod.spec?.containers ?? []).flatMap((container) => complete(container, defaults, 'container')),
    ...(pod.spec?.initContainers ?? []).flatMap((container) => complete(container, defaults, 'init container')),
  ];
  if (notes.length === 0) return;
  const annotations = { ...pod.metadata?.annotations, [ANNOTATION]: `LimitRanger plugin set: ${notes.join('; ')}` };
  pod.metadata = { ...pod.metadata, annotations };
}

type Defaults = Required<Pick<ResourceRequirements, 'requests' | 'limits'>>;

function containerDefaults({ spec }: LimitRange): Defaults {
  const items = (spec?.limits ?? []).filter(({ type }) => type === 'Container');
  return {
    requests: Object.assign({}, ...items.map((item) => item.defaultRequest)),
    limits: Object.assign({}, ...items.map((item) => item.default)),
  };
}

function complete(container: Container, defaults: Defaults, what: string): string[] {
  const resources = container.resources ?? {};
  const missing = (of: 'requests' | 'limits') =>
    Object.keys(defaults[of])
      .filter((name) => resources[of]?.[name] === undefined)
      .sort();
  const requests = missing('requests');
  const limits = missing('limits');
  if (requests.length === 0 && limits.length === 0) return [];
  container.resources = {
    ...resources,
    limits: { ...defaults.limits, ...resources.limits },
    requests: { ...defaults.requests, ...resources.requests },
  };
  return [
    ...(requests.length === 0 ? [] : [`${requests.join(', ')} request for ${what} ${container.name}`]),
    ...(limits.length === 0 ? [] : [`${limits.join(', ')} limit for ${what} ${container.name}`]),
  ];
}

/** What the range has against the pod. */
export function podLimitErrors({ spec }: Pod, range: LimitRange): string[] {
  if (spec === undefined) return [];
  return (range.spec?.limits ?? []).flatMap((item) => {
    if (item.type === 'Pod') return itemErrors(item, podResources(spec, 'requests'), podResources(spec, 'limits'));
    if (item.type !== 'Container') return [];
    return [...(spec.containers ?? []), ...(spec.initContainers ?? [])].flatMap(({ resources }) =>
      itemErrors(item, amountsOf(resources?.requests), amountsOf(resources?.limits)),
    );
  });
}

export function claimLimitErrors({ spec }: PersistentVolumeClaim, range: LimitRange): string[] {
  const requests = amountsOf(spec?.resources?.requests);
  return (range.spec?.limits ?? [])
    .filter(({ type }) => type === 'PersistentVolumeClaim')
    .flatMap((item) => [
      ...each(item.min, (name, bound) => minimumError(item, name, bound, requests, new Map())),
      ...each(item.max, (name, bound) => maximumRequestError(item, name, bound, requests)),
    ]);
}

function itemErrors(item: LimitRangeItem, requests: Amounts, limits: Amounts): string[] {
  return [
    ...each(item.min, (name, bound) => minimumError(item, name, bound, requests, limits)),
    ...each(item.max, (name, bound) => maximumError(item, name, bound, requests, limits)),
    ...each(item.maxLimitRequestRatio, (name, bound) => ratioError(item, name, bound, requests, limits)),
  ];
}

function each(
  bounds: Readonly<Record<string, unknown>> | undefined,
  check: (name: string, bound: Quantity) => string | undefined,
): string[] {
  return [...amountsOf(bounds)].map(([name, bound]) => check(name, bound)).filter((error) => error !== undefined);
}

function minimumError(
  { type }: LimitRangeItem,
  name: string,
  bound: Quantity,
  requests: Amounts,
  limits: Amounts,
): string | undefined {
  const wanted = `minimum ${name} usage per ${type} is ${formatQuantity(bound)}`;
  const request = requests.get(name);
  const limit = limits.get(name);
  if (request === undefined) return `${wanted}.  No request is specified`;
  if (isLess(request, bound)) return `${wanted}, but request is ${formatQuantity(request)}`;
  return limit !== undefined && isLess(limit, bound) ? `${wanted}, but limit is ${formatQuantity(limit)}` : undefined;
}

function maximumError(
  { type }: LimitRangeItem,
  name: string,
  bound: Quantity,
  requests: Amounts,
  limits: Amounts,
): string | undefined {
  const wanted = `maximum ${name} usage per ${type} is ${formatQuantity(bound)}`;
  const request = requests.get(name);
  const limit = limits.get(name);
  if (limit === undefined) return `${wanted}.  No limit is specified`;
  if (isLess(bound, limit)) return `${wanted}, but limit is ${formatQuantity(limit)}`;
  return request !== undefined && isLess(bound, request)
    ? `${wanted}, but request is ${formatQuantity(request)}`
    : undefined;
}

function maximumRequestError(
  { type }: LimitRangeItem,
  name: string,
  bound: Quantity,
  requests: Amounts,
): string | undefined {
  const wanted = `maximum ${name} usage per ${type} is ${formatQuantity(bound)}`;
  const request = requests.get(name);
  if (request === undefined) return `${wanted}.  No request is specified`;
  return isLess(bound, request) ? `${wanted}, but request is ${formatQuantity(request)}` : undefined;
}

function ratioError(
  { type }: LimitRangeItem,
  name: string,
  bound: Quantity,
  requests: Amounts,
  limits: Amounts,
): string | undefined {
  const wanted = `${name} max limit to request ratio per ${type} is ${formatQuantity(bound)}`;
  const request = observed(requests.get(name));
  const limit = observed(limits.get(name));
  if (request === 0) return `${wanted}, but no request is specified or request is 0`;
  if (limit === 0) return `${wanted}, but no limit is specified or limit is 0`;
  const ratio = limit / request;
  return ratio * 1000 > quantityMilli(bound) ? `${wanted}, but provided ratio is ${ratio.toFixed(6)}` : undefined;
}

function observed(quantity: Quantity | undefined): number {
  if (quantity === undefined) return 0;
  const isSmall = quantity.nano / 10n ** 9n <= MAXIMUM_MILLI_VALUE;
  return isSmall ? quantityMilli(quantity) : quantityValue(quantity) * 1000;
}

function isLess(a: Quantity, b: Quantity): boolean {
  return compareQuantities(a, b) < 0;
}
