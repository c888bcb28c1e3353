/**
 * What pods use, for autoscalers: what their annotations say (`shared/api/pod-usage.ts`), as a test chooses it, else what
 * metrics.k8s.io tells, as `kubectl top` shows it.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import { podCondition } from '../../../../shared/api/pod-condition.ts';
import { milliOf, saidUsageMilli } from '../../../../shared/api/pod-usage.ts';
import { PODMETRICS } from '../../../../shared/api/resources.ts';
import type { ApiClient } from '../../../../shared/bus/api-client.ts';
import type { PodUsage } from './recommendation.ts';

export interface PodMetrics {
  readonly metadata: { readonly name: string };
  /** The end of the window; `5.000s` */
  readonly timestamp: string;
  readonly window: string;
  readonly containers: readonly { readonly usage: Readonly<Record<string, string>> }[];
}

/** Asks for metrics only where a pod does not say itself what it uses. */
export async function podUsage(
  api: ApiClient,
  namespace: string,
  pods: readonly Live<Pod>[],
  resources: readonly string[],
): Promise<PodUsage> {
  const isSilent = (pod: Live<Pod>) => resources.some((resource) => saidUsageMilli(pod, resource) === undefined);
  const metrics = pods.some(isSilent) ? await metricsOf(api, namespace) : [];
  return usageFrom(metrics);
}

export function usageFrom(metrics: readonly PodMetrics[]): PodUsage {
  const byPod = new Map(metrics.map((one) => [one.metadata.name, one]));
  return (pod, resource) => {
    const said = saidUsageMilli(pod, resource);
    if (said !== undefined) return said;
    const found = byPod.get(pod.metadata.name);
    if (found === undefined || beganBefore(found, readySinceMs(pod))) return undefined;
    return found.containers.reduce((total, { usage }) => total + (milliOf(usage[resource]) ?? 0), 0);
  };
}

/** What a pod did until it was ready says nothing of what it does since. */
function beganBefore({ timestamp, window }: PodMetrics, atMs: number): boolean {
  return Date.parse(timestamp) - Number.parseFloat(window) * 1000 < atMs;
}

function readySinceMs(pod: Live<Pod>): number {
  return Date.parse(podCondition(pod, 'Ready')?.lastTransitionTime ?? '');
}

/** None when they cannot be had: the autoscaler says so in its status. */
async function metricsOf(api: ApiClient, namespace: string): Promise<readonly PodMetrics[]> {
  try {
    const { items } = await api.list<PodMetrics>(PODMETRICS, { namespace });
    return items;
  } catch {
    return [];
  }
}
