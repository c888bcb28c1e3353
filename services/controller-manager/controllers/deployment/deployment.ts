/**
 * Deployment: one ReplicaSet per template, and the step by step change from the old ones to the new one. Each round does one
 * step (make the new ReplicaSet, or scale it up, or scale the old ones down) and then writes the status; the events that the
 * step causes bring the next round. A rollback is a change of the template (`kubectl rollout undo` writes it).
 */
import type { Deployment, ReplicaSet } from 'kubernetes-types/apps/v1.js';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { labelSelectorMatches, selectorFromObject } from '../../../../shared/api/label-selector.ts';
import type { Live } from '../../../../shared/api/live.ts';
import { controllerOf } from '../../../../shared/api/object.ts';
import { isPodFinished, isTerminating } from '../../../../shared/api/pod-condition.ts';
import { DEPLOYMENTS, REPLICASETS } from '../../../../shared/api/resources.ts';
import type { Action, Outcome } from '../../action.ts';
import { adopt, isControlledBy, release } from '../../owner.ts';
import { same } from '../../same.ts';
import {
  byAge,
  DESIRED_REPLICAS,
  findNewReplicaSet,
  newReplicaSet,
  newReplicaSetAnnotations,
  nextRevision,
  REVISION,
  replicasAnnotations,
} from './revision.ts';
import {
  isRollingUpdate,
  isScalingEvent,
  limitsOf,
  newReplicaCount,
  replicasOf,
  type Scaling,
  scaleDownOld,
  scaleProportionally,
} from './rolling-update.ts';
import { deadlineExceededInMs, isComplete, type Progress, statusOf } from './status.ts';

export interface DeploymentState {
  readonly deployment: Live<Deployment>;
  /** All ReplicaSets of the namespace. */
  readonly replicaSets: readonly Live<ReplicaSet>[];
  /** All pods of the namespace; Recreate waits for the old ones. */
  readonly pods: readonly Live<Pod>[];
}

interface Revisions {
  readonly current: Live<ReplicaSet> | undefined;
  readonly old: readonly Live<ReplicaSet>[];
  readonly all: readonly Live<ReplicaSet>[];
}

export function reconcileDeployment(state: DeploymentState, nowMs: number): Outcome {
  const { deployment } = state;
  const { owned, claims } = claimReplicaSets(state);
  const current = findNewReplicaSet(deployment, owned);
  const revisions: Revisions = { current, old: owned.filter((one) => one !== current), all: owned };
  const terminating = isTerminating(deployment);
  const step = terminating ? [] : nextStep(state, revisions);
  const progress: Progress = { created: step.some((action) => action.kind === 'create'), found: current !== undefined };
  const actions = [...claims, ...step, ...statusActions(deployment, revisions, progress, nowMs)];
  if (!terminating && step.length === 0) actions.push(...oldRevisionsToDelete(deployment, revisions));
  const requeueAfterMs = deadlineDelayMs(deployment, nowMs);
  return requeueAfterMs === undefined ? { actions } : { actions, requeueAfterMs };
}

function claimReplicaSets({ deployment, replicaSets }: DeploymentState): {
  owned: Live<ReplicaSet>[];
  claims: Action[];
} {
  const selector = selectorFromObject(deployment.spec.selector);
  const owned: Live<ReplicaSet>[] = [];
  const claims: Action[] = [];
  for (const replicaSet of replicaSets) {
    const matches = selector !== undefined && labelSelectorMatches(selector, replicaSet.metadata.labels);
    if (isControlledBy(replicaSet, deployment)) {
      if (matches) owned.push(replicaSet);
      else if (!isTerminating(deployment)) claims.push(release(REPLICASETS, replicaSet, deployment));
    } else if (matches && controllerOf(replicaSet) === undefined && !isTerminating(deployment)) {
      if (isTerminating(replicaSet)) continue;
      claims.push(adopt(REPLICASETS, replicaSet, DEPLOYMENTS, deployment));
      owned.push(replicaSet);
    }
  }
  return { owned, claims };
}

function nextStep(state: DeploymentState, revisions: Revisions): Action[] {
  const { deployment } = state;
  const { current, old, all } = revisions;
  const annotated = current === undefined ? [] : revisionActions(deployment, current, old);
  if (annotated.length > 0) return annotated;
  if (deployment.spec.paused || isScalingEvent(deployment, all)) {
    return scaleProportionally(deployment, current, old).flatMap((scaling) => scalingActions(deployment, scaling));
  }
  return isRollingUpdate(deployment) ? rollingStep(deployment, revisions) : recreateStep(state, revisions);
}

function rollingStep(deployment: Live<Deployment>, { current, old, all }: Revisions): Action[] {
  if (current === undefined) return createNew(deployment, old, newReplicaCount(deployment, all, 0));
  const target = targetOf(deployment, current, all);
  if (target !== replicasOf(current)) return scalingActions(deployment, { replicaSet: current, replicas: target });
  return scaleDownOld(deployment, current, old).flatMap((scaling) => scalingActions(deployment, scaling));
}

function targetOf(deployment: Live<Deployment>, current: Live<ReplicaSet>, all: readonly Live<ReplicaSet>[]): number {
  const desired = deployment.spec.replicas ?? 1;
  return replicasOf(current) > desired ? desired : newReplicaCount(deployment, all, replicasOf(current));
}

function recreateStep({ deployment, pods }: DeploymentState, { current, old }: Revisions): Action[] {
  const active = old.filter((replicaSet) => replicasOf(replicaSet) > 0);
  if (active.length > 0) {
    return active.flatMap((replicaSet) => scalingActions(deployment, { replicaSet, replicas: 0 }));
  }
  const oldUids = new Set(old.map(({ metadata }) => metadata.uid));
  const stillThere = pods.some((pod) => oldUids.has(controllerOf(pod)?.uid ?? '') && !isPodFinished(pod));
  if (stillThere) return [];
  const desired = deployment.spec.replicas ?? 1;
  if (current === undefined) return createNew(deployment, old, desired);
  return replicasOf(current) === desired ? [] : scalingActions(deployment, { replicaSet: current, replicas: desired });
}

function createNew(deployment: Live<Deployment>, old: readonly Live<ReplicaSet>[], replicas: number): Action[] {
  const revision = nextRevision(old);
  const created = newReplicaSet(deployment, replicas, limitsOf(deployment).maxSurge, revision);
  const actions: Action[] = [{ kind: 'create', resource: REPLICASETS, object: created }];
  actions.push(...deploymentRevision(deployment, String(revision)));
  if (replicas > 0) actions.push(scaledEvent(deployment, created.metadata?.name ?? '', 0, replicas));
  return actions;
}

/** Keeps revision numbers right when an old template becomes the present one again. */
function revisionActions(
  deployment: Live<Deployment>,
  current: Live<ReplicaSet>,
  old: readonly Live<ReplicaSet>[],
): Action[] {
  const before = current.metadata.annotations ?? {};
  const after = newReplicaSetAnnotations(deployment, before, nextRevision(old));
  const { minReadySeconds } = deployment.spec;
  const sameReadiness = (current.spec.minReadySeconds ?? 0) === (minReadySeconds ?? 0);
  const actions: Action[] = [];
  if (!same(before, after) || !sameReadiness) {
    actions.push({
      kind: 'patch',
      resource: REPLICASETS,
      name: current.metadata.name,
      namespace: current.metadata.namespace,
      type: 'merge',
      body: { metadata: { annotations: after }, ...(sameReadiness ? {} : { spec: { minReadySeconds } }) },
    });
  }
  return [...actions, ...deploymentRevision(deployment, after[REVISION] ?? '1')];
}

function deploymentRevision(deployment: Live<Deployment>, revision: string): Action[] {
  if (deployment.metadata.annotations?.[REVISION] === revision) return [];
  return [
    {
      kind: 'patch',
      resource: DEPLOYMENTS,
      name: deployment.metadata.name,
      namespace: deployment.metadata.namespace,
      type: 'merge',
      body: { metadata: { annotations: { [REVISION]: revision } } },
    },
  ];
}

function scalingActions(deployment: Live<Deployment>, { replicaSet, replicas }: Scaling): Action[] {
  const desired = deployment.spec.replicas ?? 1;
  const from = replicasOf(replicaSet);
  const unchanged = replicaSet.metadata.annotations?.[DESIRED_REPLICAS] === String(desired);
  if (from === replicas && unchanged) return [];
  const patch: Action = {
    kind: 'patch',
    resource: REPLICASETS,
    name: replicaSet.metadata.name,
    namespace: replicaSet.metadata.namespace,
    type: 'merge',
    body: {
      metadata: { annotations: replicasAnnotations(desired, limitsOf(deployment).maxSurge) },
      spec: { replicas },
    },
  };
  return from === replicas ? [patch] : [patch, scaledEvent(deployment, replicaSet.metadata.name, from, replicas)];
}

function scaledEvent(deployment: Live<Deployment>, replicaSet: string, from: number, to: number): Action {
  const { name, namespace, uid } = deployment.metadata;
  return {
    kind: 'event',
    about: { apiVersion: 'apps/v1', kind: 'Deployment', name, namespace, uid },
    type: 'Normal',
    reason: 'ScalingReplicaSet',
    message: `Scaled ${to > from ? 'up' : 'down'} replica set ${replicaSet} from ${from} to ${to}`,
  };
}

function statusActions(
  deployment: Live<Deployment>,
  { current, all }: Revisions,
  progress: Progress,
  nowMs: number,
): Action[] {
  const status = statusOf(deployment, current, all, progress, nowMs);
  if (same(status, deployment.status)) return [];
  const { name, namespace, uid } = deployment.metadata;
  // A patch, as other rounds of this controller write annotations of the same object.
  const body = { metadata: { uid }, status: { ...clearedCounts, ...status } };
  return [{ kind: 'patch', resource: DEPLOYMENTS, name, namespace, type: 'merge', subresource: 'status', body }];
}

/** A merge patch removes a field only by null. */
const clearedCounts = {
  replicas: null,
  updatedReplicas: null,
  readyReplicas: null,
  availableReplicas: null,
  unavailableReplicas: null,
};

function oldRevisionsToDelete(deployment: Live<Deployment>, { old }: Revisions): Action[] {
  if (!isComplete(deployment, deployment.status)) return [];
  const idle = old.filter(
    (one) =>
      replicasOf(one) === 0 &&
      (one.status?.replicas ?? 0) === 0 &&
      !isTerminating(one) &&
      (one.status?.observedGeneration ?? 0) >= (one.metadata.generation ?? 0),
  );
  const surplus = idle.length - (deployment.spec.revisionHistoryLimit ?? 10);
  if (surplus <= 0) return [];
  return idle
    .sort(
      (a, b) =>
        Number(a.metadata.annotations?.[REVISION] ?? 0) - Number(b.metadata.annotations?.[REVISION] ?? 0) ||
        byAge(a, b),
    )
    .slice(0, surplus)
    .map(
      ({ metadata: { name, namespace, uid } }): Action => ({
        kind: 'delete',
        resource: REPLICASETS,
        name,
        namespace,
        uid,
      }),
    );
}

function deadlineDelayMs(deployment: Live<Deployment>, nowMs: number): number | undefined {
  if (deployment.spec.paused) return undefined;
  const current = deployment.status?.conditions?.find((condition) => condition.type === 'Progressing');
  const delayMs = deadlineExceededInMs(deployment, current, nowMs);
  return delayMs === undefined || delayMs === 0 ? undefined : delayMs + 1000;
}
