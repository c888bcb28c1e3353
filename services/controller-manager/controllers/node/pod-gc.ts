/**
 * Pod garbage collection: pods whose node is gone are removed by force once the node has been missing for a while, pods that
 * are being deleted but were never bound go at once, and finished ones go when there are too many (the oldest first).
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import { type Live, timeMs } from '../../../../shared/api/live.ts';
import { isPodFinished, isTerminating } from '../../../../shared/api/pod-condition.ts';
import { PODS } from '../../../../shared/api/resources.ts';
import type { Action, Outcome } from '../../action.ts';

export interface PodGcState {
  readonly pods: readonly Live<Pod>[];
  readonly nodeNames: ReadonlySet<string>;
  /** Since when each node that pods name has been missing. */
  readonly missingSinceMs: ReadonlyMap<string, number>;
  readonly quarantineMs: number;
  readonly finishedLimit: number;
}

export function reconcilePodGc(state: PodGcState, nowMs: number): Outcome {
  const { pods, nodeNames, missingSinceMs, quarantineMs } = state;
  const actions: Action[] = [];
  let waiting = false;
  for (const pod of pods) {
    const nodeName = pod.spec.nodeName ?? '';
    if (nodeName === '') {
      if (isTerminating(pod)) actions.push(...removal(pod));
    } else if (!nodeNames.has(nodeName)) {
      const since = missingSinceMs.get(nodeName) ?? nowMs;
      if (nowMs - since >= quarantineMs) actions.push(...removal(pod));
      else waiting = true;
    }
  }
  actions.push(...surplus(state));
  return waiting ? { actions, requeueAfterMs: quarantineMs } : { actions };
}

function removal(pod: Live<Pod>): Action[] {
  const { name, namespace, uid } = pod.metadata;
  const remove: Action = { kind: 'delete', resource: PODS, name, namespace, uid, gracePeriodSeconds: 0 };
  if (isPodFinished(pod)) return [remove];
  const status = { ...pod.status, phase: 'Failed' };
  return [{ kind: 'update-status', resource: PODS, object: { ...pod, status } }, remove];
}

function surplus({ pods, finishedLimit }: PodGcState): Action[] {
  const finished = pods.filter((pod) => isPodFinished(pod) && !isTerminating(pod));
  if (finished.length <= finishedLimit) return [];
  return finished
    .sort((a, b) => timeMs(a.metadata.creationTimestamp) - timeMs(b.metadata.creationTimestamp))
    .slice(0, finished.length - finishedLimit)
    .map(({ metadata: { name, namespace, uid } }) => ({
      kind: 'delete',
      resource: PODS,
      name,
      namespace,
      uid,
      gracePeriodSeconds: 0,
    }));
}
