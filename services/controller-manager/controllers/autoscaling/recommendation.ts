/** How many pods the metrics call for (Kubernetes documentation, "Horizontal Pod Autoscaling", algorithm details). */
import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus } from 'kubernetes-types/autoscaling/v2.js';
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import { isPodActive, isPodReady } from '../../../../shared/api/pod-condition.ts';
import { milliOf, usageMilli } from '../../../../shared/api/pod-usage.ts';
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

export function recommend(
  { spec }: Live<HorizontalPodAutoscaler>,
  replicas: number,
  pods: readonly Live<Pod>[],
): Recommendation | NoRecommendation {
  const current: MetricStatus[] = [];
  let most: { replicas: number; metric: string } | undefined;
  for (const metric of spec.metrics ?? []) {
    const asked = byMetric(metric, replicas, pods.filter(isPodActive));
    if ('reason' in asked) return asked;
    current.push(asked.status);
    if (most === undefined || asked.replicas > most.replicas) most = asked;
  }
  if (most === undefined) return { reason: 'InvalidMetricSourceType', message: 'there is no metric' };
  return { ...most, current };
}

interface Asked {
  readonly replicas: number;
  readonly metric: string;
  readonly status: MetricStatus;
}

function byMetric(metric: MetricSpec, replicas: number, pods: readonly Live<Pod>[]): Asked | NoRecommendation {
  const { type, resource } = metric;
  if (type !== 'Resource' || resource === undefined) {
    const message = `metrics of type ${type} are not emulated: use type Resource`;
    return { reason: 'InvalidMetricSourceType', message };
  }
  const { name, target } = resource;
  if (pods.length === 0) return failed(name, 'no pods returned by selector');
  if (target.averageValue !== undefined) return byValue(name, milliOf(target.averageValue) ?? 0, replicas, pods);
  return byUtilization(name, target.averageUtilization ?? 0, replicas, pods);
}

function failed(name: string, message: string): NoRecommendation {
  return { reason: 'FailedGetResourceMetric', message: `failed to get ${name} utilization: ${message}` };
}

function byValue(name: string, targetMilli: number, replicas: number, pods: readonly Live<Pod>[]): Asked {
  const ready = pods.filter(isPodReady);
  const usage = sum(ready, (pod) => usageMilli(pod, name));
  const ratioOf = (among: readonly Live<Pod>[]): number => usage / (among.length * targetMilli);
  const averageValue = `${Math.round(ready.length === 0 ? 0 : usage / ready.length)}m`;
  return {
    replicas: scaled(replicas, ready, pods, ratioOf),
    metric: `${name} resource`,
    status: { type: 'Resource', resource: { name, current: { averageValue } } },
  };
}

function byUtilization(
  name: string,
  targetPercent: number,
  replicas: number,
  pods: readonly Live<Pod>[],
): Asked | NoRecommendation {
  const requests = new Map<Live<Pod>, number>();
  for (const pod of pods) {
    const request = requestMilli(pod, name);
    if (typeof request !== 'number') {
      return failed(name, `missing request for ${name} in container ${request.missingIn} of Pod ${pod.metadata.name}`);
    }
    requests.set(pod, request);
  }
  const ready = pods.filter(isPodReady);
  const usage = sum(ready, (pod) => usageMilli(pod, name));
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
