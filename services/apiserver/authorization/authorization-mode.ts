/** `--authorization-mode`: who decides what a client may do. */
import type { AuthorizationMode } from '../../../shared/runtime/config.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';
import { ALWAYS_ALLOW, type Authorizer } from './authorizer.ts';
import { RbacAuthorizer } from './rbac.ts';

export interface Authorization {
  readonly authorizer: Authorizer;
  /** Absent when everything is allowed. */
  readonly rbac: RbacAuthorizer | undefined;
}

export function authorizationFor(mode: AuthorizationMode, storage: ObjectStorage): Authorization {
  if (mode === 'AlwaysAllow') return { authorizer: ALWAYS_ALLOW, rbac: undefined };
  const rbac = new RbacAuthorizer(storage);
  return { authorizer: rbac, rbac };
}
