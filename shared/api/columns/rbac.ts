/** Tables of role bindings. */
import type { RoleBinding } from 'kubernetes-types/rbac/v1.js';
import { ageText } from './cell-text.ts';
import { AGE_COLUMN, NAME_COLUMN, type Printer, text, wide } from './printer.ts';

/** Of RoleBindings and ClusterRoleBindings alike. */
export const ROLE_BINDING_PRINTER: Printer<RoleBinding> = {
  columns: [NAME_COLUMN, text('Role'), AGE_COLUMN, wide('Users'), wide('Groups'), wide('ServiceAccounts')],
  cells: ({ metadata, roleRef, subjects = [] }, nowMs) => {
    const named = (kind: string): string =>
      subjects
        .filter((subject) => subject.kind === kind)
        .map(({ namespace, name }) => (kind === 'ServiceAccount' ? `${namespace ?? ''}/${name}` : name))
        .join(', ');
    return [
      metadata?.name ?? '',
      `${roleRef?.kind}/${roleRef?.name}`,
      ageText(metadata?.creationTimestamp, nowMs),
      named('User'),
      named('Group'),
      named('ServiceAccount'),
    ];
  },
};
