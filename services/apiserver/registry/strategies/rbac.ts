/**
 * Nobody gives what they do not have: who writes a role needs all that it allows (or the verb `escalate`), who binds one
 * too (or the verb `bind`) (Kubernetes "Privilege escalation prevention and bootstrapping").
 */
import type { KubeObject } from '../../../../shared/api/object.ts';
import type { ResourceRef } from '../../../../shared/api/resource.ts';
import { CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES } from '../../../../shared/api/resources.ts';
import { forbidden, notFound } from '../../../../shared/api/status.ts';
import type { User } from '../../authentication/user.ts';
import type { PolicyRule } from '../../authorization/authorizer.ts';
import { type RbacAuthorizer, roleReference } from '../../authorization/rbac.ts';
import { rulesOf, ruleText, uncovered } from '../../authorization/rbac-rule.ts';
import type { Strategy, WriteContext } from '../strategy.ts';

type Check = (object: KubeObject, context: WriteContext) => void;

/** By `group/resource`. */
export function rbacStrategies(rbac: RbacAuthorizer): Record<string, Strategy> {
  const roles = [ROLES, CLUSTERROLES].map((resource) => [keyOf(resource), roleStrategy(rbac, resource)]);
  const bindings = [ROLEBINDINGS, CLUSTERROLEBINDINGS].map((resource) => [
    keyOf(resource),
    bindingStrategy(rbac, resource),
  ]);
  return Object.fromEntries([...roles, ...bindings]);
}

function keyOf({ group, resource }: ResourceRef): string {
  return `${group}/${resource}`;
}

function roleStrategy(rbac: RbacAuthorizer, resource: ResourceRef): Strategy {
  const check: Check = (object, { user }) => {
    const { name = '', namespace } = object.metadata;
    if (mayDo(rbac, user, 'escalate', resource, name, namespace)) return;
    checkCovered(rbac, user, rulesOf(object), resource, name, namespace);
  };
  return checking(check);
}

function bindingStrategy(rbac: RbacAuthorizer, resource: ResourceRef): Strategy {
  const check: Check = (object, { user }) => {
    const reference = roleReference(object);
    // Validation says what is wrong with it.
    if (reference === undefined) return;
    const { name = '', namespace } = object.metadata;
    const role = reference.kind === 'Role' ? ROLES : CLUSTERROLES;
    if (mayDo(rbac, user, 'bind', role, reference.name, namespace)) return;
    const rules = rbac.rulesOfReference(reference, namespace);
    if (rules === undefined) throw notFound(role, reference.name);
    checkCovered(rbac, user, rules, resource, name, namespace);
  };
  return checking(check);
}

/** Components are not asked: the bus let them in with all rights. */
function checking(check: Check): Strategy {
  const unlessTrusted: Check = (object, context) => {
    if (context.origin === 'client') check(object, context);
  };
  return {
    async create(object, context) {
      unlessTrusted(object, context);
      return undefined;
    },
    async update(object, _old, context) {
      unlessTrusted(object, context);
      return undefined;
    },
  };
}

function mayDo(
  rbac: RbacAuthorizer,
  user: User,
  verb: string,
  { group, version, resource }: ResourceRef,
  name: string,
  namespace: string | undefined,
): boolean {
  return rbac.authorize(user, {
    kind: 'resource',
    verb,
    group,
    version,
    resource,
    subresource: undefined,
    namespace,
    name,
  }).allowed;
}

function checkCovered(
  rbac: RbacAuthorizer,
  user: User,
  rules: readonly PolicyRule[],
  resource: ResourceRef,
  name: string,
  namespace: string | undefined,
): void {
  const missing = uncovered(rbac.rulesFor(user, namespace), rules);
  if (missing.length === 0) return;
  const who = `user ${JSON.stringify(user.name)} (groups=${JSON.stringify(user.groups)})`;
  const list = missing.map(ruleText).join('\n');
  throw forbidden(resource, name, `${who} is attempting to grant RBAC permissions not currently held:\n${list}`);
}
