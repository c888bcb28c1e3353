/** `serviceaccounts/token`: a token that dies with the pod it is for (TokenRequest of authentication.k8s.io/v1). */
import type { TokenRequest } from 'kubernetes-types/authentication/v1.js';
import { applyDefaults } from '../../../../shared/api/defaults/defaults.ts';
import type { KubeObject } from '../../../../shared/api/object.ts';
import { PODS } from '../../../../shared/api/resources.ts';
import { decodeObject } from '../../../../shared/api/schema/decode.ts';
import { badRequest, conflict, invalid, notFound } from '../../../../shared/api/status.ts';
import { formatTimestamp } from '../../../../shared/api/timestamp.ts';
import type { BoundObject, ServiceAccountTokens } from '../../authentication/service-account-token.ts';
import type { ApiAnswer, ApiCall } from '../api-call.ts';
import type { RegistryContext } from '../registry-context.ts';
import type { SubresourceHandler } from './handlers.ts';

const SCHEMA = 'authentication.v1.TokenRequest';
const MIN_SECONDS = 600;
const MAX_SECONDS = 2 ** 32;
/** Clients that reload their token late still find the old one good for a while (the original extends likewise). */
const POD_TOKEN_SECONDS = 3607;
const EXTENDED_SECONDS = 365 * 24 * 3600;

export function tokenRequestHandler(tokens: ServiceAccountTokens): SubresourceHandler {
  return async (context: RegistryContext, call: ApiCall): Promise<ApiAnswer> => {
    const { definition, name = '', namespace = '' } = call;
    const account = context.storage.get(definition.storage, name, namespace);
    if (account === undefined) throw notFound(definition, name);
    const { object } = decodeObject(call.body?.value ?? {}, SCHEMA, { kind: 'TokenRequest', version: 'v1' });
    object.spec ??= {};
    applyDefaults(object, SCHEMA);
    // The decoder has checked the object against the TokenRequest type.
    const { spec } = object as unknown as TokenRequest;
    const seconds = checkedSeconds(spec.expirationSeconds ?? 3600);
    const boundTo = bound(context, spec.boundObjectRef, namespace, account);
    const nowMs = context.clock.nowMs();
    const expiresAt = Math.floor(nowMs / 1000) + (seconds === POD_TOKEN_SECONDS ? EXTENDED_SECONDS : seconds);
    const audiences = spec.audiences?.length ? spec.audiences : [tokens.issuer];
    const serviceAccount = { name, uid: account.metadata.uid ?? '' };
    const token = tokens.issue({ namespace, serviceAccount, audiences, expiresAt, ...(boundTo && { boundTo }) }, nowMs);
    const answer: KubeObject = {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { name, namespace, creationTimestamp: formatTimestamp(nowMs) },
      spec: { ...spec, audiences, expirationSeconds: seconds },
      status: { token, expirationTimestamp: formatTimestamp(nowMs + seconds * 1000) },
    };
    return { kind: 'object', code: 201, object: answer };
  };
}

function checkedSeconds(seconds: number): number {
  if (seconds >= MIN_SECONDS && seconds <= MAX_SECONDS) return seconds;
  const limit =
    seconds < MIN_SECONDS
      ? 'may not specify a duration less than 10 minutes'
      : 'may not specify a duration larger than 2^32 seconds';
  throw invalid({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', [
    { field: 'spec.expirationSeconds', reason: 'FieldValueInvalid', message: `Invalid value: ${seconds}: ${limit}` },
  ]);
}

/** Throws unless the pod is there, is the same one, and runs as this account. */
function bound(
  context: RegistryContext,
  reference: TokenRequest['spec']['boundObjectRef'],
  namespace: string,
  account: KubeObject,
): BoundObject | undefined {
  if (reference === undefined) return undefined;
  const { kind = '', name = '', uid } = reference;
  if (kind !== 'Pod') throw badRequest(`cannot bind token to object of type ${kind}: only Pod is known here`);
  const pod = context.storage.get(PODS, name, namespace);
  if (pod === undefined) throw notFound(PODS, name);
  if (uid && uid !== pod.metadata.uid) {
    throw conflict(
      PODS,
      name,
      `the UID in the bound object reference (${uid}) does not match the UID in record (${pod.metadata.uid})`,
    );
  }
  // The decoder has checked the pod when it was stored.
  const runsAs = (pod.spec as { serviceAccountName?: string } | undefined)?.serviceAccountName;
  if (runsAs !== account.metadata.name) {
    throw badRequest(
      `cannot bind token for serviceaccount "${account.metadata.name}" to pod running with different serviceaccount name.`,
    );
  }
  return { kind, name, uid: pod.metadata.uid ?? '' };
}
