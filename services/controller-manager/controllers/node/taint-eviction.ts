/**
 * Taint eviction: a pod on a node with a NoExecute taint is deleted at once when it does not tolerate the taint, and after the
 * shortest `tolerationSeconds` of those that do when that is bounded. On a node that is gone nobody confirms the deletion: the
 * pod stays Terminating until the node returns or is removed, while its controller already has a replacement elsewhere.
 */
import type { Node, Pod, Taint, Toleration } from 'kubernetes-types/core/v1.js';
import { type Live, timeMs } from '../../../../shared/api/live.ts';
import { isTerminating } from '../../../../shared/api/pod-condition.ts';
import { PODS } from '../../../../shared/api/resources.ts';
import { formatTimestamp } from '../../../../shared/api/timestamp.ts';
import { tolerates } from '../../../../shared/api/toleration.ts';
import { type Action, NOTHING, type Outcome } from '../../action.ts';

export interface TaintEvictionState {
  readonly pod: Live<Pod>;
  readonly node: Live<Node> | undefined;
}

export function reconcileTaintEviction({ pod, node }: TaintEvictionState, nowMs: number): Outcome {
  const taints = (node?.spec.taints ?? []).filter(({ effect }) => effect === 'NoExecute');
  if (taints.length === 0 || isTerminating(pod)) return NOTHING;
  const delayMs = evictionDelayMs(taints, pod.spec.tolerations ?? [], nowMs);
  if (delayMs === undefined) return NOTHING;
  return delayMs > 0 ? { actions: [], requeueAfterMs: delayMs } : { actions: eviction(pod, nowMs) };
}

/** Milliseconds until the pod has to go; 0 for now, undefined for never. */
export function evictionDelayMs(
  taints: readonly Taint[],
  tolerations: readonly Toleration[],
  nowMs: number,
): number | undefined {
  let earliestMs: number | undefined;
  for (const taint of taints) {
    const matching = tolerations.filter((toleration) => tolerates(toleration, taint));
    if (matching.length === 0) return 0;
    for (const { tolerationSeconds } of matching) {
      if (tolerationSeconds === undefined || tolerationSeconds === null) continue;
      const sinceMs = timeMs(taint.timeAdded) || nowMs;
      const delayMs = Math.max(0, sinceMs + Math.max(0, tolerationSeconds) * 1000 - nowMs);
      earliestMs = earliestMs === undefined ? delayMs : Math.min(earliestMs, delayMs);
    }
  }
  return earliestMs;
}

function eviction(pod: Live<Pod>, nowMs: number): Action[] {
  const { name, namespace, uid } = pod.metadata;
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByTaintManager',
    message: 'Taint manager: deleting due to NoExecute taint',
    lastTransitionTime: formatTimestamp(nowMs),
  };
  const conditions = [...(pod.status?.conditions ?? []).filter(({ type }) => type !== condition.type), condition];
  return [
    {
      kind: 'event',
      about: { apiVersion: 'v1', kind: 'Pod', name, namespace, uid },
      type: 'Normal',
      reason: 'TaintManagerEviction',
      message: `Marking for deletion Pod ${namespace ?? ''}/${name}`,
    },
    { kind: 'update-status', resource: PODS, object: { ...pod, status: { ...pod.status, conditions } } },
    { kind: 'delete', resource: PODS, name, namespace, uid },
  ];
}
