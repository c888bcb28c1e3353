/** Which pods a quota's scopes are about (Kubernetes "Resource Quotas", "Quota scopes"). Other kinds are in none. */
import type { Pod, PodSpec, ResourceQuota, ScopedResourceSelectorRequirement } from 'kubernetes-types/core/v1.js';

/** True for quotas without scopes. `pod` is undefined for objects of other kinds. */
export function isInScope({ spec }: ResourceQuota, pod: Pod | undefined): boolean {
  const requirements: readonly ScopedResourceSelectorRequirement[] = [
    ...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' })),
    ...(spec?.scopeSelector?.matchExpressions ?? []),
  ];
  return requirements.every((requirement) => pod !== undefined && meets(pod, requirement));
}

function meets(pod: Pod, { scopeName, operator, values = [] }: ScopedResourceSelectorRequirement): boolean {
  const spec: PodSpec = pod.spec ?? { containers: [] };
  const endsByItself = spec.activeDeadlineSeconds !== undefined;
  const isBestEffort = pod.status?.qosClass === 'BestEffort';
  switch (scopeName) {
    case 'Terminating':
      return endsByItself;
    case 'NotTerminating':
      return !endsByItself;
    case 'BestEffort':
      return isBestEffort;
    case 'NotBestEffort':
      return !isBestEffort;
    case 'CrossNamespacePodAffinity':
      return reachesOtherNamespaces(spec);
    case 'PriorityClass':
      return meetsOperator(spec.priorityClassName ?? '', operator, values);
    default:
      return false;
  }
}

function meetsOperator(priorityClass: string, operator: string, values: readonly string[]): boolean {
  switch (operator) {
    case 'In':
      return values.includes(priorityClass);
    case 'NotIn':
      return !values.includes(priorityClass);
    case 'Exists':
      return priorityClass !== '';
    default:
      return priorityClass === '';
  }
}

function reachesOtherNamespaces({ affinity }: PodSpec): boolean {
  const terms = [affinity?.podAffinity, affinity?.podAntiAffinity].flatMap((side) => [
    ...(side?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(side?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm),
  ]);
  return terms.some(
    ({ namespaces = [], namespaceSelector }) => namespaces.length > 0 || namespaceSelector !== undefined,
  );
}
