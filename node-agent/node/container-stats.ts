/**
 * What the pods of a node use, for the kubelet's own endpoints: what a pod's annotations say (`shared/api/pod-usage.ts`), else what
 * the node's meter tells. Pure.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import { saidUsageMilli } from '../../shared/api/pod-usage.ts';
import { parseTimestamp } from '../../shared/api/timestamp.ts';
import type { ContainerUsage, NodeUsage, Usage } from '../../shared/bus/node-usage.ts';

export interface UsageStats extends Usage {
  /** Processor time since the start, in nanoseconds. */
  readonly coreNanoSeconds: number;
}

export interface ContainerStats extends UsageStats {
  readonly name: string;
  readonly startedAtMs: number;
}

export interface PodStats extends UsageStats {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly startedAtMs: number;
  readonly containers: readonly ContainerStats[];
}

export interface StatsSource {
  readonly usage: NodeUsage;
  /** Processor time that a container has had so far, in nanoseconds. */
  readonly totalNanoSeconds: (container: ContainerUsage) => number;
  readonly nowMs: number;
}

const NANO_PER_MILLI = 1_000_000;
const NOTHING: UsageStats = { cpuNanoCores: 0, coreNanoSeconds: 0, memoryBytes: 0 };

export function podStats(pods: readonly Pod[], source: StatsSource): PodStats[] {
  const measured = new Map(source.usage.containers.map((one) => [`${one.namespace}/${one.pod}/${one.container}`, one]));
  return pods.map((pod) => {
    const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
    const { startTime, containerStatuses = [] } = pod.status ?? {};
    const podStartedAtMs = timeOf(startTime) ?? source.nowMs;
    const said = saidUsage(pod, podStartedAtMs, source.nowMs);
    const containers = containerStatuses.map((status, index): ContainerStats => {
      const found = measured.get(`${namespace}/${name}/${status.name}`);
      // What the annotations say is the pod's; its first container stands for it.
      const own = said === undefined ? measuredUsage(found, source) : index === 0 ? said : NOTHING;
      return { name: status.name, startedAtMs: timeOf(status.state?.running?.startedAt) ?? podStartedAtMs, ...own };
    });
    return { namespace, name, uid, startedAtMs: podStartedAtMs, containers, ...sumOf(containers) };
  });
}

function measuredUsage(found: ContainerUsage | undefined, { totalNanoSeconds }: StatsSource): UsageStats {
  if (found === undefined) return NOTHING;
  const { cpuNanoCores, memoryBytes } = found;
  return { cpuNanoCores, memoryBytes, coreNanoSeconds: totalNanoSeconds(found) };
}

function saidUsage(pod: Pod, startedAtMs: number, nowMs: number): UsageStats | undefined {
  const cpuMilli = saidUsageMilli(pod, 'cpu');
  const memoryMilli = saidUsageMilli(pod, 'memory');
  if (cpuMilli === undefined && memoryMilli === undefined) return undefined;
  const cpuNanoCores = (cpuMilli ?? 0) * NANO_PER_MILLI;
  const memoryBytes = Math.round((memoryMilli ?? 0) / 1000);
  return { cpuNanoCores, memoryBytes, coreNanoSeconds: Math.round((cpuNanoCores * (nowMs - startedAtMs)) / 1000) };
}

function sumOf(parts: readonly UsageStats[]): UsageStats {
  return parts.reduce(
    (sum, part) => ({
      cpuNanoCores: sum.cpuNanoCores + part.cpuNanoCores,
      coreNanoSeconds: sum.coreNanoSeconds + part.coreNanoSeconds,
      memoryBytes: sum.memoryBytes + part.memoryBytes,
    }),
    NOTHING,
  );
}

function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseTimestamp(text);
}
