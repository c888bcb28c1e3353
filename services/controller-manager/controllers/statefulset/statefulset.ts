/**
 * StatefulSet: pods with ordinals, made in order and removed in reverse order, each only when its predecessors are available
 * (Kubernetes documentation, "StatefulSets"). `Parallel` gives up the order of scaling, not that of updates.
 */
import type { ControllerRevision, StatefulSet, StatefulSetStatus } from 'kubernetes-types/apps/v1.js';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { labelSelectorMatches, selectorFromObject } from '../../../../shared/api/label-selector.ts';
import { type Live, timeMs } from '../../../../shared/api/live.ts';
import { controllerOf } from '../../../../shared/api/object.ts';
import {
  isPodAvailable,
  isPodFinished,
  isPodReady,
  isTerminating,
  podCondition,
} from '../../../../shared/api/pod-condition.ts';
import { PODS, STATEFULSETS } from '../../../../shared/api/resources.ts';
import type { Action, Outcome } from '../../action.ts';
import { adopt, isControlledBy, release } from '../../owner.ts';
import { same } from '../../same.ts';
import { type Revisions, reviseHistory } from '../controller-revision.ts';
import { deletePod } from '../pod-deletion.ts';
import { ordinalOf, podOf, REVISION_LABEL } from './identity.ts';

export interface StatefulSetState {
  readonly statefulSet: Live<StatefulSet>;
  /** All pods of the namespace. */
  readonly pods: readonly Live<Pod>[];
  /** All ControllerRevisions of the namespace. */
  readonly revisions: readonly Live<ControllerRevision>[];
}

interface Replica {
  readonly ordinal: number;
  readonly pod: Live<Pod> | undefined;
}

interface Plan {
  readonly set: Live<StatefulSet>;
  /** One for each ordinal that should be there, in order. */
  readonly wanted: readonly Replica[];
  /** Pods whose ordinal should not be there, the highest first. */
  readonly condemned: readonly Live<Pod>[];
  readonly revisions: Revisions;
  readonly nowMs: number;
}

/** The changes of one stage; `wait`: later stages have to wait for them, or for a pod. */
interface Stage {
  readonly actions: readonly Action[];
  readonly wait: boolean;
}

export function reconcileStatefulSet(state: StatefulSetState, nowMs: number): Outcome {
  const { statefulSet: set } = state;
  const { owned, claims } = claimPods(state);
  const inUse = new Set(owned.map(revisionLabel));
  const revisions = reviseHistory({ resource: STATEFULSETS, set }, state.revisions, inUse);
  const plan = planOf(set, owned, revisions, nowMs);
  const actions: Action[] = [...claims];
  if (!isTerminating(set)) actions.push(...revisions.actions, ...change(plan));
  const status = statusOf(plan, owned);
  if (!same(status, set.status)) {
    actions.push({ kind: 'update-status', resource: STATEFULSETS, object: { ...set, status } });
  }
  const requeueAfterMs = availabilityDelayMs(plan, owned);
  return requeueAfterMs === undefined ? { actions } : { actions, requeueAfterMs };
}

function claimPods({ statefulSet: set, pods }: StatefulSetState): { owned: Live<Pod>[]; claims: Action[] } {
  const selector = selectorFromObject(set.spec.selector);
  const owned: Live<Pod>[] = [];
  const claims: Action[] = [];
  for (const pod of pods) {
    const matches =
      selector !== undefined &&
      labelSelectorMatches(selector, pod.metadata.labels) &&
      ordinalOf(set, pod.metadata.name) !== undefined;
    if (isControlledBy(pod, set)) {
      if (matches) owned.push(pod);
      else if (!isTerminating(set)) claims.push(release(PODS, pod, set));
    } else if (matches && controllerOf(pod) === undefined && !isTerminating(set) && !isTerminating(pod)) {
      claims.push(adopt(PODS, pod, STATEFULSETS, set));
      owned.push(pod);
    }
  }
  return { owned, claims };
}

function planOf(set: Live<StatefulSet>, owned: readonly Live<Pod>[], revisions: Revisions, nowMs: number): Plan {
  const byOrdinal = new Map(owned.map((pod) => [ordinalOf(set, pod.metadata.name) ?? -1, pod]));
  const start = startOf(set);
  const count = set.spec.replicas ?? 1;
  const wanted = Array.from({ length: count }, (_, index) => start + index).map(
    (ordinal): Replica => ({ ordinal, pod: byOrdinal.get(ordinal) }),
  );
  const condemned = [...byOrdinal]
    .filter(([ordinal]) => ordinal < start || ordinal >= start + count)
    .sort(([a], [b]) => b - a)
    .map(([, pod]) => pod);
  return { set, wanted, condemned, revisions, nowMs };
}

function startOf(set: Live<StatefulSet>): number {
  return set.spec.ordinals?.start ?? 0;
}

function change(plan: Plan): Action[] {
  const actions: Action[] = [];
  for (const stage of [fill, shrink, rollOut]) {
    const { actions: more, wait } = stage(plan);
    actions.push(...more);
    if (wait) break;
  }
  return actions;
}

function isParallel({ set }: Plan): boolean {
  return set.spec.podManagementPolicy === 'Parallel';
}

function isHealthy({ set, nowMs }: Plan, pod: Live<Pod>): boolean {
  return !isTerminating(pod) && isPodAvailable(pod, minReadySecondsOf(set), nowMs);
}

/** Makes missing pods and removes finished ones, whose place is filled once they are gone. */
function fill(plan: Plan): Stage {
  const parallel = isParallel(plan);
  const actions: Action[] = [];
  for (const { ordinal, pod } of plan.wanted) {
    if (pod === undefined) actions.push(creation(plan, ordinal));
    else if (isPodFinished(pod) && !isTerminating(pod)) actions.push(deletePod(pod));
    else if (isHealthy(plan, pod)) continue;
    if (!parallel) return { actions, wait: true };
  }
  return { actions, wait: false };
}

function creation({ set, revisions }: Plan, ordinal: number): Action {
  const partition = set.spec.updateStrategy?.rollingUpdate?.partition ?? 0;
  const isHeldBack = set.spec.updateStrategy?.type !== 'OnDelete' && ordinal < startOf(set) + partition;
  const object = isHeldBack
    ? podOf(set, revisions.currentTemplate, ordinal, revisions.current)
    : podOf(set, set.spec.template, ordinal, revisions.update);
  return { kind: 'create', resource: PODS, object };
}

/** Removes the highest ordinals first; an ordered set one at a time, and only while the rest is healthy. */
function shrink(plan: Plan): Stage {
  const going = plan.condemned.filter((pod) => !isTerminating(pod));
  if (isParallel(plan)) return { actions: going.map(deletePod), wait: false };
  const [first] = plan.condemned;
  if (first === undefined) return { actions: [], wait: false };
  return { actions: isTerminating(first) ? [] : [deletePod(first)], wait: true };
}

/** Replaces pods of other revisions from the highest ordinal down to the partition, each when those above are available. */
function rollOut(plan: Plan): Stage {
  const { set, wanted, revisions } = plan;
  if (set.spec.updateStrategy?.type === 'OnDelete') return { actions: [], wait: false };
  const partition = set.spec.updateStrategy?.rollingUpdate?.partition ?? 0;
  for (const { pod } of wanted.slice(partition).reverse()) {
    if (pod === undefined || isTerminating(pod)) return { actions: [], wait: true };
    if (revisionLabel(pod) !== revisions.update) return { actions: [deletePod(pod)], wait: true };
    if (!isHealthy(plan, pod)) return { actions: [], wait: true };
  }
  return { actions: [], wait: false };
}

function revisionLabel(pod: Live<Pod>): string {
  return pod.metadata.labels?.[REVISION_LABEL] ?? '';
}

function minReadySecondsOf(set: Live<StatefulSet>): number {
  return set.spec.minReadySeconds ?? 0;
}

function statusOf({ set, revisions, nowMs }: Plan, owned: readonly Live<Pod>[]): StatefulSetStatus {
  const replicas = set.spec.replicas ?? 1;
  const live = owned.filter((pod) => !isTerminating(pod));
  const ready = owned.filter(isPodReady).length;
  const updated = live.filter((pod) => revisionLabel(pod) === revisions.update).length;
  const onCurrent = live.filter((pod) => revisionLabel(pod) === revisions.current).length;
  const isComplete =
    set.spec.updateStrategy?.type !== 'OnDelete' &&
    updated === replicas &&
    owned.length === replicas &&
    ready === replicas;
  const current = isComplete ? updated : onCurrent;
  const { collisionCount = 0, conditions } = set.status ?? {};
  return {
    observedGeneration: set.metadata.generation,
    replicas: owned.length,
    ...(ready > 0 ? { readyReplicas: ready } : {}),
    availableReplicas: owned.filter((pod) => isPodAvailable(pod, minReadySecondsOf(set), nowMs)).length,
    ...(current > 0 ? { currentReplicas: current } : {}),
    ...(updated > 0 ? { updatedReplicas: updated } : {}),
    currentRevision: isComplete ? revisions.update : revisions.current,
    updateRevision: revisions.update,
    collisionCount,
    ...(conditions === undefined ? {} : { conditions }),
  };
}

/** When the next ready pod becomes available. */
function availabilityDelayMs({ set, nowMs }: Plan, owned: readonly Live<Pod>[]): number | undefined {
  const minReadySeconds = minReadySecondsOf(set);
  const delays = owned
    .filter((pod) => isPodReady(pod) && !isPodAvailable(pod, minReadySeconds, nowMs))
    .map((pod) => timeMs(podCondition(pod, 'Ready')?.lastTransitionTime) + minReadySeconds * 1000 - nowMs);
  return delays.length === 0 ? undefined : Math.max(1, Math.min(...delays));
}
