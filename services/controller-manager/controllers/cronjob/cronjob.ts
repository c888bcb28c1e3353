/** CronJob: makes a Job at each time of its schedule (Kubernetes documentation, "CronJob"). */
import type { CronJob, CronJobStatus, Job } from 'kubernetes-types/batch/v1.js';
import { type Live, timeMs } from '../../../../shared/api/live.ts';
import { isTerminating } from '../../../../shared/api/pod-condition.ts';
import { CRONJOBS, JOBS } from '../../../../shared/api/resources.ts';
import { formatTimestamp } from '../../../../shared/api/timestamp.ts';
import type { Action, Outcome } from '../../action.ts';
import { controllerReference, isControlledBy } from '../../owner.ts';
import { same } from '../../same.ts';
import { parseSchedule } from './schedule.ts';
import { findTimeZone, lastTimeInZoneMs, nextTimeInZoneMs } from './time-zone.ts';

export interface CronJobState {
  readonly cronJob: Live<CronJob>;
  /** All Jobs of the namespace. */
  readonly jobs: readonly Live<Job>[];
}

const SCHEDULED_AT = 'batch.kubernetes.io/cronjob-scheduled-timestamp';
/** A timer cannot wait for a month; looking once an hour costs nothing. */
const LONGEST_WAIT_MS = 3_600_000;

export function reconcileCronJob({ cronJob, jobs }: CronJobState, nowMs: number): Outcome {
  if (isTerminating(cronJob)) return { actions: [] };
  const owned = jobs.filter((job) => isControlledBy(job, cronJob));
  const { actions: runs, startedMs, nextMs } = runDue(cronJob, owned, nowMs);
  const actions: Action[] = [...oldHistory(cronJob, owned), ...runs];
  const status = statusOf(cronJob, owned, startedMs);
  if (!same(status, cronJob.status ?? {})) {
    actions.push({ kind: 'update-status', resource: CRONJOBS, object: { ...cronJob, status } });
  }
  if (nextMs === undefined) return { actions };
  return { actions, requeueAfterMs: Math.min(LONGEST_WAIT_MS, Math.max(1, nextMs - nowMs)) };
}

interface Run {
  readonly actions: readonly Action[];
  /** The scheduled time whose Job is there now. */
  readonly startedMs?: number;
  readonly nextMs?: number | undefined;
}

function runDue(cronJob: Live<CronJob>, owned: readonly Live<Job>[], nowMs: number): Run {
  const { schedule: text, suspend, timeZone, startingDeadlineSeconds, concurrencyPolicy } = cronJob.spec;
  if (suspend) return { actions: [] };
  const zone = findTimeZone(timeZone);
  if (zone === undefined) {
    const message = `invalid timeZone: "${timeZone}": unknown time zone ${timeZone}`;
    return complaint(cronJob, 'UnknownTimeZone', message);
  }
  const schedule = parseSchedule(text);
  if (schedule === undefined) return complaint(cronJob, 'UnparseableSchedule', `unparseable schedule: ${text}`);
  const nextMs = nextTimeInZoneMs(schedule, zone, nowMs);
  const sinceMs = timeMs(cronJob.status?.lastScheduleTime ?? cronJob.metadata.creationTimestamp);
  const dueMs = lastTimeInZoneMs(schedule, zone, sinceMs, nowMs);
  if (dueMs === undefined) return { actions: [], nextMs };
  if (startingDeadlineSeconds && dueMs + startingDeadlineSeconds * 1000 < nowMs) {
    const message = `Missed scheduled time to start a job: ${formatTimestamp(dueMs)}`;
    return { ...complaint(cronJob, 'MissSchedule', message), nextMs };
  }
  const job = jobAt(cronJob, dueMs);
  if (owned.some(({ metadata }) => metadata.name === job.metadata?.name)) {
    return { actions: [], startedMs: dueMs, nextMs };
  }
  const active = owned.filter((other) => finishOf(other) === undefined);
  if (concurrencyPolicy === 'Forbid' && active.length > 0) {
    const message = 'Not starting job because prior execution is running and concurrency policy is Forbid';
    return { actions: [eventOf(cronJob, 'Normal', 'JobAlreadyActive', message)], nextMs };
  }
  const replaced = concurrencyPolicy === 'Replace' ? active.map(deletion) : [];
  const created = eventOf(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${job.metadata?.name}`);
  return {
    actions: [...replaced, { kind: 'create', resource: JOBS, object: job }, created],
    startedMs: dueMs,
    nextMs,
  };
}

function complaint(cronJob: Live<CronJob>, reason: string, message: string): Run {
  return { actions: [eventOf(cronJob, 'Warning', reason, message)] };
}

/** Its name says its minute, so that a time is run once even when this process dies in between. */
function jobAt(cronJob: Live<CronJob>, dueMs: number): Job {
  const { metadata, spec } = cronJob.spec.jobTemplate;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: `${cronJob.metadata.name}-${dueMs / 60_000}`,
      namespace: cronJob.metadata.namespace,
      labels: { ...metadata?.labels },
      annotations: { ...metadata?.annotations, [SCHEDULED_AT]: formatTimestamp(dueMs) },
      ownerReferences: [controllerReference(CRONJOBS, cronJob)],
    },
    ...(spec === undefined ? {} : { spec: structuredClone(spec) }),
  };
}

function finishOf({ status }: Live<Job>): string | undefined {
  return status?.conditions?.find(
    (condition) => (condition.type === 'Complete' || condition.type === 'Failed') && condition.status === 'True',
  )?.type;
}

function oldHistory({ spec }: Live<CronJob>, owned: readonly Live<Job>[]): Action[] {
  const surplus = (finish: string, limit: number): Live<Job>[] =>
    owned
      .filter((job) => finishOf(job) === finish && !isTerminating(job))
      .sort((a, b) => timeMs(b.status?.startTime) - timeMs(a.status?.startTime))
      .slice(limit);
  return [
    ...surplus('Complete', spec.successfulJobsHistoryLimit ?? 3),
    ...surplus('Failed', spec.failedJobsHistoryLimit ?? 1),
  ].map(deletion);
}

function deletion({ metadata: { name, namespace, uid } }: Live<Job>): Action {
  return { kind: 'delete', resource: JOBS, name, namespace, uid, propagationPolicy: 'Background' };
}

function statusOf(cronJob: Live<CronJob>, owned: readonly Live<Job>[], startedMs: number | undefined): CronJobStatus {
  const { lastScheduleTime, lastSuccessfulTime } = cronJob.status ?? {};
  const successMs = Math.max(timeMs(lastSuccessfulTime), ...owned.map(({ status }) => timeMs(status?.completionTime)));
  const active = owned
    .filter((job) => finishOf(job) === undefined)
    .map(({ metadata: { name, namespace, uid } }) => ({ apiVersion: 'batch/v1', kind: 'Job', name, namespace, uid }));
  const scheduled = startedMs === undefined ? lastScheduleTime : formatTimestamp(startedMs);
  return {
    ...(active.length > 0 ? { active } : {}),
    ...(scheduled === undefined ? {} : { lastScheduleTime: scheduled }),
    ...(successMs > 0 ? { lastSuccessfulTime: formatTimestamp(successMs) } : {}),
  };
}

function eventOf({ metadata }: Live<CronJob>, type: 'Normal' | 'Warning', reason: string, message: string): Action {
  const { name, namespace, uid } = metadata;
  return {
    kind: 'event',
    about: { apiVersion: 'batch/v1', kind: 'CronJob', name, ...(namespace === undefined ? {} : { namespace }), uid },
    type,
    reason,
    message,
  };
}
