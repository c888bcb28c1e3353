/**
 * The arithmetic of a rolling update: never more than `replicas + maxSurge` pods, never fewer than `replicas - maxUnavailable`
 * available ones (Kubernetes documentation, "Deployments", rolling update).
 */
import type { Deployment, ReplicaSet } from 'kubernetes-types/apps/v1.js';
import { scaledCount } from '../../../../shared/api/int-or-string.ts';
import type { Live } from '../../../../shared/api/live.ts';
import { byAge, DESIRED_REPLICAS, MAX_REPLICAS } from './revision.ts';

export interface Limits {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/** A ReplicaSet that is to have another number of replicas. */
export interface Scaling {
  readonly replicaSet: Live<ReplicaSet>;
  readonly replicas: number;
}

export function isRollingUpdate(deployment: Live<Deployment>): boolean {
  return deployment.spec.strategy?.type !== 'Recreate';
}

/** Both limits cannot be 0: then one pod may be unavailable. */
export function limitsOf(deployment: Live<Deployment>): Limits {
  if (!isRollingUpdate(deployment)) return { maxSurge: 0, maxUnavailable: 0 };
  const replicas = deployment.spec.replicas ?? 1;
  const { maxSurge = '25%', maxUnavailable = '25%' } = deployment.spec.strategy?.rollingUpdate ?? {};
  const surge = scaledCount(maxSurge, replicas, 'up') ?? 0;
  const unavailable = scaledCount(maxUnavailable, replicas, 'down') ?? 0;
  if (surge === 0 && unavailable === 0) return { maxSurge: 0, maxUnavailable: 1 };
  return { maxSurge: surge, maxUnavailable: Math.min(unavailable, replicas) };
}

export function replicasOf(replicaSet: Live<ReplicaSet>): number {
  return replicaSet.spec.replicas ?? 1;
}

export function sumOf(replicaSets: readonly Live<ReplicaSet>[], count: (one: Live<ReplicaSet>) => number): number {
  return replicaSets.reduce((sum, replicaSet) => sum + count(replicaSet), 0);
}

function availableOf(replicaSet: Live<ReplicaSet>): number {
  return replicaSet.status?.availableReplicas ?? 0;
}

/** How many replicas the new ReplicaSet may have now. */
export function newReplicaCount(
  deployment: Live<Deployment>,
  all: readonly Live<ReplicaSet>[],
  current: number,
): number {
  const desired = deployment.spec.replicas ?? 1;
  if (!isRollingUpdate(deployment)) return desired;
  const total = sumOf(all, replicasOf);
  const allowed = desired + limitsOf(deployment).maxSurge;
  if (total >= allowed) return current;
  return current + Math.min(allowed - total, desired - current);
}

/** What old ReplicaSets give up in this step: first pods that are not available anyway, then as many as the limit allows. */
export function scaleDownOld(
  deployment: Live<Deployment>,
  newReplicaSet: Live<ReplicaSet>,
  old: readonly Live<ReplicaSet>[],
): Scaling[] {
  const active = old.filter((replicaSet) => replicasOf(replicaSet) > 0).sort(byAge);
  if (active.length === 0) return [];
  const all = [...active, newReplicaSet];
  const desired = deployment.spec.replicas ?? 1;
  const minAvailable = desired - limitsOf(deployment).maxUnavailable;
  const newUnavailable = replicasOf(newReplicaSet) - availableOf(newReplicaSet);
  const maxScaledDown = sumOf(all, replicasOf) - minAvailable - newUnavailable;
  if (maxScaledDown <= 0) return [];

  const planned = new Map(active.map((replicaSet) => [replicaSet, replicasOf(replicaSet)]));
  removeUnhealthy(active, planned, maxScaledDown);
  removeAvailable(active, planned, sumOf(all, availableOf) - minAvailable);
  return active
    .map((replicaSet) => ({ replicaSet, replicas: planned.get(replicaSet) ?? 0 }))
    .filter(({ replicaSet, replicas }) => replicas !== replicasOf(replicaSet));
}

function removeUnhealthy(
  active: readonly Live<ReplicaSet>[],
  planned: Map<Live<ReplicaSet>, number>,
  limit: number,
): void {
  let left = limit;
  for (const replicaSet of active) {
    const unhealthy = Math.max(0, replicasOf(replicaSet) - availableOf(replicaSet));
    const removed = Math.min(left, unhealthy);
    planned.set(replicaSet, replicasOf(replicaSet) - removed);
    left -= removed;
  }
}

function removeAvailable(
  active: readonly Live<ReplicaSet>[],
  planned: Map<Live<ReplicaSet>, number>,
  limit: number,
): void {
  let left = limit;
  for (const replicaSet of active) {
    if (left <= 0) return;
    const current = planned.get(replicaSet) ?? 0;
    const removed = Math.min(left, current);
    planned.set(replicaSet, current - removed);
    left -= removed;
  }
}

/** True when `replicas` of the Deployment changed since its ReplicaSets were last sized. */
export function isScalingEvent(deployment: Live<Deployment>, all: readonly Live<ReplicaSet>[]): boolean {
  return all.some((replicaSet) => {
    if (replicasOf(replicaSet) === 0) return false;
    const desired = replicaSet.metadata.annotations?.[DESIRED_REPLICAS];
    return desired !== undefined && Number(desired) !== (deployment.spec.replicas ?? 1);
  });
}

/** A scaling in the middle of a rollout is spread over the ReplicaSets in proportion to their sizes. */
export function scaleProportionally(
  deployment: Live<Deployment>,
  newReplicaSet: Live<ReplicaSet> | undefined,
  old: readonly Live<ReplicaSet>[],
): Scaling[] {
  const desired = deployment.spec.replicas ?? 1;
  const all = newReplicaSet === undefined ? [...old] : [...old, newReplicaSet];
  const active = all.filter((replicaSet) => replicasOf(replicaSet) > 0);
  const only = active.length === 0 ? newestOf(newReplicaSet, old) : active.length === 1 ? active[0] : undefined;
  if (only !== undefined) return [{ replicaSet: only, replicas: desired }];
  if (newReplicaSet !== undefined && isSaturated(deployment, newReplicaSet)) {
    return old.filter((one) => replicasOf(one) > 0).map((replicaSet) => ({ replicaSet, replicas: 0 }));
  }
  if (!isRollingUpdate(deployment)) return [];
  return spread(deployment, active);
}

function newestOf(
  newReplicaSet: Live<ReplicaSet> | undefined,
  old: readonly Live<ReplicaSet>[],
): Live<ReplicaSet> | undefined {
  return newReplicaSet ?? [...old].sort(byAge).at(-1);
}

function isSaturated(deployment: Live<Deployment>, replicaSet: Live<ReplicaSet>): boolean {
  const desired = deployment.spec.replicas ?? 1;
  return (
    replicasOf(replicaSet) === desired &&
    replicaSet.metadata.annotations?.[DESIRED_REPLICAS] === String(desired) &&
    availableOf(replicaSet) === desired
  );
}

function spread(deployment: Live<Deployment>, active: readonly Live<ReplicaSet>[]): Scaling[] {
  const desired = deployment.spec.replicas ?? 1;
  const allowed = desired > 0 ? desired + limitsOf(deployment).maxSurge : 0;
  const toAdd = allowed - sumOf(active, replicasOf);
  const bySize = [...active].sort((a, b) => replicasOf(b) - replicasOf(a) || toAddOrder(a, b, toAdd));
  const planned = bySize.map((replicaSet) => ({ replicaSet, replicas: replicasOf(replicaSet) }));
  let left = toAdd;
  for (const entry of planned) {
    if (left === 0) break;
    const share = proportion(entry.replicaSet, allowed, left);
    entry.replicas += share;
    left -= share;
  }
  const first = planned[0];
  if (first !== undefined) first.replicas = Math.max(0, first.replicas + left);
  // Unchanged ones too: what they note as the desired size has to follow.
  return planned;
}

/** Scaling up prefers the newest of equal sizes, scaling down the oldest. */
function toAddOrder(a: Live<ReplicaSet>, b: Live<ReplicaSet>, toAdd: number): number {
  return toAdd > 0 ? byAge(b, a) : byAge(a, b);
}

function proportion(replicaSet: Live<ReplicaSet>, allowed: number, left: number): number {
  const current = replicasOf(replicaSet);
  const before = Number(replicaSet.metadata.annotations?.[MAX_REPLICAS] ?? current) || current;
  const share = Math.round((current * allowed) / before) - current;
  return left > 0 ? Math.min(Math.max(share, 0), left) : Math.max(Math.min(share, 0), left, -current);
}
