/** Who answers for which subresource, and for the kinds that are never stored. */
import type { Bus } from '../../../../shared/bus/connection.ts';
import type { Authenticator } from '../../authentication/authentication.ts';
import type { ServiceAccountTokens } from '../../authentication/service-account-token.ts';
import type { Authorizer } from '../../authorization/authorizer.ts';
import type { ApiAnswer, ApiCall } from '../api-call.ts';
import type { RegistryContext } from '../registry-context.ts';
import {
  selfSubjectAccessReview,
  selfSubjectReview,
  selfSubjectRulesReview,
  subjectAccessReview,
  tokenReview,
} from './access-review.ts';
import { bind } from './binding.ts';
import { evict } from './eviction.ts';
import { finalizeNamespace } from './finalize.ts';
import { metricsHandlers } from './metrics.ts';
import { getPodPart, patchPodPart, updatePodPart } from './pod-part.ts';
import { getScale, patchScale, updateScale } from './scale.ts';
import { tokenRequestHandler } from './token-request.ts';

export type SubresourceHandler = (context: RegistryContext, call: ApiCall) => Promise<ApiAnswer>;

export interface HandlerSources {
  readonly bus: Bus;
  readonly authorizer: Authorizer;
  readonly authenticator: Authenticator;
  readonly tokens: ServiceAccountTokens;
}

/** Finds a call's handler; undefined when there is none. */
export type HandlerLookup = (call: ApiCall) => SubresourceHandler | undefined;

export function subresourceHandlers({ bus, authorizer, authenticator, tokens }: HandlerSources): HandlerLookup {
  const metrics = metricsHandlers(bus);
  const accessOfSubject = subjectAccessReview(authorizer);
  /** By `resource/subresource verb`, without the subresource for kinds that are not stored. */
  const handlers: Readonly<Record<string, SubresourceHandler>> = {
    'bindings create': bind,
    'localsubjectaccessreviews create': accessOfSubject,
    'namespaces/finalize update': finalizeNamespace,
    'nodes get': metrics.node,
    'nodes list': metrics.nodes,
    'pods/binding create': bind,
    'pods/ephemeralcontainers get': getPodPart,
    'pods/ephemeralcontainers patch': patchPodPart,
    'pods/ephemeralcontainers update': updatePodPart,
    'pods/eviction create': evict,
    'pods get': metrics.pod,
    'pods list': metrics.pods,
    'pods/resize get': getPodPart,
    'pods/resize patch': patchPodPart,
    'pods/resize update': updatePodPart,
    'selfsubjectaccessreviews create': selfSubjectAccessReview(authorizer),
    'selfsubjectreviews create': selfSubjectReview,
    'selfsubjectrulesreviews create': selfSubjectRulesReview(authorizer),
    'serviceaccounts/token create': tokenRequestHandler(tokens),
    'subjectaccessreviews create': accessOfSubject,
    'tokenreviews create': tokenReview(authenticator),
  };
  const scale: Readonly<Record<string, SubresourceHandler>> = { get: getScale, update: updateScale, patch: patchScale };
  return ({ definition, subresource, verb }) => {
    if (subresource?.name === 'scale') return scale[verb];
    const target = subresource === undefined ? definition.resource : `${definition.resource}/${subresource.name}`;
    return handlers[`${target} ${verb}`];
  };
}
