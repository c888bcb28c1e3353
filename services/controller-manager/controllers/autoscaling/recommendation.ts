/** How many pods the metrics call for (Kubernetes documentation, "Horizontal Pod Autoscaling", algorithm details). */
import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus } from 'kubernetes-types/autoscaling/v2.js';
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import { isPodActive, isPodReady } from '../../../../shared/api/pod-condition.ts';
import { milliOf } from '../../../../shared/api/pod-usage.ts';
import { requestMilli } from './pod-request.ts';

export interface Recommendation {
  readonly replicas: number;
  /** `cpu resource utilization (percentage of request)`: the metric that asked for most. */
  readonly metric: string;
  readonly current: readonly MetricStatus[];
}

/** The metric cannot be had. */
export interface NoRecommendation {
  readonly reason: string;
  readonly message: string;
}

/** A ratio this near to 1 changes nothing. */
const TOLERANCE = 0.1;

/** What a pod uses of a resource, in thousandths; undefined when nobody knows. */
export type PodUsage = (pod: Live<Pod>, resource: string) => number | undefined;

export function recommend(
  { spec }: Live<HorizontalPodAutoscaler>,
  replicas: number,
  pods: readonly Live<Pod>[],
  usageOf: PodUsage,
): Recommendation | NoRecommendation {
  const current: MetricStatus[] = [];
  let most: { replicas: number; metric: string } | undefined;
  let failure: NoRecommendation | undefined;
  for (const metric of spec.metrics ?? []) {
    const asked = byMetric(metric, replicas, pods.filter(isPodActive), usageOf);
    if ('reason' in asked) {
      failure ??= asked;
      continue;
    }
    current.push(asked.status);
    if (most === undefined || asked.replicas > most.replicas) most = asked;
  }
  // A metric that cannot be had might ask for more: it keeps what is there from becoming less.
  if (failure !== undefined && (most === undefined || most.replicas < replicas)) return failure;
  if (most === undefined) return { reason: 'InvalidMetricSourceType', message: 'there is no metric' };
  return { ...most, current };
}

interface Asked {
  readonly replicas: number;
  readonly metric: string;
  readonly status: MetricStatus;
}

function byMetric(
  metric: MetricSpec,
  replicas: number,
  pods: readonly Live<Pod>[],
  usageOf: PodUsage,
): Asked | NoRecommendation {
  const { type, resource } = metric;
  if (type !== 'Resource' || resource === undefined) {
    const message = `metrics of type ${type} are not emulated: use type Resource`;
    return { reason: 'InvalidMetricSourceType', message };
  }
  const { name, target } = resource;
  if (pods.length === 0) return failed(name, 'no pods returned by selector');
  const ready = pods.filter(isPodReady);
  const usages = ready.map((pod) => usageOf(pod, name));
  if (ready.length > 0 && usages.every((usage) => usage === undefined)) {
    return failed(name, `unable to get metrics for resource ${name}: no metrics returned from resource metrics API`);
  }
  const usage = usages.reduce<number>((total, one) => total + (one ?? 0), 0);
  const scope = { name, replicas, pods, ready, usage };
  if (target.averageValue !== undefined) return byValue(scope, milliOf(target.averageValue) ?? 0);
  return byUtilization(scope, target.averageUtilization ?? 0);
}

/** One metric of the pods that are there, and the sum of it over those that are ready, in thousandths. */
interface Measured {
  readonly name: string;
  readonly replicas: number;
  readonly pods: readonly Live<Pod>[];
  readonly ready: readonly Live<Pod>[];
  readonly usage: number;
}

function failed(name: string, message: string): NoRecommendation {
  return { reason: 'FailedGetResourceMetric', message: `failed to get ${name} utilization: ${message}` };
}

function byValue({ name, replicas, pods, ready, usage }: Measured, targetMilli: number): Asked {
  const ratioOf = (among: readonly Live<Pod>[]): number => usage / (among.length * targetMilli);
  const averageValue = `${Math.round(ready.length === 0 ? 0 : usage / ready.length)}m`;
  return {
    replicas: scaled(replicas, ready, pods, ratioOf),
    metric: `${name} resource`,
    status: { type: 'Resource', resource: { name, current: { averageValue } } },
  };
}

function byUtilization(
  { name, replicas, pods, ready, usage }: Measured,
  targetPercent: number,
): Asked | NoRecommendation {
  const requests = new Map<Live<Pod>, number>();
  for (const pod of pods) {
    const request = requestMilli(pod, name);
    if (typeof request !== 'number') {
      return failed(name, `missing request for ${name} in container ${request.missingIn} of Pod ${pod.metadata.name}`);
    }
    requests.set(pod, request);
  }
  const percentOf = (among: readonly Live<Pod>[]): number =>
    Math.floor(
      (usage * 100) /
        Math.max(
          1,
          sum(among, (pod) => requests.get(pod) ?? 0),
        ),
    );
  const averageValue = `${Math.round(ready.length === 0 ? 0 : usage / ready.length)}m`;
  return {
    replicas: scaled(replicas, ready, pods, (among) => percentOf(among) / targetPercent),
    metric: `${name} resource utilization (percentage of request)`,
    status: { type: 'Resource', resource: { name, current: { averageUtilization: percentOf(ready), averageValue } } },
  };
}

/** Pods that are not ready use nothing where more are asked for, and do not count where fewer are. */
function scaled(
  replicas: number,
  ready: readonly Live<Pod>[],
  all: readonly Live<Pod>[],
  ratioOf: (among: readonly Live<Pod>[]) => number,
): number {
  if (ready.length === 0) return replicas;
  const ratio = ratioOf(ready);
  const among = ratio > 1 ? all : ready;
  const careful = ratioOf(among);
  const turned = ratio > 1 !== careful > 1;
  if (turned || Math.abs(careful - 1) <= TOLERANCE) return replicas;
  const wanted = Math.ceil(careful * among.length);
  return ratio > 1 ? Math.max(replicas, wanted) : Math.min(replicas, wanted);
}

function sum(pods: readonly Live<Pod>[], amountOf: (pod: Live<Pod>) => number): number {
  return pods.reduce((total, pod) => total + amountOf(pod), 0);
}
