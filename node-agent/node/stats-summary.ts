/**
 * /stats/summary of the kubelet. The node's figures are those of its node-agent's process, in which emulated pods run; a pod's
 * are what its annotations say (`shared/api/pod-usage.ts`).
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import { usageMilli } from '../../shared/api/pod-usage.ts';
import { formatTimestamp, parseTimestamp } from '../../shared/api/timestamp.ts';

export interface NodeUsage {
  readonly nodeName: string;
  readonly startedAtMs: number;
  readonly nowMs: number;
  /** Processor time since the start. */
  readonly cpuMicros: number;
  readonly residentBytes: number;
}

const NANO_PER_MILLI = 1_000_000;
const NANO_PER_MICRO = 1000;
const MICRO_PER_MS = 1000;

export function statsSummary(node: NodeUsage, pods: readonly Pod[]): object {
  const { nodeName, startedAtMs, nowMs, cpuMicros, residentBytes } = node;
  const time = formatTimestamp(nowMs);
  const lifeMicros = Math.max(1, (nowMs - startedAtMs) * MICRO_PER_MS);
  return {
    node: {
      nodeName,
      startTime: formatTimestamp(startedAtMs),
      cpu: {
        time,
        usageNanoCores: Math.round((cpuMicros / lifeMicros) * 1000 * NANO_PER_MILLI),
        usageCoreNanoSeconds: cpuMicros * NANO_PER_MICRO,
      },
      memory: { time, usageBytes: residentBytes, workingSetBytes: residentBytes, rssBytes: residentBytes },
    },
    pods: pods.map((pod) => podStats(pod, nowMs, time)),
  };
}

function podStats(pod: Pod, nowMs: number, time: string): object {
  const { name, namespace, uid } = pod.metadata ?? {};
  const { startTime, containerStatuses = [] } = pod.status ?? {};
  const usage = usageOf(pod, startTime, nowMs, time);
  // What the annotations say is the pod's; its first container stands for it.
  const containers = containerStatuses.map((status, i) => ({
    name: status.name,
    startTime: status.state?.running?.startedAt ?? startTime,
    ...(i === 0 ? usage : {}),
  }));
  return { podRef: { name, namespace, uid }, startTime, containers, ...usage };
}

function usageOf(pod: Pod, startTime: string | undefined, nowMs: number, time: string): object {
  const startedAtMs = (startTime === undefined ? undefined : parseTimestamp(startTime)) ?? nowMs;
  const usageNanoCores = usageMilli(pod, 'cpu') * NANO_PER_MILLI;
  const bytes = Math.round(usageMilli(pod, 'memory') / 1000);
  return {
    cpu: { time, usageNanoCores, usageCoreNanoSeconds: Math.round((usageNanoCores * (nowMs - startedAtMs)) / 1000) },
    memory: { time, usageBytes: bytes, workingSetBytes: bytes },
  };
}
