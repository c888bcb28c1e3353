/** What the rules of roles must say (Kubernetes API reference, rbac.authorization.k8s.io/v1). */
import type { ClusterRole, PolicyRule, Role } from 'kubernetes-types/rbac/v1.js';
import type { FieldError } from '../status.ts';
import { invalidValue, requiredValue } from './field-error.ts';
import type { TypeRules } from './rule.ts';

function ruleErrors(rule: PolicyRule, path: string): FieldError[] {
  const { nonResourceURLs = [], apiGroups = [], resources = [], resourceNames = [] } = rule;
  if (nonResourceURLs.length > 0) {
    const mixed = apiGroups.length > 0 || resources.length > 0 || resourceNames.length > 0;
    const detail = 'rules cannot apply to both regular resources and non-resource URLs';
    return mixed ? [invalidValue(`${path}.nonResourceURLs`, nonResourceURLs, detail)] : [];
  }
  return [
    ...(apiGroups.length > 0
      ? []
      : [requiredValue(`${path}.apiGroups`, 'resource rules must supply at least one api group')]),
    ...(resources.length > 0
      ? []
      : [requiredValue(`${path}.resources`, 'resource rules must supply at least one resource')]),
  ];
}

function clusterRoleErrors({ rules }: ClusterRole): FieldError[] {
  return (rules ?? []).flatMap((rule, i) => ruleErrors(rule, `rules[${i}]`));
}

function roleErrors({ rules }: Role): FieldError[] {
  return (rules ?? []).flatMap((rule, i) => {
    const path = `rules[${i}]`;
    const { nonResourceURLs = [] } = rule;
    if (nonResourceURLs.length === 0) return ruleErrors(rule, path);
    const detail = 'namespaced rules cannot apply to non-resource URLs';
    return [invalidValue(`${path}.nonResourceURLs`, nonResourceURLs, detail)];
  });
}

export const RBAC_RULES: Readonly<Record<string, TypeRules>> = {
  'rbac.v1.ClusterRole': { object: clusterRoleErrors },
  'rbac.v1.Role': { object: roleErrors },
};
