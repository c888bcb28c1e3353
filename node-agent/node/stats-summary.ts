/** /stats/summary of the kubelet. The node's figures are those of its node-agent's process, in which emulated pods run. */
import { formatTimestamp } from '../../shared/api/timestamp.ts';
import type { PodStats, UsageStats } from './container-stats.ts';

export interface NodeProcessStats extends UsageStats {
  readonly nodeName: string;
  readonly startedAtMs: number;
}

export function statsSummary(node: NodeProcessStats, pods: readonly PodStats[], nowMs: number): object {
  const time = formatTimestamp(nowMs);
  const { cpu, memory } = figures(node, time);
  return {
    node: {
      nodeName: node.nodeName,
      startTime: formatTimestamp(node.startedAtMs),
      cpu,
      memory: { ...memory, rssBytes: node.memoryBytes },
    },
    pods: pods.map((pod) => ({
      podRef: { name: pod.name, namespace: pod.namespace, uid: pod.uid },
      startTime: formatTimestamp(pod.startedAtMs),
      containers: pod.containers.map((container) => ({
        name: container.name,
        startTime: formatTimestamp(container.startedAtMs),
        ...figures(container, time),
      })),
      ...figures(pod, time),
    })),
  };
}

function figures({ cpuNanoCores, coreNanoSeconds, memoryBytes }: UsageStats, time: string) {
  return {
    cpu: { time, usageNanoCores: cpuNanoCores, usageCoreNanoSeconds: Math.round(coreNanoSeconds) },
    memory: { time, usageBytes: memoryBytes, workingSetBytes: memoryBytes },
  };
}
