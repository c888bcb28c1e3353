/**
 * PodDisruptionBudget: how many of its pods may be evicted now (Kubernetes documentation, "Specifying a Disruption Budget for
 * your Application"). The eviction subresource spends what this status allows.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import type { Condition } from 'kubernetes-types/meta/v1.js';
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from 'kubernetes-types/policy/v1.js';
import { scaledCount } from '../../../../shared/api/int-or-string.ts';
import { labelSelectorMatches, selectorFromObject } from '../../../../shared/api/label-selector.ts';
import { type Live, timeMs } from '../../../../shared/api/live.ts';
import { controllerOf } from '../../../../shared/api/object.ts';
import { isPodFinished, isPodReady, isTerminating } from '../../../../shared/api/pod-condition.ts';
import { PODDISRUPTIONBUDGETS } from '../../../../shared/api/resources.ts';
import { formatTimestamp } from '../../../../shared/api/timestamp.ts';
import type { Action, Outcome } from '../../action.ts';
import { same } from '../../same.ts';

export interface DisruptionBudgetState {
  readonly budget: Live<PodDisruptionBudget>;
  /** All pods of the namespace. */
  readonly pods: readonly Live<Pod>[];
  /** What the pod's controller, or that one's own, is to have, with its uid; undefined when none is known. */
  readonly scaleOf: (pod: Live<Pod>) => { readonly uid: string; readonly replicas: number } | undefined;
}

/** An evicted pod that is still there after this was not deleted. */
const EVICTION_LIMIT_MS = 2 * 60_000;

export function reconcileDisruptionBudget(state: DisruptionBudgetState, nowMs: number): Outcome {
  const { budget } = state;
  if (isTerminating(budget)) return { actions: [] };
  const selector = selectorFromObject(budget.spec.selector);
  const pods = state.pods.filter(
    (pod) => selector !== undefined && labelSelectorMatches(selector, pod.metadata.labels) && !isPodFinished(pod),
  );
  const disrupted = disruptedPods(budget, pods, nowMs);
  const unmanaged = needsScale(budget) && pods.some((pod) => controllerOf(pod) === undefined);
  const counts = countsOf(state, pods, disrupted.kept);
  const status = statusOf(budget, counts, disrupted.kept, nowMs);
  const actions: Action[] = [...disrupted.events];
  if (unmanaged) actions.push(complaint(budget, 'UnmanagedPods', UNMANAGED));
  if (!same(status, budget.status)) {
    actions.push({ kind: 'update-status', resource: PODDISRUPTIONBUDGETS, object: { ...budget, status } });
  }
  const { recheckMs } = disrupted;
  return recheckMs === undefined ? { actions } : { actions, requeueAfterMs: recheckMs };
}

const UNMANAGED =
  'Pods selected by this PodDisruptionBudget were found to be unmanaged. As a result, the status of the PDB cannot be ' +
  'calculated correctly, which may result in undefined behavior. To account for these pods please set ' +
  '".spec.minAvailable" field of the PDB to an integer value.';

function needsScale({ spec: { minAvailable, maxUnavailable } }: Live<PodDisruptionBudget>): boolean {
  return maxUnavailable !== undefined || typeof minAvailable === 'string';
}

interface Disrupted {
  /** Evicted, and on their way out only in the budget's books. */
  readonly kept: Readonly<Record<string, string>>;
  readonly events: readonly Action[];
  readonly recheckMs: number | undefined;
}

function disruptedPods(budget: Live<PodDisruptionBudget>, pods: readonly Live<Pod>[], nowMs: number): Disrupted {
  const kept: Record<string, string> = {};
  const events: Action[] = [];
  const waitsMs: number[] = [];
  for (const [name, evictedAt] of Object.entries(budget.status?.disruptedPods ?? {})) {
    const pod = pods.find(({ metadata }) => metadata.name === name);
    if (pod === undefined || isTerminating(pod)) continue;
    const waitMs = timeMs(evictedAt) + EVICTION_LIMIT_MS - nowMs;
    if (waitMs > 0) {
      kept[name] = evictedAt;
      waitsMs.push(waitMs);
      continue;
    }
    const { namespace, name: budgetName } = budget.metadata;
    const message = `Pod was expected by PDB ${namespace}/${budgetName} to be deleted but it wasn't`;
    events.push({ ...complaint(budget, 'NotDeleted', message), about: subject('v1', 'Pod', pod) });
  }
  return { kept, events, recheckMs: waitsMs.length === 0 ? undefined : Math.min(...waitsMs) };
}

type Counts = Pick<
  PodDisruptionBudgetStatus,
  'currentHealthy' | 'desiredHealthy' | 'disruptionsAllowed' | 'expectedPods'
>;

function countsOf(
  { budget, scaleOf }: DisruptionBudgetState,
  pods: readonly Live<Pod>[],
  disrupted: Readonly<Record<string, string>>,
): Counts {
  const { minAvailable, maxUnavailable } = budget.spec;
  const expectedPods = needsScale(budget) ? expectedByScale(pods, scaleOf) : pods.length;
  const desiredHealthy =
    maxUnavailable === undefined
      ? (scaledCount(minAvailable ?? 1, expectedPods, 'up') ?? 0)
      : Math.max(0, expectedPods - (scaledCount(maxUnavailable, expectedPods, 'up') ?? 0));
  const currentHealthy = pods.filter(
    (pod) => isPodReady(pod) && !isTerminating(pod) && disrupted[pod.metadata.name] === undefined,
  ).length;
  const disruptionsAllowed = expectedPods === 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  return { currentHealthy, desiredHealthy, disruptionsAllowed, expectedPods };
}

/** What the pods' controllers are to have, each once. */
function expectedByScale(pods: readonly Live<Pod>[], scaleOf: DisruptionBudgetState['scaleOf']): number {
  const scales = new Map(pods.flatMap((pod) => scaleOf(pod) ?? []).map(({ uid, replicas }) => [uid, replicas]));
  return [...scales.values()].reduce((sum, replicas) => sum + replicas, 0);
}

function statusOf(
  budget: Live<PodDisruptionBudget>,
  counts: Counts,
  disrupted: Readonly<Record<string, string>>,
  nowMs: number,
): PodDisruptionBudgetStatus {
  return {
    ...counts,
    ...(Object.keys(disrupted).length === 0 ? {} : { disruptedPods: disrupted }),
    observedGeneration: budget.metadata.generation,
    conditions: [condition(budget, counts.disruptionsAllowed > 0, nowMs)],
  };
}

function condition(budget: Live<PodDisruptionBudget>, allowed: boolean, nowMs: number): Condition {
  const before = budget.status?.conditions?.find(({ type }) => type === 'DisruptionAllowed');
  const status = allowed ? 'True' : 'False';
  return {
    type: 'DisruptionAllowed',
    status,
    reason: allowed ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    lastTransitionTime: before?.status === status ? before.lastTransitionTime : formatTimestamp(nowMs),
    observedGeneration: budget.metadata.generation,
  };
}

function subject(apiVersion: string, kind: string, { metadata }: Live<object>) {
  const { name, namespace, uid } = metadata;
  return { apiVersion, kind, name, namespace, uid };
}

function complaint(budget: Live<PodDisruptionBudget>, reason: string, message: string): Action & { kind: 'event' } {
  const about = subject('policy/v1', 'PodDisruptionBudget', budget);
  return { kind: 'event', about, type: 'Warning', reason, message };
}
