/**
 * Node lifecycle: a node whose Lease is not renewed within the grace period turns Ready=Unknown, is tainted so that nothing is
 * scheduled there and its pods may be evicted, and its pods are marked not ready so that Services stop using them.
 * Taints follow conditions in both directions (Kubernetes documentation, "Nodes", node controller; "Taint based Evictions").
 */
import type { Node, NodeCondition, Pod, Taint } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import { isPodReady } from '../../../../shared/api/pod-condition.ts';
import { NODES, PODS } from '../../../../shared/api/resources.ts';
import { formatTimestamp } from '../../../../shared/api/timestamp.ts';
import {
  TAINT_DISK_PRESSURE,
  TAINT_MEMORY_PRESSURE,
  TAINT_NETWORK_UNAVAILABLE,
  TAINT_NOT_READY,
  TAINT_PID_PRESSURE,
  TAINT_UNREACHABLE,
  TAINT_UNSCHEDULABLE,
} from '../../../../shared/api/toleration.ts';
import type { Action, Outcome } from '../../action.ts';
import { same } from '../../same.ts';
import type { Disruption } from './disruption.ts';

export interface NodeLifecycleState {
  readonly node: Live<Node>;
  /** The pods bound to the node. */
  readonly pods: readonly Live<Pod>[];
  /** When this process last saw the node's Lease change (or first saw the node); its own clock, so nodes' clocks do not matter. */
  readonly lastHeartbeatMs: number;
  readonly graceMs: number;
  /** Of the node's zone. */
  readonly disruption: Disruption;
}

/** The conditions that the kubelet posts, and what they turn into when it is silent. */
const KUBELET_CONDITIONS = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

const OWN_TAINTS = new Set([
  TAINT_NOT_READY,
  TAINT_UNREACHABLE,
  TAINT_UNSCHEDULABLE,
  TAINT_NETWORK_UNAVAILABLE,
  TAINT_MEMORY_PRESSURE,
  TAINT_DISK_PRESSURE,
  TAINT_PID_PRESSURE,
]);

export function reconcileNodeLifecycle(state: NodeLifecycleState, nowMs: number): Outcome {
  const { node, lastHeartbeatMs, graceMs } = state;
  const silent = nowMs - lastHeartbeatMs > graceMs;
  const actions: Action[] = [];
  let conditions = node.status?.conditions ?? [];
  if (silent && hasKnownCondition(conditions)) {
    conditions = unknownConditions(node, conditions, nowMs);
    actions.push(notReadyNodeEvent(node));
    actions.push({
      kind: 'update-status',
      resource: NODES,
      object: { ...node, status: { ...node.status, conditions } },
    });
  }
  const ready = conditions.find(({ type }) => type === 'Ready')?.status;
  const taints = taintsFor(node, conditions, state.disruption, nowMs);
  if (!same(taints, node.spec.taints ?? [])) actions.push(taintPatch(node, taints));
  if (ready === 'Unknown') actions.push(...markPodsNotReady(state, nowMs));
  return silent ? { actions } : { actions, requeueAfterMs: Math.max(1, lastHeartbeatMs + graceMs - nowMs + 1) };
}

function hasKnownCondition(conditions: readonly NodeCondition[]): boolean {
  const ready = conditions.find(({ type }) => type === 'Ready');
  return ready === undefined || ready.status !== 'Unknown';
}

function unknownConditions(node: Live<Node>, before: readonly NodeCondition[], nowMs: number): NodeCondition[] {
  const now = formatTimestamp(nowMs);
  const after = before.map((condition): NodeCondition => {
    if (!KUBELET_CONDITIONS.includes(condition.type) || condition.status === 'Unknown') return condition;
    return {
      ...condition,
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
      lastTransitionTime: now,
    };
  });
  for (const type of KUBELET_CONDITIONS) {
    if (after.some((condition) => condition.type === type)) continue;
    after.push({
      type,
      status: 'Unknown',
      reason: 'NodeStatusNeverUpdated',
      message: 'Kubelet never posted node status.',
      lastHeartbeatTime: node.metadata.creationTimestamp,
      lastTransitionTime: now,
    });
  }
  return after;
}

/** The node's taints with those of this controller as its conditions demand; ones that stay keep their time. */
function taintsFor(
  node: Live<Node>,
  conditions: readonly NodeCondition[],
  disruption: Disruption,
  nowMs: number,
): Taint[] {
  const before = node.spec.taints ?? [];
  const isThere = ({ key, effect }: Taint): boolean =>
    before.some((taint) => taint.key === key && taint.effect === effect);
  const wanted = wantedTaints(node, conditions).filter(
    (taint) => taint.effect !== 'NoExecute' || mayEvict(disruption, isThere(taint)),
  );
  const kept = before.filter(
    (taint) =>
      !OWN_TAINTS.has(taint.key) || wanted.some(({ key, effect }) => key === taint.key && effect === taint.effect),
  );
  const added = wanted.filter((taint) => !kept.some(({ key, effect }) => key === taint.key && effect === taint.effect));
  return [...kept, ...added.map((taint) => ({ ...taint, timeAdded: formatTimestamp(nowMs) }))];
}

function wantedTaints(node: Live<Node>, conditions: readonly NodeCondition[]): Taint[] {
  const status = (type: string): string | undefined => conditions.find((condition) => condition.type === type)?.status;
  const taints: Taint[] = [];
  const ready = status('Ready');
  if (ready === 'False') taints.push(...bothEffects(TAINT_NOT_READY));
  if (ready === 'Unknown') taints.push(...bothEffects(TAINT_UNREACHABLE));
  // A kubelet registers with this taint; it goes once the node has said that it is ready.
  if (ready === undefined) taints.push({ key: TAINT_NOT_READY, effect: 'NoSchedule' });
  if (node.spec.unschedulable) taints.push({ key: TAINT_UNSCHEDULABLE, effect: 'NoSchedule' });
  if (status('NetworkUnavailable') === 'True') taints.push({ key: TAINT_NETWORK_UNAVAILABLE, effect: 'NoSchedule' });
  if (status('MemoryPressure') === 'True') taints.push({ key: TAINT_MEMORY_PRESSURE, effect: 'NoSchedule' });
  if (status('DiskPressure') === 'True') taints.push({ key: TAINT_DISK_PRESSURE, effect: 'NoSchedule' });
  if (status('PIDPressure') === 'True') taints.push({ key: TAINT_PID_PRESSURE, effect: 'NoSchedule' });
  return taints;
}

/** Whether a node that is not ready loses its pods: never while none is ready, and no further node while most are not. */
function mayEvict(disruption: Disruption, began: boolean): boolean {
  return disruption === 'none' || (disruption === 'most' && began);
}

function bothEffects(key: string): Taint[] {
  return [
    { key, effect: 'NoSchedule' },
    { key, effect: 'NoExecute' },
  ];
}

function taintPatch(node: Live<Node>, taints: readonly Taint[]): Action {
  return {
    kind: 'patch',
    resource: NODES,
    name: node.metadata.name,
    namespace: undefined,
    type: 'merge',
    // The revision is not named: a merge patch of the whole list from a fresh cache is retried by the next change.
    body: { metadata: { uid: node.metadata.uid }, spec: { taints: taints.length === 0 ? null : taints } },
  };
}

function markPodsNotReady({ pods }: NodeLifecycleState, nowMs: number): Action[] {
  return pods.filter(isPodReady).flatMap((pod): Action[] => [notReadyStatus(pod, nowMs), notReadyEvent(pod)]);
}

function notReadyNodeEvent({ metadata: { name, uid } }: Live<Node>): Action {
  return {
    kind: 'event',
    about: { apiVersion: 'v1', kind: 'Node', name, uid },
    type: 'Normal',
    reason: 'NodeNotReady',
    message: `Node ${name} status is now: NodeNotReady`,
  };
}

function notReadyStatus(pod: Live<Pod>, nowMs: number): Action {
  const conditions = (pod.status?.conditions ?? []).map((condition) =>
    condition.type === 'Ready'
      ? { ...condition, status: 'False', lastTransitionTime: formatTimestamp(nowMs) }
      : condition,
  );
  return { kind: 'update-status', resource: PODS, object: { ...pod, status: { ...pod.status, conditions } } };
}

function notReadyEvent({ metadata: { name, namespace, uid } }: Live<Pod>): Action {
  return {
    kind: 'event',
    about: { apiVersion: 'v1', kind: 'Pod', name, namespace, uid },
    type: 'Warning',
    reason: 'NodeNotReady',
    message: 'Node is not ready',
  };
}
