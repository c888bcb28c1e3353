/** Defaults of rbac.authorization.k8s.io kinds. */
import type { RoleBinding } from 'kubernetes-types/rbac/v1.js';

const RBAC_GROUP = 'rbac.authorization.k8s.io';

/** Of RoleBindings and ClusterRoleBindings alike. */
export function defaultRoleBinding(binding: RoleBinding): void {
  if (binding.roleRef !== undefined && !binding.roleRef.apiGroup) binding.roleRef.apiGroup = RBAC_GROUP;
  for (const subject of binding.subjects ?? []) {
    if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup ??= RBAC_GROUP;
  }
}
