/**
 * Role-based access: a user may do what a rule allows, of a role that a binding gives to the user or to a group of theirs.
 * ClusterRoleBindings hold everywhere, RoleBindings in their namespace (Kubernetes "Using RBAC Authorization").
 */
import { isJsonObject, type KubeObject } from '../../../shared/api/object.ts';
import { CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES } from '../../../shared/api/resources.ts';
import { MASTERS, type User } from '../authentication/user.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';
import {
  type AccessAttributes,
  type AccessDecision,
  ALLOWED,
  type Authorizer,
  EVERYTHING,
  type PolicyRule,
} from './authorizer.ts';
import { ruleAllows, rulesOf } from './rbac-rule.ts';

export interface RoleReference {
  readonly kind: string;
  readonly name: string;
}

/** A binding that holds for a user, with its role. */
interface Grant {
  readonly binding: KubeObject;
  readonly subject: string;
  readonly reference: RoleReference;
  readonly role: KubeObject | undefined;
}

export class RbacAuthorizer implements Authorizer {
  private readonly storage: Pick<ObjectStorage, 'of' | 'get'>;

  constructor(storage: Pick<ObjectStorage, 'of' | 'get'>) {
    this.storage = storage;
  }

  authorize(user: User, attributes: AccessAttributes): AccessDecision {
    if (user.groups.includes(MASTERS)) return ALLOWED;
    const namespace = attributes.kind === 'resource' ? attributes.namespace : undefined;
    const missing: string[] = [];
    for (const grant of this.grants(user, namespace)) {
      if (grant.role === undefined) missing.push(missingText(grant.reference));
      if (rulesOf(grant.role).some((rule) => ruleAllows(rule, attributes))) {
        return { allowed: true, reason: `RBAC: allowed by ${grantText(grant)}` };
      }
    }
    return missing.length === 0 ? { allowed: false } : { allowed: false, reason: `RBAC: ${missing.join(', ')}` };
  }

  rulesFor(user: User, namespace: string | undefined): readonly PolicyRule[] {
    if (user.groups.includes(MASTERS)) return EVERYTHING;
    return [...this.grants(user, namespace)].flatMap(({ role }) => rulesOf(role));
  }

  /** The rules of the role that a binding in this namespace (or of the whole cluster) names; undefined when it is not there. */
  rulesOfReference(reference: RoleReference, namespace: string | undefined): readonly PolicyRule[] | undefined {
    const role = this.role(reference, namespace);
    return role === undefined ? undefined : rulesOf(role);
  }

  private *grants(user: User, namespace: string | undefined): Generator<Grant> {
    yield* this.grantsOf(this.storage.of(CLUSTERROLEBINDINGS).values(), user, undefined);
    if (namespace === undefined) return;
    for (const entry of this.storage.of(ROLEBINDINGS).values()) {
      if (entry.object.metadata.namespace === namespace) yield* this.grantsOf([entry], user, namespace);
    }
  }

  private *grantsOf(
    bindings: Iterable<{ readonly object: KubeObject }>,
    user: User,
    namespace: string | undefined,
  ): Generator<Grant> {
    for (const { object: binding } of bindings) {
      const subject = subjectOf(binding, user, namespace);
      const reference = roleReference(binding);
      if (subject === undefined || reference === undefined) continue;
      yield { binding, subject, reference, role: this.role(reference, namespace) };
    }
  }

  private role({ kind, name }: RoleReference, namespace: string | undefined): KubeObject | undefined {
    return kind === 'Role' ? this.storage.get(ROLES, name, namespace) : this.storage.get(CLUSTERROLES, name);
  }
}

export function roleReference(binding: KubeObject): RoleReference | undefined {
  const { roleRef } = binding;
  if (!isJsonObject(roleRef) || typeof roleRef.kind !== 'string' || typeof roleRef.name !== 'string') return undefined;
  return { kind: roleRef.kind, name: roleRef.name };
}

/** The first subject that is the user: `User "jane"`. */
function subjectOf(binding: KubeObject, user: User, namespace: string | undefined): string | undefined {
  for (const subject of Array.isArray(binding.subjects) ? binding.subjects : []) {
    if (!isJsonObject(subject) || typeof subject.name !== 'string') continue;
    const { kind, name } = subject;
    if (kind === 'User' && name === user.name) return `User "${name}"`;
    if (kind === 'Group' && user.groups.includes(name)) return `Group "${name}"`;
    const home = typeof subject.namespace === 'string' && subject.namespace !== '' ? subject.namespace : namespace;
    if (kind === 'ServiceAccount' && user.name === `system:serviceaccount:${home}:${name}`) {
      return `ServiceAccount "${name}/${home}"`;
    }
  }
  return undefined;
}

function grantText({ binding, subject, reference }: Grant): string {
  const { name, namespace } = binding.metadata;
  const place = namespace === undefined ? `ClusterRoleBinding "${name}"` : `RoleBinding "${name}/${namespace}"`;
  return `${place} of ${reference.kind} "${reference.name}" to ${subject}`;
}

function missingText({ kind, name }: RoleReference): string {
  return `${kind.toLowerCase()}.rbac.authorization.k8s.io "${name}" not found`;
}
