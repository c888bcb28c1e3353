/** Who asks: what authentication found out (Kubernetes "Authenticating"). */
export interface User {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export const AUTHENTICATED = 'system:authenticated';
export const MASTERS = 'system:masters';

/** Components reach the apiserver over the bus, which has let them in by its own credentials. */
export function componentUser(name: string): User {
  const groups = name.startsWith('system:node:') ? ['system:nodes'] : [];
  return { name, groups: [...groups, AUTHENTICATED] };
}

/** `system:serviceaccount:<namespace>:<name>`. */
export function serviceAccountUser(namespace: string, name: string, uid: string): User {
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, AUTHENTICATED],
  };
}
