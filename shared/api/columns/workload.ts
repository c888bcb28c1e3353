/** Tables of the kinds that make pods. */
import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from 'kubernetes-types/apps/v1.js';
import type { CronJob, Job } from 'kubernetes-types/batch/v1.js';
import type { PodTemplateSpec, ReplicationController } from 'kubernetes-types/core/v1.js';
import type { LabelSelector, OwnerReference } from 'kubernetes-types/meta/v1.js';
import { humanDuration } from '../duration.ts';
import { parseTimestamp } from '../timestamp.ts';
import { ageText, booleanText, containerImages, containerNames, labelsText, NONE, selectorText } from './cell-text.ts';
import { AGE_COLUMN, type Cell, integer, NAME_COLUMN, type Printer, text, wide } from './printer.ts';

const TEMPLATE_COLUMNS = [wide('Containers'), wide('Images')];
const TEMPLATE_AND_SELECTOR_COLUMNS = [...TEMPLATE_COLUMNS, wide('Selector')];

function templateCells(template: PodTemplateSpec | undefined): Cell[] {
  return [containerNames(template?.spec?.containers), containerImages(template?.spec?.containers)];
}

function templateAndSelectorCells(
  spec: { readonly template?: PodTemplateSpec; readonly selector?: LabelSelector } | undefined,
): Cell[] {
  return [...templateCells(spec?.template), selectorText(spec?.selector)];
}

export const DEPLOYMENT_PRINTER: Printer<Deployment> = {
  columns: [
    NAME_COLUMN,
    text('Ready'),
    integer('Up-to-date'),
    integer('Available'),
    AGE_COLUMN,
    ...TEMPLATE_AND_SELECTOR_COLUMNS,
  ],
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata?.name ?? '',
    `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
    status?.updatedReplicas ?? 0,
    status?.availableReplicas ?? 0,
    ageText(metadata?.creationTimestamp, nowMs),
    ...templateAndSelectorCells(spec),
  ],
};

const REPLICA_COLUMNS = [
  NAME_COLUMN,
  integer('Desired'),
  integer('Current'),
  integer('Ready'),
  AGE_COLUMN,
  ...TEMPLATE_AND_SELECTOR_COLUMNS,
];

export const REPLICA_SET_PRINTER: Printer<ReplicaSet> = {
  columns: REPLICA_COLUMNS,
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata?.name ?? '',
    spec?.replicas ?? 0,
    status?.replicas ?? 0,
    status?.readyReplicas ?? 0,
    ageText(metadata?.creationTimestamp, nowMs),
    ...templateAndSelectorCells(spec),
  ],
};

export const REPLICATION_CONTROLLER_PRINTER: Printer<ReplicationController> = {
  columns: REPLICA_COLUMNS,
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata?.name ?? '',
    spec?.replicas ?? 0,
    status?.replicas ?? 0,
    status?.readyReplicas ?? 0,
    ageText(metadata?.creationTimestamp, nowMs),
    ...templateCells(spec?.template),
    labelsText(spec?.selector),
  ],
};

export const DAEMON_SET_PRINTER: Printer<DaemonSet> = {
  columns: [
    NAME_COLUMN,
    integer('Desired'),
    integer('Current'),
    integer('Ready'),
    integer('Up-to-date'),
    integer('Available'),
    text('Node Selector'),
    AGE_COLUMN,
    ...TEMPLATE_AND_SELECTOR_COLUMNS,
  ],
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata?.name ?? '',
    status?.desiredNumberScheduled ?? 0,
    status?.currentNumberScheduled ?? 0,
    status?.numberReady ?? 0,
    status?.updatedNumberScheduled ?? 0,
    status?.numberAvailable ?? 0,
    labelsText(spec?.template?.spec?.nodeSelector),
    ageText(metadata?.creationTimestamp, nowMs),
    ...templateAndSelectorCells(spec),
  ],
};

export const STATEFUL_SET_PRINTER: Printer<StatefulSet> = {
  columns: [NAME_COLUMN, text('Ready'), AGE_COLUMN, ...TEMPLATE_COLUMNS],
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata?.name ?? '',
    `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
    ageText(metadata?.creationTimestamp, nowMs),
    ...templateCells(spec?.template),
  ],
};

export const CONTROLLER_REVISION_PRINTER: Printer<ControllerRevision> = {
  columns: [NAME_COLUMN, text('Controller'), integer('Revision'), AGE_COLUMN],
  cells: ({ metadata, revision }, nowMs) => [
    metadata?.name ?? '',
    controllerText(metadata?.ownerReferences),
    revision,
    ageText(metadata?.creationTimestamp, nowMs),
  ],
};

/** `deployment.apps/web`. */
function controllerText(owners: readonly OwnerReference[] | undefined): string {
  const owner = owners?.find(({ controller }) => controller === true);
  if (owner === undefined) return NONE;
  const group = owner.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : '';
  return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
}

export const JOB_PRINTER: Printer<Job> = {
  columns: [
    NAME_COLUMN,
    text('Status'),
    text('Completions'),
    text('Duration'),
    AGE_COLUMN,
    ...TEMPLATE_AND_SELECTOR_COLUMNS,
  ],
  cells: (job, nowMs) => [
    job.metadata?.name ?? '',
    jobStatus(job),
    completionsText(job),
    durationText(job, nowMs),
    ageText(job.metadata?.creationTimestamp, nowMs),
    ...templateAndSelectorCells(job.spec),
  ],
};

/** The order in which conditions win. */
const JOB_CONDITIONS: readonly (readonly [type: string, text: string])[] = [
  ['Complete', 'Complete'],
  ['Failed', 'Failed'],
];
const JOB_LATER_CONDITIONS: readonly (readonly [type: string, text: string])[] = [
  ['Suspended', 'Suspended'],
  ['FailureTarget', 'FailureTarget'],
  ['SuccessCriteriaMet', 'SuccessCriteriaMet'],
];

function jobStatus({ metadata, status }: Job): string {
  const holds = (type: string): boolean =>
    status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
  const final = JOB_CONDITIONS.find(([type]) => holds(type));
  if (final !== undefined) return final[1];
  if (metadata?.deletionTimestamp !== undefined) return 'Terminating';
  return JOB_LATER_CONDITIONS.find(([type]) => holds(type))?.[1] ?? 'Running';
}

function completionsText({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec?.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const parallelism = spec?.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationText({ status }: Job, nowMs: number): string {
  const startMs = status?.startTime === undefined ? undefined : parseTimestamp(status.startTime);
  if (startMs === undefined) return '';
  const endMs = status?.completionTime === undefined ? nowMs : (parseTimestamp(status.completionTime) ?? nowMs);
  return humanDuration(endMs - startMs);
}

export const CRON_JOB_PRINTER: Printer<CronJob> = {
  columns: [
    NAME_COLUMN,
    text('Schedule'),
    text('Timezone'),
    text('Suspend'),
    integer('Active'),
    text('Last Schedule'),
    AGE_COLUMN,
    ...TEMPLATE_AND_SELECTOR_COLUMNS,
  ],
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata?.name ?? '',
    spec?.schedule ?? '',
    spec?.timeZone ?? NONE,
    booleanText(spec?.suspend),
    status?.active?.length ?? 0,
    status?.lastScheduleTime === undefined ? NONE : ageText(status.lastScheduleTime, nowMs),
    ageText(metadata?.creationTimestamp, nowMs),
    ...templateAndSelectorCells(spec?.jobTemplate?.spec),
  ],
};
