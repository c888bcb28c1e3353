/** The kinds that make pods (Kubernetes API reference, apps/v1 and batch/v1). */
import type { DaemonSetSpec, DeploymentSpec, ReplicaSetSpec, StatefulSetSpec } from 'kubernetes-types/apps/v1.js';
import type { CronJobSpec, JobSpec } from 'kubernetes-types/batch/v1.js';
import type { PodTemplateSpec, ReplicationControllerSpec } from 'kubernetes-types/core/v1.js';
import type { LabelSelector } from 'kubernetes-types/meta/v1.js';
import { type IntOrString, percentOf } from '../int-or-string.ts';
import { objectSelectorMatches } from '../label-selector.ts';
import type { FieldError } from '../status.ts';
import { isApiError } from '../status.ts';
import { scheduleProblem } from './cron-schedule.ts';
import { forbiddenValue, invalidValue, requiredValue, unsupportedValue } from './field-error.ts';
import { jobFailureErrors } from './job-policy.ts';
import { isEmptySelector } from './labels.ts';
import { atLeast, oneOf, type Rule, type TypeRules } from './rule.ts';

interface SelectingSpec {
  readonly selector?: LabelSelector;
  readonly template?: PodTemplateSpec;
}

function selectingErrors({ selector, template }: SelectingSpec, path: string, kind: string): FieldError[] {
  const errors: FieldError[] = [];
  const templateLabels = template?.metadata?.labels ?? {};
  if (selector !== undefined && isEmptySelector(selector as Record<string, unknown>)) {
    errors.push(invalidValue(`${path}.selector`, selector, `empty selector is invalid for ${kind}`));
  } else if (selector === undefined || !matches(selector, templateLabels)) {
    errors.push(unmatchedTemplate(template, path));
  }
  return [...errors, ...alwaysRestarted(template, path), ...templateErrors(template, path)];
}

function templateErrors(template: PodTemplateSpec | undefined, path: string): FieldError[] {
  const deadline = template?.spec?.activeDeadlineSeconds;
  const at = `${path}.template.spec`;
  return deadline === undefined
    ? []
    : [forbiddenValue(`${at}.activeDeadlineSeconds`, 'activeDeadlineSeconds in ReplicaSet is not Supported')];
}

function unmatchedTemplate(template: PodTemplateSpec | undefined, path: string): FieldError {
  const at = `${path}.template.metadata.labels`;
  return invalidValue(at, template?.metadata?.labels, '`selector` does not match template `labels`');
}

/** A selector that cannot be read is reported by the rules of selectors. */
function matches(selector: LabelSelector, labels: Record<string, string>): boolean {
  try {
    return objectSelectorMatches(selector, labels);
  } catch (error) {
    if (isApiError(error)) return true;
    throw error;
  }
}

function alwaysRestarted(template: PodTemplateSpec | undefined, path: string): FieldError[] {
  const policy = template?.spec?.restartPolicy;
  if (policy === undefined || policy === 'Always') return [];
  return [unsupportedValue(`${path}.template.spec.restartPolicy`, policy, ['Always'])];
}

function deploymentErrors(spec: DeploymentSpec, path: string): FieldError[] {
  const errors = selectingErrors(spec, path, 'deployment');
  const { strategy, progressDeadlineSeconds, minReadySeconds = 0 } = spec;
  if (strategy?.type === 'Recreate' && strategy.rollingUpdate !== undefined) {
    errors.push(
      forbiddenValue(`${path}.strategy.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'"),
    );
  }
  if (strategy?.rollingUpdate !== undefined) {
    const { maxUnavailable, maxSurge } = strategy.rollingUpdate;
    if (isNothing(maxUnavailable) && isNothing(maxSurge)) {
      errors.push(
        invalidValue(
          `${path}.strategy.rollingUpdate.maxUnavailable`,
          maxUnavailable,
          'may not be 0 when `maxSurge` is 0',
        ),
      );
    }
  }
  if (progressDeadlineSeconds !== undefined && progressDeadlineSeconds <= minReadySeconds) {
    errors.push(
      invalidValue(`${path}.progressDeadlineSeconds`, progressDeadlineSeconds, 'must be greater than minReadySeconds'),
    );
  }
  return errors;
}

function isNothing(value: IntOrString | undefined): boolean {
  return value === 0 || value === '0%';
}

const PERCENT_MESSAGE =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

/** A count of at least 0 or a percentage up to 100. */
export const countOrPercentage: Rule = (value, path) => {
  if (typeof value === 'number') return atLeast(0)(value, path);
  const percent = percentOf(String(value));
  if (percent === undefined) {
    return [invalidValue(path, value, PERCENT_MESSAGE)];
  }
  return percent > 100 && !path.endsWith('maxSurge')
    ? [invalidValue(path, value, 'must not be greater than 100%')]
    : [];
};

function daemonSetErrors(spec: DaemonSetSpec, path: string): FieldError[] {
  const errors = selectingErrors(spec, path, 'daemonset');
  const { maxUnavailable, maxSurge } = spec.updateStrategy?.rollingUpdate ?? {};
  if (maxUnavailable !== undefined && isNothing(maxUnavailable) && isNothing(maxSurge)) {
    errors.push(
      invalidValue(
        `${path}.updateStrategy.rollingUpdate.maxUnavailable`,
        maxUnavailable,
        'cannot be 0 when maxSurge is 0',
      ),
    );
  }
  return errors;
}

function replicationControllerErrors(
  { selector = {}, template }: ReplicationControllerSpec,
  path: string,
): FieldError[] {
  const templateLabels = template?.metadata?.labels ?? {};
  const errors = alwaysRestarted(template, path);
  if (!matches({ matchLabels: selector }, templateLabels)) errors.push(unmatchedTemplate(template, path));
  return errors;
}

const JOB_RESTART_POLICIES = ['OnFailure', 'Never'];

function jobErrors(spec: JobSpec, path: string): FieldError[] {
  const errors = [...jobPolicyErrors(spec, path), ...jobFailureErrors(spec, path)];
  if (spec.completionMode !== 'Indexed' || spec.completions !== undefined) return errors;
  return [...errors, requiredValue(`${path}.completions`, 'when completion mode is Indexed')];
}

function jobPolicyErrors({ template }: JobSpec, path: string): FieldError[] {
  const policy = template?.spec?.restartPolicy;
  const at = `${path}.template.spec.restartPolicy`;
  if (policy === undefined || JOB_RESTART_POLICIES.includes(policy)) return [];
  // `Always` is what a template without a policy has got by default.
  if (policy === 'Always') return [requiredValue(at, 'valid values: "OnFailure", "Never"')];
  return [unsupportedValue(at, policy, JOB_RESTART_POLICIES)];
}

function cronJobErrors({ schedule, timeZone }: CronJobSpec, path: string): FieldError[] {
  const errors = timeZoneErrors(timeZone, `${path}.timeZone`);
  if (!schedule) return errors;
  const at = `${path}.schedule`;
  if (schedule.includes('TZ')) {
    const detail = 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
    return [...errors, invalidValue(at, schedule, detail)];
  }
  const problem = scheduleProblem(schedule);
  return problem === undefined ? errors : [...errors, invalidValue(at, schedule, problem)];
}

function timeZoneErrors(timeZone: string | undefined, path: string): FieldError[] {
  if (timeZone === undefined) return [];
  if (timeZone === '') return [invalidValue(path, timeZone, 'must be nil or non-empty string')];
  if (timeZone.toLowerCase() === 'local') {
    const detail = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones';
    return [invalidValue(path, timeZone, detail)];
  }
  return isTimeZone(timeZone) ? [] : [invalidValue(path, timeZone, `unknown time zone ${timeZone}`)];
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

const natural = atLeast(0);
const updateStrategy = oneOf('OnDelete', 'RollingUpdate');

function replicaSetErrors(spec: ReplicaSetSpec, path: string): FieldError[] {
  return selectingErrors(spec, path, 'deployment');
}

function statefulSetErrors(spec: StatefulSetSpec, path: string): FieldError[] {
  return selectingErrors(spec, path, 'statefulset');
}

export const WORKLOAD_RULES: Readonly<Record<string, TypeRules>> = {
  'apps.v1.DeploymentSpec': {
    fields: {
      replicas: natural,
      minReadySeconds: natural,
      revisionHistoryLimit: natural,
      progressDeadlineSeconds: natural,
    },
    object: deploymentErrors,
  },
  'apps.v1.DeploymentStrategy': { fields: { type: oneOf('Recreate', 'RollingUpdate') } },
  'apps.v1.RollingUpdateDeployment': { fields: { maxUnavailable: countOrPercentage, maxSurge: countOrPercentage } },
  'apps.v1.ReplicaSetSpec': { fields: { replicas: natural, minReadySeconds: natural }, object: replicaSetErrors },
  'core.v1.ReplicationControllerSpec': {
    fields: { replicas: natural, minReadySeconds: natural },
    object: replicationControllerErrors,
  },
  'apps.v1.DaemonSetSpec': {
    fields: { minReadySeconds: natural, revisionHistoryLimit: natural },
    object: daemonSetErrors,
  },
  'apps.v1.DaemonSetUpdateStrategy': { fields: { type: updateStrategy } },
  'apps.v1.RollingUpdateDaemonSet': { fields: { maxUnavailable: countOrPercentage, maxSurge: countOrPercentage } },
  'apps.v1.StatefulSetSpec': {
    fields: {
      replicas: natural,
      minReadySeconds: natural,
      revisionHistoryLimit: natural,
      podManagementPolicy: oneOf('OrderedReady', 'Parallel'),
    },
    object: statefulSetErrors,
  },
  'apps.v1.StatefulSetUpdateStrategy': { fields: { type: updateStrategy } },
  'apps.v1.RollingUpdateStatefulSetStrategy': { fields: { partition: natural } },
  'batch.v1.JobSpec': {
    fields: {
      activeDeadlineSeconds: natural,
      backoffLimit: natural,
      backoffLimitPerIndex: natural,
      completionMode: oneOf('Indexed', 'NonIndexed'),
      completions: natural,
      maxFailedIndexes: natural,
      parallelism: natural,
      ttlSecondsAfterFinished: natural,
    },
    object: jobErrors,
  },
  'batch.v1.CronJobSpec': {
    fields: {
      concurrencyPolicy: oneOf('Allow', 'Forbid', 'Replace'),
      failedJobsHistoryLimit: natural,
      startingDeadlineSeconds: natural,
      successfulJobsHistoryLimit: natural,
    },
    object: cronJobErrors,
  },
};
