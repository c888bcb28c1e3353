/**
 * Job: runs pods until enough of them succeeded (Kubernetes documentation, "Jobs"). What succeeded or failed is counted from
 * the pods that are there, and never goes down when one of them is removed.
 */
import type { Job, JobCondition, JobStatus } from 'kubernetes-types/batch/v1.js';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { type Live, timeMs } from '../../../../shared/api/live.ts';
import { isPodActive, isPodFinished, isPodReady, isTerminating } from '../../../../shared/api/pod-condition.ts';
import { JOBS, PODS } from '../../../../shared/api/resources.ts';
import { formatTimestamp } from '../../../../shared/api/timestamp.ts';
import type { Action, Outcome } from '../../action.ts';
import { isControlledBy } from '../../owner.ts';
import { same } from '../../same.ts';
import { deletePod } from '../pod-deletion.ts';
import { podsToDelete } from '../replicaset/deletion-order.ts';
import { completionIndexOf, formatIndexes, parseIndexes } from './completion-index.ts';
import { type IndexFailures, indexFailures } from './index-failures.ts';
import { jobPod } from './job-pod.ts';
import { failureVerdict } from './pod-failure-policy.ts';
import { metSuccessRule } from './success-policy.ts';

export interface JobState {
  readonly job: Live<Job>;
  /** All pods of the namespace. */
  readonly pods: readonly Live<Pod>[];
}

const FIRST_BACKOFF_MS = 10_000;
const MAX_BACKOFF_MS = 600_000;
const DEFAULT_BACKOFF_LIMIT = 6;

/** What a Job's pods say. */
interface Count {
  readonly job: Live<Job>;
  readonly owned: readonly Live<Pod>[];
  readonly active: readonly Live<Pod>[];
  readonly succeeded: number;
  readonly failed: number;
  /** Of an Indexed Job. */
  readonly completed: ReadonlySet<number> | undefined;
  /** Of one whose indexes have limits of their own. */
  readonly indexes: IndexFailures | undefined;
  readonly nowMs: number;
}

interface Verdict {
  readonly type: 'Complete' | 'Failed';
  readonly reason: string;
  readonly message: string;
}

export function reconcileJob({ job, pods }: JobState, nowMs: number): Outcome {
  if (isTerminating(job)) return { actions: [] };
  const finish = finishCondition(job);
  if (finish !== undefined) return afterFinish(job, finish, nowMs);
  const count = countPods(job, pods, nowMs);
  const verdict = verdictOf(count);
  if (verdict !== undefined) return finishJob(count, verdict);
  return job.spec.suspend ? suspendJob(count) : runJob(count);
}

function finishCondition(job: Live<Job>): JobCondition | undefined {
  return job.status?.conditions?.find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
}

function afterFinish(job: Live<Job>, { lastTransitionTime }: JobCondition, nowMs: number): Outcome {
  const { ttlSecondsAfterFinished } = job.spec;
  if (ttlSecondsAfterFinished === undefined || ttlSecondsAfterFinished === null) return { actions: [] };
  const waitMs = timeMs(lastTransitionTime) + ttlSecondsAfterFinished * 1000 - nowMs;
  if (waitMs > 0) return { actions: [], requeueAfterMs: waitMs };
  const { name, namespace, uid } = job.metadata;
  return { actions: [{ kind: 'delete', resource: JOBS, name, namespace, uid, propagationPolicy: 'Foreground' }] };
}

function countPods(job: Live<Job>, pods: readonly Live<Pod>[], nowMs: number): Count {
  const owned = pods.filter((pod) => isControlledBy(pod, job));
  const successes = owned.filter((pod) => pod.status?.phase === 'Succeeded');
  const failures = countedFailures(job, owned).length;
  const completed = job.spec.completionMode === 'Indexed' ? completedIndexes(job, successes) : undefined;
  return {
    job,
    owned,
    active: owned.filter(isPodActive),
    succeeded: completed?.size ?? Math.max(job.status?.succeeded ?? 0, successes.length),
    failed: Math.max(job.status?.failed ?? 0, failures),
    completed,
    indexes: indexFailures(job, owned, finishedMs),
    nowMs,
  };
}

/** Those that the failure policy does not ignore. */
function countedFailures({ spec }: Live<Job>, owned: readonly Live<Pod>[]): Live<Pod>[] {
  return owned.filter((pod) => pod.status?.phase === 'Failed' && failureVerdict(spec, pod).action !== 'Ignore');
}

function completedIndexes(job: Live<Job>, successes: readonly Live<Pod>[]): Set<number> {
  const count = job.spec.completions ?? 0;
  const indexes = parseIndexes(job.status?.completedIndexes, count);
  for (const pod of successes) {
    const index = completionIndexOf(pod);
    if (index !== undefined && index < count) indexes.add(index);
  }
  return indexes;
}

function verdictOf(count: Count): Verdict | undefined {
  const { job, owned, active, succeeded, indexes, nowMs } = count;
  const { activeDeadlineSeconds, suspend, completions, maxFailedIndexes } = job.spec;
  for (const pod of countedFailures(job, owned)) {
    const failure = failureVerdict(job.spec, pod);
    if (failure.action === 'FailJob') return { type: 'Failed', reason: 'PodFailurePolicy', message: failure.message };
  }
  const rule = metSuccessRule(job.spec, count.completed);
  if (rule !== undefined) {
    return { type: 'Complete', reason: 'SuccessPolicy', message: `Matched rules at index ${rule}` };
  }
  const failedIndexes = indexes?.failed.size ?? 0;
  if (maxFailedIndexes !== undefined && failedIndexes > maxFailedIndexes) {
    const message = 'Job has exceeded the specified maximal number of failed indexes';
    return { type: 'Failed', reason: 'MaxFailedIndexesExceeded', message };
  }
  if (failedIndexes > 0 && succeeded + failedIndexes >= (completions ?? 0)) {
    return { type: 'Failed', reason: 'FailedIndexes', message: 'Job has failed indexes' };
  }
  if (isOverBackoffLimit(count)) {
    const message = 'Job has reached the specified backoff limit';
    return { type: 'Failed', reason: 'BackoffLimitExceeded', message };
  }
  const startedMs = timeMs(job.status?.startTime);
  if (activeDeadlineSeconds && !suspend && startedMs > 0 && nowMs - startedMs >= activeDeadlineSeconds * 1000) {
    const message = 'Job was active longer than specified deadline';
    return { type: 'Failed', reason: 'DeadlineExceeded', message };
  }
  const isComplete =
    completions === undefined || completions === null ? succeeded > 0 && active.length === 0 : succeeded >= completions;
  if (!isComplete || (suspend && succeeded === 0)) return undefined;
  return { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };
}

function isOverBackoffLimit({ job, active, failed }: Count): boolean {
  const limit = job.spec.backoffLimit ?? DEFAULT_BACKOFF_LIMIT;
  if (failed > limit) return true;
  if (job.spec.template.spec?.restartPolicy !== 'OnFailure') return false;
  const restarts = active
    .flatMap(({ status }) => [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

function finishJob(count: Count, verdict: Verdict): Outcome {
  const { job, active, failed, nowMs } = count;
  const now = formatTimestamp(nowMs);
  const isComplete = verdict.type === 'Complete';
  const status: JobStatus = {
    ...statusOf({ ...count, active: [], failed: isComplete ? failed : failed + active.length }),
    startTime: job.status?.startTime ?? now,
    ...(isComplete ? { completionTime: now } : {}),
    conditions: finalConditions(count, verdict),
  };
  const event = isComplete
    ? eventOf(job, 'Normal', 'Completed', 'Job completed')
    : eventOf(job, 'Warning', verdict.reason, verdict.message);
  // The verdict first: pods that are deleted must not be made again.
  const actions = [writeStatus(job, status), ...active.map(deletePod), event];
  const { ttlSecondsAfterFinished } = job.spec;
  return ttlSecondsAfterFinished ? { actions, requeueAfterMs: ttlSecondsAfterFinished * 1000 } : { actions };
}

/** First that it is decided, then that it is over; here both come at once. */
function finalConditions(count: Count, { type, reason, message }: Verdict): JobCondition[] {
  const target = type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget';
  const [decided] = withCondition(count, target, reason, message).slice(-1);
  const over = withCondition(count, type, reason, message);
  return decided === undefined ? over : [...over.slice(0, -1), decided, ...over.slice(-1)];
}

function suspendJob(count: Count): Outcome {
  const { job, active } = count;
  const actions = active.map(deletePod);
  const isKnown = hasCondition(job, 'Suspended', 'True');
  const conditions = isKnown
    ? (job.status?.conditions ?? [])
    : withCondition(count, 'Suspended', 'JobSuspended', 'Job suspended');
  const { startTime: _, ...status } = statusOf({ ...count, active: [] });
  const after: JobStatus = { ...status, conditions };
  if (!same(after, job.status)) actions.push(writeStatus(job, after));
  if (!isKnown) actions.push(eventOf(job, 'Normal', 'Suspended', 'Job suspended'));
  return { actions };
}

function runJob(count: Count): Outcome {
  const { job, nowMs } = count;
  const resumed = hasCondition(job, 'Suspended', 'True');
  const startTime = job.status?.startTime ?? formatTimestamp(nowMs);
  const conditions = resumed ? resumedConditions(count) : job.status?.conditions;
  const status: JobStatus = { ...statusOf(count), startTime, ...(conditions === undefined ? {} : { conditions }) };
  const { actions: changes, requeueAfterMs } = balance(count);
  const actions: Action[] = [...changes];
  if (!same(status, job.status)) actions.push(writeStatus(job, status));
  if (resumed) actions.push(eventOf(job, 'Normal', 'Resumed', 'Job resumed'));
  const { activeDeadlineSeconds } = job.spec;
  const deadlineMs = activeDeadlineSeconds
    ? timeMs(startTime) + activeDeadlineSeconds * 1000 - nowMs
    : Number.POSITIVE_INFINITY;
  const nextMs = Math.min(deadlineMs, requeueAfterMs ?? Number.POSITIVE_INFINITY);
  return Number.isFinite(nextMs) ? { actions, requeueAfterMs: Math.max(1, nextMs) } : { actions };
}

/** Makes or deletes pods until as many are active as should be. */
function balance(count: Count): Outcome {
  const { job, active } = count;
  const missing = wantedActive(count) - active.length;
  if (missing < 0) return { actions: podsToDelete(active, active, -missing).map(deletePod) };
  const terminating = count.owned.filter((pod) => isTerminating(pod) && !isPodFinished(pod)).length;
  const room = job.spec.podReplacementPolicy === 'Failed' ? missing - terminating : missing;
  if (room <= 0) return { actions: [] };
  if (count.indexes !== undefined) return createIndexes(count, count.indexes, room);
  const backoffMs = backoffLeftMs(count);
  if (backoffMs > 0) return { actions: [], requeueAfterMs: backoffMs };
  const creates = freeIndexes(count, room).map((index) => creation(job, index));
  return { actions: [{ kind: 'slow-start', actions: creates }] };
}

/** An index that waits after a failure holds up no other. */
function createIndexes(count: Count, indexes: IndexFailures, room: number): Outcome {
  const { job, nowMs } = count;
  const all = freeIndexes(count, job.spec.completions ?? 0).flatMap((index) => index ?? []);
  const waits = all.map((index) => indexes.lastMsOf(index) + pauseMs(indexes.countOf(index)) - nowMs);
  const ready = all.filter((_, i) => (waits[i] as number) <= 0).slice(0, room);
  const creates = ready.map((index) => creation(job, index, indexes.countOf(index)));
  const nextMs = Math.min(...waits.filter((wait) => wait > 0));
  return {
    actions: creates.length === 0 ? [] : [{ kind: 'slow-start', actions: creates }],
    ...(Number.isFinite(nextMs) ? { requeueAfterMs: nextMs } : {}),
  };
}

function creation(job: Live<Job>, index: number | undefined, failures?: number): Action {
  return { kind: 'create', resource: PODS, object: jobPod(job, index, failures) };
}

function wantedActive({ job, active, succeeded, indexes }: Count): number {
  const { parallelism = 1, completions } = job.spec;
  if (completions !== undefined && completions !== null)
    return Math.min(parallelism, completions - succeeded - (indexes?.failed.size ?? 0));
  // A work queue: its first success says that there is no work left, so nobody new is sent for any.
  return succeeded > 0 ? Math.min(active.length, parallelism) : parallelism;
}

/** For each pod to make its index; undefined for those of a Job that is not Indexed. */
function freeIndexes({ job, active, completed, indexes }: Count, room: number): (number | undefined)[] {
  if (completed === undefined) return new Array<undefined>(room).fill(undefined);
  const taken = new Set([...completed, ...(indexes?.failed ?? []), ...active.map(completionIndexOf)]);
  const free: number[] = [];
  for (let index = 0; index < (job.spec.completions ?? 0) && free.length < room; index++) {
    if (!taken.has(index)) free.push(index);
  }
  return free;
}

/** 10 s after the first failure in a row, doubled by each further one, at most 10 minutes. */
function backoffLeftMs({ owned, nowMs }: Count): number {
  const lastSuccessMs = Math.max(0, ...owned.filter(({ status }) => status?.phase === 'Succeeded').map(finishedMs));
  const failures = owned
    .filter(({ status }) => status?.phase === 'Failed')
    .map(finishedMs)
    .filter((finished) => finished > lastSuccessMs);
  if (failures.length === 0) return 0;
  return Math.max(...failures) + pauseMs(failures.length) - nowMs;
}

function pauseMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (failures - 1));
}

function finishedMs({ metadata, status }: Live<Pod>): number {
  const times = (status?.containerStatuses ?? []).map(({ state }) => timeMs(state?.terminated?.finishedAt));
  return Math.max(timeMs(metadata.creationTimestamp), ...times);
}

function statusOf({ job, owned, active, succeeded, failed, completed, indexes }: Count): JobStatus {
  const { active: _a, ready: _r, succeeded: _s, failed: _f, completedIndexes: _i, ...before } = job.status ?? {};
  const completedIndexes = completed === undefined ? '' : formatIndexes(completed);
  return {
    ...before,
    ...(active.length > 0 ? { active: active.length } : {}),
    ready: active.filter(isPodReady).length,
    ...(succeeded > 0 ? { succeeded } : {}),
    ...(failed > 0 ? { failed } : {}),
    ...(completedIndexes === '' ? {} : { completedIndexes }),
    ...(indexes === undefined ? {} : { failedIndexes: formatIndexes(indexes.failed) }),
    terminating: owned.filter((pod) => isTerminating(pod) && !isPodFinished(pod)).length,
    uncountedTerminatedPods: {},
  };
}

function hasCondition(job: Live<Job>, type: string, status: string): boolean {
  return job.status?.conditions?.some((condition) => condition.type === type && condition.status === status) ?? false;
}

function withCondition(
  { job, nowMs }: Count,
  type: string,
  reason: string,
  message: string,
  status = 'True',
): JobCondition[] {
  const others = (job.status?.conditions ?? []).filter((condition) => condition.type !== type);
  const now = formatTimestamp(nowMs);
  return [...others, { type, status, reason, message, lastProbeTime: now, lastTransitionTime: now }];
}

function resumedConditions(count: Count): JobCondition[] {
  return withCondition(count, 'Suspended', 'JobResumed', 'Job resumed', 'False');
}

function writeStatus(job: Live<Job>, status: JobStatus): Action {
  return { kind: 'update-status', resource: JOBS, object: { ...job, status } };
}

function eventOf({ metadata }: Live<Job>, type: 'Normal' | 'Warning', reason: string, message: string): Action {
  const { name, namespace, uid } = metadata;
  return {
    kind: 'event',
    about: { apiVersion: 'batch/v1', kind: 'Job', name, ...(namespace === undefined ? {} : { namespace }), uid },
    type,
    reason,
    message,
  };
}
