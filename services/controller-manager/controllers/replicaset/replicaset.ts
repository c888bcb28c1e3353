/**
 * ReplicaSet: keeps `replicas` pods of a template. Pods that match the selector and belong to nobody are adopted; owned ones
 * that match no longer are let go. Pods being deleted count as gone, so that replacements start at once.
 */
import type { ReplicaSet, ReplicaSetCondition, ReplicaSetStatus } from 'kubernetes-types/apps/v1.js';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { labelSelectorMatches, selectorFromObject } from '../../../../shared/api/label-selector.ts';
import { type Live, timeMs } from '../../../../shared/api/live.ts';
import { controllerOf } from '../../../../shared/api/object.ts';
import {
  isPodActive,
  isPodAvailable,
  isPodReady,
  isTerminating,
  podCondition,
} from '../../../../shared/api/pod-condition.ts';
import type { ResourceRef } from '../../../../shared/api/resource.ts';
import { PODS, REPLICASETS } from '../../../../shared/api/resources.ts';
import { formatTimestamp } from '../../../../shared/api/timestamp.ts';
import type { Action, Outcome } from '../../action.ts';
import { adopt, isControlledBy, release } from '../../owner.ts';
import { same } from '../../same.ts';
import { deletePod } from '../pod-deletion.ts';
import { podFromTemplate } from '../pod-template.ts';
import { podsToDelete } from './deletion-order.ts';

export interface ReplicaSetState {
  /** Whose controller this is: `replication-controller.ts` has another. */
  readonly resource?: ResourceRef;
  readonly replicaSet: Live<ReplicaSet>;
  /** All pods of the namespace. */
  readonly pods: readonly Live<Pod>[];
  /** Why the last round's writes failed, for the ReplicaFailure condition. */
  readonly lastFailure?: string;
}

/** Most pods made or deleted in one round. */
const BURST = 500;

export function reconcileReplicaSet(state: ReplicaSetState, nowMs: number): Outcome {
  const { replicaSet } = state;
  const { owned, claims } = claimPods(state);
  const scaling = isTerminating(replicaSet) ? [] : scale(state, owned);
  const status = statusOf(state, owned, scaling, nowMs);
  const actions: Action[] = [...claims, ...scaling];
  if (!same(status, replicaSet.status)) {
    actions.push({ kind: 'update-status', resource: state.resource ?? REPLICASETS, object: { ...replicaSet, status } });
  }
  const requeueAfterMs = availabilityDelayMs(replicaSet, owned, nowMs);
  return requeueAfterMs === undefined ? { actions } : { actions, requeueAfterMs };
}

function claimPods({ resource = REPLICASETS, replicaSet, pods }: ReplicaSetState): {
  owned: Live<Pod>[];
  claims: Action[];
} {
  const selector = selectorFromObject(replicaSet.spec.selector);
  const owned: Live<Pod>[] = [];
  const claims: Action[] = [];
  for (const pod of pods) {
    const matches = selector !== undefined && labelSelectorMatches(selector, pod.metadata.labels);
    if (isControlledBy(pod, replicaSet)) {
      if (matches) owned.push(pod);
      else if (!isTerminating(replicaSet)) claims.push(release(PODS, pod, replicaSet));
    } else if (matches && controllerOf(pod) === undefined && !isTerminating(replicaSet) && isPodActive(pod)) {
      claims.push(adopt(PODS, pod, resource, replicaSet));
      owned.push(pod);
    }
  }
  return { owned: owned.filter(isPodActive), claims };
}

function scale(
  { resource = REPLICASETS, replicaSet, pods: all }: ReplicaSetState,
  owned: readonly Live<Pod>[],
): Action[] {
  const missing = (replicaSet.spec.replicas ?? 1) - owned.length;
  if (missing > 0) {
    const pod = podFromTemplate(replicaSet.spec.template ?? {}, resource, replicaSet);
    const create: Action = { kind: 'create', resource: PODS, object: pod };
    return [{ kind: 'slow-start', actions: new Array<Action>(Math.min(missing, BURST)).fill(create) }];
  }
  if (missing === 0) return [];
  return podsToDelete(owned, relatedPods(replicaSet, owned, all), Math.min(-missing, BURST)).map(deletePod);
}

/** The pods that the selector's labels without the template hash choose: those of the other revisions too. */
function relatedPods(
  replicaSet: Live<ReplicaSet>,
  owned: readonly Live<Pod>[],
  all: readonly Live<Pod>[],
): Live<Pod>[] {
  const owner = controllerOf(replicaSet);
  if (owner === undefined) return [...owned];
  const prefix = `${owner.name}-`;
  return all.filter((pod) => isPodActive(pod) && controllerOf(pod)?.name.startsWith(prefix));
}

function statusOf(
  { replicaSet, lastFailure }: ReplicaSetState,
  owned: readonly Live<Pod>[],
  scaling: readonly Action[],
  nowMs: number,
): ReplicaSetStatus {
  const templateLabels = selectorFromObject({ matchLabels: replicaSet.spec.template?.metadata?.labels ?? {} });
  const minReadySeconds = replicaSet.spec.minReadySeconds ?? 0;
  const labelled = owned.filter(
    (pod) => templateLabels !== undefined && labelSelectorMatches(templateLabels, pod.metadata.labels),
  ).length;
  const ready = owned.filter(isPodReady).length;
  const available = owned.filter((pod) => isPodAvailable(pod, minReadySeconds, nowMs)).length;
  const conditions = failureConditions(replicaSet, lastFailure, scaling, nowMs);
  return {
    replicas: owned.length,
    ...(labelled > 0 ? { fullyLabeledReplicas: labelled } : {}),
    ...(ready > 0 ? { readyReplicas: ready } : {}),
    ...(available > 0 ? { availableReplicas: available } : {}),
    observedGeneration: replicaSet.metadata.generation,
    ...(conditions.length > 0 ? { conditions } : {}),
  };
}

function failureConditions(
  replicaSet: Live<ReplicaSet>,
  lastFailure: string | undefined,
  scaling: readonly Action[],
  nowMs: number,
): ReplicaSetCondition[] {
  const before = replicaSet.status?.conditions ?? [];
  const others = before.filter((condition) => condition.type !== 'ReplicaFailure');
  if (lastFailure === undefined || scaling.length === 0) return others;
  const known = before.find((condition) => condition.type === 'ReplicaFailure');
  const reason = scaling[0]?.kind === 'delete' ? 'FailedDelete' : 'FailedCreate';
  return [
    ...others,
    {
      type: 'ReplicaFailure',
      status: 'True',
      reason,
      message: lastFailure,
      lastTransitionTime: known?.lastTransitionTime ?? formatTimestamp(nowMs),
    },
  ];
}

/** When the next ready pod becomes available. */
function availabilityDelayMs(
  replicaSet: Live<ReplicaSet>,
  owned: readonly Live<Pod>[],
  nowMs: number,
): number | undefined {
  const minReadySeconds = replicaSet.spec.minReadySeconds ?? 0;
  if (minReadySeconds === 0) return undefined;
  const delays = owned
    .filter((pod) => isPodReady(pod) && !isPodAvailable(pod, minReadySeconds, nowMs))
    .map((pod) => timeMs(podCondition(pod, 'Ready')?.lastTransitionTime) + minReadySeconds * 1000 - nowMs);
  return delays.length === 0 ? undefined : Math.max(1, Math.min(...delays));
}
