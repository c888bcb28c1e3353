/** The reviews of authorization.k8s.io and authentication.k8s.io: questions that are answered and not stored. */
import { fieldAt, isJsonObject, type KubeObject } from '../../../../shared/api/object.ts';
import { badRequest } from '../../../../shared/api/status.ts';
import { formatTimestamp } from '../../../../shared/api/timestamp.ts';
import type { Authenticator } from '../../authentication/authentication.ts';
import type { User } from '../../authentication/user.ts';
import type { AccessAttributes, Authorizer } from '../../authorization/authorizer.ts';
import type { ApiAnswer, ApiCall } from '../api-call.ts';
import type { RegistryContext } from '../registry-context.ts';
import type { SubresourceHandler } from './handlers.ts';

/** SelfSubjectAccessReview: "may I?" */
export function selfSubjectAccessReview(authorizer: Authorizer): SubresourceHandler {
  return async (_context, call) => decide(authorizer, call, call.user);
}

/** SubjectAccessReview and LocalSubjectAccessReview: "may they?" */
export function subjectAccessReview(authorizer: Authorizer): SubresourceHandler {
  return async (_context, call) => {
    const spec = fieldAt(call.body?.value, 'spec');
    const name = text(fieldAt(spec, 'user'));
    const groups = fieldAt(spec, 'groups');
    if (name === undefined && !Array.isArray(groups))
      throw badRequest('spec.user or spec.groups must say whose access is asked for');
    return decide(authorizer, call, { name: name ?? '', groups: Array.isArray(groups) ? groups.map(String) : [] });
  };
}

function decide(authorizer: Authorizer, call: ApiCall, user: User): ApiAnswer {
  const decision = authorizer.authorize(user, attributes(call));
  return answer(call, {
    allowed: decision.allowed,
    ...(decision.reason === undefined ? {} : { reason: decision.reason }),
  });
}

function attributes(call: ApiCall): AccessAttributes {
  const spec = fieldAt(call.body?.value, 'spec');
  const path = fieldAt(spec, 'nonResourceAttributes');
  if (isJsonObject(path)) return { kind: 'path', verb: text(path.verb) ?? '', path: text(path.path) ?? '' };
  const resource = fieldAt(spec, 'resourceAttributes');
  if (!isJsonObject(resource)) throw badRequest('spec.resourceAttributes or spec.nonResourceAttributes must be given');
  return {
    kind: 'resource',
    verb: text(resource.verb) ?? '',
    group: text(resource.group) ?? '',
    version: text(resource.version) ?? '',
    resource: text(resource.resource) ?? '',
    subresource: text(resource.subresource),
    namespace: text(resource.namespace) ?? call.namespace,
    name: text(resource.name),
  };
}

/** SelfSubjectRulesReview: "what may I?" */
export function selfSubjectRulesReview(authorizer: Authorizer): SubresourceHandler {
  return async (_context, call) => {
    const rules = authorizer.rulesFor(call.user, text(fieldAt(call.body?.value, 'spec', 'namespace')));
    const onPaths = rules.filter(({ nonResourceURLs }) => nonResourceURLs !== undefined);
    return answer(call, {
      resourceRules: rules.filter((rule) => !onPaths.includes(rule)),
      nonResourceRules: onPaths,
      incomplete: false,
    });
  };
}

/** SelfSubjectReview: "who am I?" */
export const selfSubjectReview: SubresourceHandler = async (context, call) => ({
  kind: 'object',
  code: 201,
  object: {
    kind: 'SelfSubjectReview',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { creationTimestamp: formatTimestamp(context.clock.nowMs()) },
    status: { userInfo: userInfo(call.user) },
  },
});

/** TokenReview: "whose token is this?" */
export function tokenReview(authenticator: Pick<Authenticator, 'authenticateToken'>): SubresourceHandler {
  return async (context: RegistryContext, call: ApiCall) => {
    const token = text(fieldAt(call.body?.value, 'spec', 'token'));
    if (token === undefined) throw badRequest('spec.token must be given');
    const user = authenticator.authenticateToken(token, context.clock.nowMs());
    return answer(call, user === undefined ? { authenticated: false } : { authenticated: true, user: userInfo(user) });
  };
}

function userInfo({ name, uid, groups, extra }: User) {
  return {
    username: name,
    ...(uid === undefined ? {} : { uid }),
    groups,
    ...(extra === undefined ? {} : { extra }),
  };
}

function answer(call: ApiCall, status: Record<string, unknown>): ApiAnswer {
  const { group, version, kind } = call.definition;
  const spec = fieldAt(call.body?.value, 'spec');
  const object: KubeObject = { kind, apiVersion: `${group}/${version}`, metadata: {}, spec, status };
  return { kind: 'object', code: 201, object };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
