/** Whether a user may do something (Kubernetes "Authorization"). One answer for HTTPS, the bus and the access reviews. */
import type { User } from '../authentication/user.ts';

export interface ResourceAttributes {
  readonly kind: 'resource';
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

export interface PathAttributes {
  readonly kind: 'path';
  readonly verb: string;
  readonly path: string;
}

export type AccessAttributes = ResourceAttributes | PathAttributes;

export interface AccessDecision {
  readonly allowed: boolean;
  readonly reason?: string;
}

export interface Authorizer {
  authorize(user: User, attributes: AccessAttributes): AccessDecision;
}

/** The original's `--authorization-mode=AlwaysAllow`. */
export const ALWAYS_ALLOW: Authorizer = {
  authorize: () => ({ allowed: true }),
};
