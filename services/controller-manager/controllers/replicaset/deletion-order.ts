/**
 * Which pods of a ReplicaSet go first when it is scaled down (Kubernetes documentation, "ReplicaSet", scaling down):
 * unassigned, pending, not ready, cheap to delete, crowded on their node, ready for a short time, restarted often, young.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import { type Live, timeMs } from '../../../../shared/api/live.ts';
import { isPodReady, podCondition } from '../../../../shared/api/pod-condition.ts';

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
const PHASE_ORDER: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

interface Rank {
  readonly pod: Live<Pod>;
  /** Pods of the same owner on the same node. */
  readonly neighbours: number;
}

/** The `count` pods to delete. `related` are the active pods of all ReplicaSets of the same owner. */
export function podsToDelete(pods: readonly Live<Pod>[], related: readonly Live<Pod>[], count: number): Live<Pod>[] {
  if (count >= pods.length) return [...pods];
  const perNode = new Map<string, number>();
  for (const { spec } of related) {
    if (spec.nodeName) perNode.set(spec.nodeName, (perNode.get(spec.nodeName) ?? 0) + 1);
  }
  return pods
    .map((pod): Rank => ({ pod, neighbours: perNode.get(pod.spec.nodeName ?? '') ?? 0 }))
    .sort(compareRanks)
    .slice(0, count)
    .map(({ pod }) => pod);
}

function compareRanks(a: Rank, b: Rank): number {
  return (
    flag(a.pod.spec.nodeName) - flag(b.pod.spec.nodeName) ||
    phaseOrder(a.pod) - phaseOrder(b.pod) ||
    Number(isPodReady(a.pod)) - Number(isPodReady(b.pod)) ||
    deletionCost(a.pod) - deletionCost(b.pod) ||
    b.neighbours - a.neighbours ||
    readySince(b.pod) - readySince(a.pod) ||
    restarts(b.pod) - restarts(a.pod) ||
    timeMs(b.pod.metadata.creationTimestamp) - timeMs(a.pod.metadata.creationTimestamp)
  );
}

function flag(text: string | undefined): number {
  return text ? 1 : 0;
}

function phaseOrder(pod: Pod): number {
  return PHASE_ORDER[pod.status?.phase ?? 'Pending'] ?? 0;
}

function deletionCost(pod: Pod): number {
  return Number.parseInt(pod.metadata?.annotations?.[DELETION_COST] ?? '0', 10) || 0;
}

function readySince(pod: Pod): number {
  return isPodReady(pod) ? timeMs(podCondition(pod, 'Ready')?.lastTransitionTime) : 0;
}

function restarts(pod: Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount));
}
