/**
 * What a Job's podFailurePolicy says of a failed pod: the first rule that matches decides (Kubernetes documentation, "Pod failure
 * policy"). Without one, a failure counts towards the back-off limit.
 */
import type {
  JobSpec,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyRule,
} from 'kubernetes-types/batch/v1.js';
import type { ContainerStatus, Pod } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../../shared/api/live.ts';

export type FailureVerdict =
  | { readonly action: 'Count' | 'FailIndex' | 'Ignore' }
  | { readonly action: 'FailJob'; readonly message: string };

const COUNTS: FailureVerdict = { action: 'Count' };

export function failureVerdict({ podFailurePolicy }: JobSpec, pod: Live<Pod>): FailureVerdict {
  for (const [index, rule] of (podFailurePolicy?.rules ?? []).entries()) {
    const cause = causeOf(rule, pod);
    if (cause === undefined) continue;
    if (rule.action === 'Ignore' || rule.action === 'FailIndex') return { action: rule.action };
    if (rule.action !== 'FailJob') return COUNTS;
    return { action: 'FailJob', message: `${cause} matching FailJob rule at index ${index}` };
  }
  return COUNTS;
}

/** What of the pod the rule means; undefined when it means another. */
function causeOf({ onExitCodes, onPodConditions = [] }: PodFailurePolicyRule, pod: Live<Pod>): string | undefined {
  const { namespace, name } = pod.metadata;
  if (onExitCodes !== undefined) {
    const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
    const found = [...containerStatuses, ...initContainerStatuses].find((status) => isMeant(onExitCodes, status));
    if (found === undefined) return undefined;
    const exitCode = found.state?.terminated?.exitCode;
    return `Container ${found.name} for pod ${namespace}/${name} failed with exit code ${exitCode}`;
  }
  const conditions = pod.status?.conditions ?? [];
  const matched = onPodConditions.find((pattern) =>
    conditions.some(({ type, status }) => type === pattern.type && status === pattern.status),
  );
  return matched === undefined ? undefined : `Pod ${namespace}/${name} has condition ${matched.type}`;
}

function isMeant(
  { containerName, operator, values }: PodFailurePolicyOnExitCodesRequirement,
  { name, state }: ContainerStatus,
): boolean {
  const exitCode = state?.terminated?.exitCode ?? 0;
  if (exitCode === 0 || (containerName !== undefined && containerName !== name)) return false;
  return values.includes(exitCode) === (operator === 'In');
}
