/** Defaults of the kinds that make pods. */
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from 'kubernetes-types/apps/v1.js';
import type { CronJob, Job } from 'kubernetes-types/batch/v1.js';
import type { PodTemplate, PodTemplateSpec, ReplicationController } from 'kubernetes-types/core/v1.js';
import { defaultPodSpec } from './pod.ts';

function defaultTemplate(template: PodTemplateSpec | undefined): void {
  if (template?.spec !== undefined) defaultPodSpec(template.spec);
}

export function defaultPodTemplate(object: PodTemplate): void {
  defaultTemplate(object.template);
}

export function defaultDeployment(deployment: Deployment): void {
  const spec = deployment.spec;
  if (spec === undefined) return;
  defaultTemplate(spec.template);
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  spec.strategy ??= {};
  spec.strategy.type ??= 'RollingUpdate';
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate = { maxUnavailable: '25%', maxSurge: '25%', ...spec.strategy.rollingUpdate };
  }
}

export function defaultReplicaSet(replicaSet: ReplicaSet): void {
  if (replicaSet.spec === undefined) return;
  defaultTemplate(replicaSet.spec.template);
  replicaSet.spec.replicas ??= 1;
}

/** The only kind whose selector and labels come from its template. */
export function defaultReplicationController(controller: ReplicationController): void {
  const spec = controller.spec;
  if (spec === undefined) return;
  defaultTemplate(spec.template);
  spec.replicas ??= 1;
  const labels = spec.template?.metadata?.labels;
  if (labels === undefined) return;
  spec.selector ??= { ...labels };
  controller.metadata ??= {};
  controller.metadata.labels ??= { ...labels };
}

export function defaultDaemonSet(daemonSet: DaemonSet): void {
  const spec = daemonSet.spec;
  if (spec === undefined) return;
  defaultTemplate(spec.template);
  spec.revisionHistoryLimit ??= 10;
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ??= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate = { maxUnavailable: 1, maxSurge: 0, ...spec.updateStrategy.rollingUpdate };
  }
}

export function defaultStatefulSet(statefulSet: StatefulSet): void {
  const spec = statefulSet.spec;
  if (spec === undefined) return;
  defaultTemplate(spec.template);
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  spec.podManagementPolicy ??= 'OrderedReady';
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ??= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate = { partition: 0, ...spec.updateStrategy.rollingUpdate };
  }
  spec.persistentVolumeClaimRetentionPolicy = {
    whenDeleted: 'Retain',
    whenScaled: 'Retain',
    ...spec.persistentVolumeClaimRetentionPolicy,
  };
  if (spec.volumeClaimTemplates === undefined) return;
  spec.volumeClaimTemplates = spec.volumeClaimTemplates.map((claim) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    ...claim,
    ...(claim.spec === undefined ? {} : { spec: { volumeMode: 'Filesystem', ...claim.spec } }),
    status: { phase: 'Pending', ...claim.status },
  }));
}

const MAX_INT32 = 2_147_483_647;

export function defaultJob(job: Job): void {
  const spec = job.spec;
  if (spec === undefined) return;
  defaultTemplate(spec.template);
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  // A limit of each index is enough.
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : MAX_INT32;
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.manualSelector ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed';
}

export function defaultCronJob(cronJob: CronJob): void {
  const spec = cronJob.spec;
  if (spec === undefined) return;
  defaultTemplate(spec.jobTemplate?.spec?.template);
  spec.concurrencyPolicy ??= 'Allow';
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
}
