/**
 * DaemonSet: one pod on every node that fits. Pods are pinned to their node by node affinity and bound by the scheduler;
 * they tolerate what happens to nodes (not ready, unreachable, pressure, unschedulable).
 */
import type { ControllerRevision, DaemonSet, DaemonSetStatus } from 'kubernetes-types/apps/v1.js';
import type { Affinity, Node, NodeSelectorTerm, Pod, Toleration } from 'kubernetes-types/core/v1.js';
import { scaledCount } from '../../../../shared/api/int-or-string.ts';
import { labelSelectorMatches, selectorFromObject } from '../../../../shared/api/label-selector.ts';
import { type Live, timeMs } from '../../../../shared/api/live.ts';
import { matchesRequiredNodeAffinity } from '../../../../shared/api/node-affinity.ts';
import { controllerOf } from '../../../../shared/api/object.ts';
import { isPodAvailable, isPodFinished, isPodReady, isTerminating } from '../../../../shared/api/pod-condition.ts';
import { DAEMONSETS, PODS } from '../../../../shared/api/resources.ts';
import {
  TAINT_DISK_PRESSURE,
  TAINT_MEMORY_PRESSURE,
  TAINT_NETWORK_UNAVAILABLE,
  TAINT_NOT_READY,
  TAINT_PID_PRESSURE,
  TAINT_UNREACHABLE,
  TAINT_UNSCHEDULABLE,
  untoleratedTaint,
} from '../../../../shared/api/toleration.ts';
import type { Action, Outcome } from '../../action.ts';
import { adopt, isControlledBy } from '../../owner.ts';
import { same } from '../../same.ts';
import { templateHash } from '../../template-hash.ts';
import { reviseHistory } from '../controller-revision.ts';
import { deletePod } from '../pod-deletion.ts';
import { podFromTemplate } from '../pod-template.ts';

export interface DaemonSetState {
  readonly daemonSet: Live<DaemonSet>;
  readonly nodes: readonly Live<Node>[];
  /** All pods of the namespace. */
  readonly pods: readonly Live<Pod>[];
  /** All ControllerRevisions of the namespace. */
  readonly revisions: readonly Live<ControllerRevision>[];
}

export const REVISION_HASH = 'controller-revision-hash';
const TEMPLATE_GENERATION = 'pod-template-generation';

/** What the pods of one node look like to the controller. */
interface NodePlan {
  readonly node: Live<Node>;
  readonly shouldRun: boolean;
  readonly shouldContinue: boolean;
  /** Not being deleted, oldest first. */
  readonly pods: readonly Live<Pod>[];
  readonly terminating: boolean;
}

export function reconcileDaemonSet(state: DaemonSetState, nowMs: number): Outcome {
  const { daemonSet } = state;
  const { owned, claims } = claimPods(state);
  const hash = templateHash(daemonSet.spec.template, daemonSet.status?.collisionCount ?? 0);
  const plans = planNodes(state, owned);
  const actions: Action[] = [...claims];
  if (!isTerminating(daemonSet)) {
    actions.push(...historyOf(state, owned));
    const changes = [...orphanDeletes(state, owned), ...plans.flatMap((plan) => placement(daemonSet, plan, hash))];
    actions.push(...changes);
    if (changes.length === 0) actions.push(...rollingUpdate(daemonSet, plans, hash, nowMs));
  }
  const status = statusOf(daemonSet, plans, hash, nowMs);
  if (!same(status, daemonSet.status)) {
    actions.push({ kind: 'update-status', resource: DAEMONSETS, object: { ...daemonSet, status } });
  }
  const waits = (daemonSet.spec.minReadySeconds ?? 0) > 0 && owned.some((pod) => isPodReady(pod));
  return waits && (status.numberAvailable ?? 0) < (status.numberReady ?? 0)
    ? { actions, requeueAfterMs: 1000 }
    : { actions };
}

function historyOf({ daemonSet, revisions }: DaemonSetState, owned: readonly Live<Pod>[]): readonly Action[] {
  const inUse = owned.map((pod) => `${daemonSet.metadata.name}-${pod.metadata.labels?.[REVISION_HASH]}`);
  return reviseHistory({ resource: DAEMONSETS, set: daemonSet }, revisions, new Set(inUse)).actions;
}

function claimPods({ daemonSet, pods }: DaemonSetState): { owned: Live<Pod>[]; claims: Action[] } {
  const selector = selectorFromObject(daemonSet.spec.selector);
  const owned = pods.filter((pod) => isControlledBy(pod, daemonSet));
  const orphans = pods.filter(
    (pod) =>
      selector !== undefined &&
      controllerOf(pod) === undefined &&
      !isTerminating(pod) &&
      !isTerminating(daemonSet) &&
      labelSelectorMatches(selector, pod.metadata.labels),
  );
  return { owned: [...owned, ...orphans], claims: orphans.map((pod) => adopt(PODS, pod, DAEMONSETS, daemonSet)) };
}

/** The node a daemon pod is for, also before it is bound. */
export function targetNodeName(pod: Pod): string | undefined {
  if (pod.spec?.nodeName) return pod.spec.nodeName;
  const terms =
    pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  for (const { matchFields = [] } of terms) {
    const field = matchFields.find(({ key, operator }) => key === 'metadata.name' && operator === 'In');
    if (field?.values?.length === 1) return field.values[0];
  }
  return undefined;
}

function planNodes({ daemonSet, nodes }: DaemonSetState, owned: readonly Live<Pod>[]): NodePlan[] {
  const byNode = new Map<string, Live<Pod>[]>();
  for (const pod of owned) {
    const name = targetNodeName(pod);
    if (name === undefined) continue;
    const list = byNode.get(name);
    if (list === undefined) byNode.set(name, [pod]);
    else list.push(pod);
  }
  const tolerations = daemonTolerations(daemonSet);
  return nodes.map((node) => {
    const all = byNode.get(node.metadata.name) ?? [];
    const { taints } = node.spec;
    const fits =
      matchesRequiredNodeAffinity(daemonSet.spec.template.spec ?? { containers: [] }, node) &&
      pinnedTo(daemonSet, node.metadata.name);
    return {
      node,
      shouldRun: fits && untoleratedTaint(taints, tolerations, ['NoSchedule', 'NoExecute']) === undefined,
      shouldContinue: fits && untoleratedTaint(taints, tolerations, ['NoExecute']) === undefined,
      pods: all.filter((pod) => !isTerminating(pod)).sort(byCreation),
      terminating: all.some(isTerminating),
    };
  });
}

function pinnedTo(daemonSet: Live<DaemonSet>, nodeName: string): boolean {
  const wanted = daemonSet.spec.template.spec?.nodeName;
  return wanted === undefined || wanted === '' || wanted === nodeName;
}

function byCreation(a: Live<Pod>, b: Live<Pod>): number {
  return timeMs(a.metadata.creationTimestamp) - timeMs(b.metadata.creationTimestamp);
}

function orphanDeletes({ nodes }: DaemonSetState, owned: readonly Live<Pod>[]): Action[] {
  const names = new Set(nodes.map(({ metadata }) => metadata.name));
  return owned
    .filter((pod) => !isTerminating(pod) && !names.has(targetNodeName(pod) ?? '') && targetNodeName(pod) !== undefined)
    .map(deletePod);
}

function placement(daemonSet: Live<DaemonSet>, plan: NodePlan, hash: string): Action[] {
  const [first, ...surplus] = plan.pods.filter((pod) => !isPodFinished(pod));
  const finished = plan.pods.filter(isPodFinished);
  if (!plan.shouldContinue) return plan.pods.map(deletePod);
  const deletes = [...surplus, ...finished].map(deletePod);
  if (first !== undefined || !plan.shouldRun || plan.terminating || finished.length > 0) return deletes;
  return [{ kind: 'create', resource: PODS, object: daemonPod(daemonSet, plan.node.metadata.name, hash) }];
}

/** Replaces pods of older templates, at most `maxUnavailable` nodes without an available pod at a time. */
function rollingUpdate(daemonSet: Live<DaemonSet>, plans: readonly NodePlan[], hash: string, nowMs: number): Action[] {
  if (daemonSet.spec.updateStrategy?.type === 'OnDelete') return [];
  const running = plans.filter(({ shouldRun }) => shouldRun);
  const { maxUnavailable = 1 } = daemonSet.spec.updateStrategy?.rollingUpdate ?? {};
  const limit = Math.max(1, scaledCount(maxUnavailable, running.length, 'up') ?? 0);
  const minReadySeconds = daemonSet.spec.minReadySeconds ?? 0;
  const isOld = (pod: Live<Pod>): boolean => pod.metadata.labels?.[REVISION_HASH] !== hash;
  const isDown = (plan: NodePlan): boolean => !plan.pods.some((pod) => isPodAvailable(pod, minReadySeconds, nowMs));

  const deletes: Action[] = [];
  let unavailable = 0;
  for (const plan of running.filter(isDown)) {
    unavailable++;
    // A pod that is not available anyway costs nothing.
    deletes.push(...plan.pods.filter(isOld).map(deletePod));
  }
  for (const plan of running.filter((candidate) => !isDown(candidate))) {
    const old = plan.pods.filter(isOld);
    if (old.length === 0 || unavailable >= limit) continue;
    unavailable++;
    deletes.push(...old.map(deletePod));
  }
  return deletes;
}

function daemonPod(daemonSet: Live<DaemonSet>, nodeName: string, hash: string): Pod {
  const pod = podFromTemplate(daemonSet.spec.template, DAEMONSETS, daemonSet);
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels: {
        ...pod.metadata?.labels,
        [REVISION_HASH]: hash,
        [TEMPLATE_GENERATION]: String(daemonSet.metadata.generation ?? 1),
      },
    },
    spec: {
      ...(pod.spec ?? { containers: [] }),
      affinity: pinAffinity(pod.spec?.affinity, nodeName),
      tolerations: daemonTolerations(daemonSet),
    },
  };
}

function pinAffinity(affinity: Affinity | undefined, nodeName: string): Affinity {
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [nodeName] }];
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const terms: NodeSelectorTerm[] = (required?.nodeSelectorTerms ?? [{}]).map((term) => ({ ...term, matchFields }));
  return {
    ...affinity,
    nodeAffinity: {
      ...affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms },
    },
  };
}

function daemonTolerations(daemonSet: Live<DaemonSet>): Toleration[] {
  const spec = daemonSet.spec.template.spec;
  const added: Toleration[] = [
    { key: TAINT_NOT_READY, operator: 'Exists', effect: 'NoExecute' },
    { key: TAINT_UNREACHABLE, operator: 'Exists', effect: 'NoExecute' },
    { key: TAINT_DISK_PRESSURE, operator: 'Exists', effect: 'NoSchedule' },
    { key: TAINT_MEMORY_PRESSURE, operator: 'Exists', effect: 'NoSchedule' },
    { key: TAINT_PID_PRESSURE, operator: 'Exists', effect: 'NoSchedule' },
    { key: TAINT_UNSCHEDULABLE, operator: 'Exists', effect: 'NoSchedule' },
  ];
  if (spec?.hostNetwork) added.push({ key: TAINT_NETWORK_UNAVAILABLE, operator: 'Exists', effect: 'NoSchedule' });
  return [...(spec?.tolerations ?? []), ...added];
}

function statusOf(
  daemonSet: Live<DaemonSet>,
  plans: readonly NodePlan[],
  hash: string,
  nowMs: number,
): DaemonSetStatus {
  const minReadySeconds = daemonSet.spec.minReadySeconds ?? 0;
  const desired = plans.filter(({ shouldRun }) => shouldRun);
  const scheduled = desired.filter(({ pods }) => pods.length > 0);
  const firstPods = scheduled.map(({ pods }) => pods[0] as Live<Pod>);
  const ready = firstPods.filter(isPodReady).length;
  const available = firstPods.filter((pod) => isPodAvailable(pod, minReadySeconds, nowMs)).length;
  const updated = firstPods.filter((pod) => pod.metadata.labels?.[REVISION_HASH] === hash).length;
  const unavailable = desired.length - available;
  const { collisionCount, conditions } = daemonSet.status ?? {};
  return {
    currentNumberScheduled: scheduled.length,
    numberMisscheduled: plans.filter(({ shouldRun, pods }) => !shouldRun && pods.length > 0).length,
    desiredNumberScheduled: desired.length,
    numberReady: ready,
    observedGeneration: daemonSet.metadata.generation,
    ...(updated > 0 ? { updatedNumberScheduled: updated } : {}),
    ...(available > 0 ? { numberAvailable: available } : {}),
    ...(unavailable > 0 ? { numberUnavailable: unavailable } : {}),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    ...(conditions === undefined ? {} : { conditions }),
  };
}
