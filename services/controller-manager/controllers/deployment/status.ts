/** The status of a Deployment, as `kubectl rollout status` reads it. */
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from 'kubernetes-types/apps/v1.js';
import { type Live, timeMs } from '../../../../shared/api/live.ts';
import { formatTimestamp } from '../../../../shared/api/timestamp.ts';
import { limitsOf, sumOf } from './rolling-update.ts';

/** What the round did with the new ReplicaSet. */
export interface Progress {
  readonly created?: boolean;
  readonly found?: boolean;
}

type Facts = Pick<DeploymentCondition, 'type' | 'status' | 'reason' | 'message'>;

export function statusOf(
  deployment: Live<Deployment>,
  newReplicaSet: Live<ReplicaSet> | undefined,
  all: readonly Live<ReplicaSet>[],
  progress: Progress,
  nowMs: number,
): DeploymentStatus {
  const replicas = sumOf(all, (one) => one.status?.replicas ?? 0);
  const updated = newReplicaSet?.status?.replicas ?? 0;
  const ready = sumOf(all, (one) => one.status?.readyReplicas ?? 0);
  const available = sumOf(all, (one) => one.status?.availableReplicas ?? 0);
  const unavailable = Math.max(0, sumOf(all, (one) => one.spec.replicas ?? 1) - available);
  const counts: DeploymentStatus = {
    observedGeneration: deployment.metadata.generation,
    ...positive('replicas', replicas),
    ...positive('updatedReplicas', updated),
    ...positive('readyReplicas', ready),
    ...positive('availableReplicas', available),
    ...positive('unavailableReplicas', unavailable),
    ...(deployment.status?.collisionCount === undefined ? {} : { collisionCount: deployment.status.collisionCount }),
  };
  let conditions = deployment.status?.conditions ?? [];
  conditions = withCondition(conditions, availability(deployment, available), nowMs);
  const next = progressing(deployment, counts, newReplicaSet, progress, nowMs);
  if (next !== undefined) {
    conditions = withCondition(conditions, next, nowMs, hasProgressed(deployment.status, counts));
  }
  return { ...counts, conditions };
}

function positive<K extends keyof DeploymentStatus>(field: K, value: number): Partial<Record<K, number>> {
  return value > 0 ? ({ [field]: value } as Partial<Record<K, number>>) : {};
}

function availability(deployment: Live<Deployment>, available: number): Facts {
  const needed = (deployment.spec.replicas ?? 1) - limitsOf(deployment).maxUnavailable;
  return available >= needed
    ? {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
}

export function isComplete(deployment: Live<Deployment>, status: DeploymentStatus | undefined): boolean {
  const desired = deployment.spec.replicas ?? 1;
  return (
    (status?.updatedReplicas ?? 0) === desired &&
    (status?.replicas ?? 0) === desired &&
    (status?.availableReplicas ?? 0) === desired &&
    (status?.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function hasProgressed(before: DeploymentStatus | undefined, after: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus | undefined): number =>
    (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0);
  return (
    (after.updatedReplicas ?? 0) > (before?.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before?.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before?.availableReplicas ?? 0)
  );
}

function progressing(
  deployment: Live<Deployment>,
  counts: DeploymentStatus,
  newReplicaSet: Live<ReplicaSet> | undefined,
  progress: Progress,
  nowMs: number,
): Facts | undefined {
  const current = deployment.status?.conditions?.find((condition) => condition.type === 'Progressing');
  const text =
    newReplicaSet === undefined
      ? `Deployment "${deployment.metadata.name}"`
      : `ReplicaSet "${newReplicaSet.metadata.name}"`;
  const fact = (status: string, reason: string, message: string): Facts => ({
    type: 'Progressing',
    status,
    reason,
    message,
  });
  if (deployment.spec.paused) return fact('Unknown', 'DeploymentPaused', 'Deployment is paused');
  if (current?.reason === 'DeploymentPaused') return fact('Unknown', 'DeploymentResumed', 'Deployment is resumed');
  if (progress.created)
    return fact('True', 'NewReplicaSetCreated', `Created new replica set "${newReplicaSet?.metadata.name ?? ''}"`);
  if (isComplete(deployment, counts)) {
    return fact('True', 'NewReplicaSetAvailable', `${text} has successfully progressed.`);
  }
  if (progress.found && (current === undefined || current.reason === 'NewReplicaSetAvailable')) {
    return fact('True', 'FoundNewReplicaSet', `Found new replica set "${newReplicaSet?.metadata.name ?? ''}"`);
  }
  if (hasProgressed(deployment.status, counts)) return fact('True', 'ReplicaSetUpdated', `${text} is progressing.`);
  if (deadlineExceededInMs(deployment, current, nowMs) === 0) {
    return fact('False', 'ProgressDeadlineExceeded', `${text} has timed out progressing.`);
  }
  return undefined;
}

/** Milliseconds until the rollout counts as stuck; 0 when it does, undefined when no deadline runs. */
export function deadlineExceededInMs(
  deployment: Live<Deployment>,
  current: DeploymentCondition | undefined,
  nowMs: number,
): number | undefined {
  const deadlineSeconds = deployment.spec.progressDeadlineSeconds;
  if (deadlineSeconds === undefined || current === undefined || current.reason === 'NewReplicaSetAvailable') {
    return undefined;
  }
  if (current.reason === 'ProgressDeadlineExceeded') return 0;
  return Math.max(0, timeMs(current.lastUpdateTime) + deadlineSeconds * 1000 - nowMs);
}

/** `lastTransitionTime` moves with the status, `lastUpdateTime` also with the reason and (`touch`) with progress. */
function withCondition(
  conditions: readonly DeploymentCondition[],
  next: Facts,
  nowMs: number,
  touch = false,
): DeploymentCondition[] {
  const before = conditions.find((condition) => condition.type === next.type);
  const unchanged = before?.status === next.status && before.reason === next.reason;
  if (before !== undefined && unchanged && !touch) return [...conditions];
  const now = formatTimestamp(nowMs);
  const after: DeploymentCondition = {
    ...next,
    lastUpdateTime: now,
    lastTransitionTime: before?.status === next.status ? (before.lastTransitionTime ?? now) : now,
  };
  return [...conditions.filter((condition) => condition.type !== next.type), after];
}
