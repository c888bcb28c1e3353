/**
 * Says of cilium's policies whether they are valid, as its operator does: `kubectl get cnp` prints it. The schema refused what
 * it can tell; here it is the expressions, which a schema cannot: they are Go's, and Envoy's.
 */
import { RE2JS, RE2JSException } from 're2js';
import type { Live } from '../../../shared/api/live.ts';
import { fieldAt, isJsonObject, type KubeObject } from '../../../shared/api/object.ts';
import type { ResourceRef } from '../../../shared/api/resource.ts';
import { formatTimestamp } from '../../../shared/api/timestamp.ts';
import { NOTHING, type Outcome } from '../action.ts';
import { type Controller, keyOf, keysFrom, splitKey } from '../controller.ts';
import type { Informers } from '../informers.ts';

interface CiliumPolicy extends KubeObject {
  readonly spec?: unknown;
  readonly specs?: unknown;
  readonly status?: { readonly conditions?: readonly Condition[] };
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly message?: string;
}

export interface CiliumPolicyState {
  readonly policy: Live<CiliumPolicy>;
  readonly resource: ResourceRef;
}

/** Of HTTP rules. */
const EXPRESSIONS = ['method', 'path', 'host'];

export function ciliumPolicyValidation(informers: Informers, resource: ResourceRef): Controller<CiliumPolicyState> {
  const policies = informers.of<Live<CiliumPolicy>>(resource);
  return {
    name: `${resource.kind.toLowerCase()}-validation`,
    sources: [keysFrom(policies, (policy) => [keyOf(policy)])],
    gather(key) {
      const { namespace, name } = splitKey(key);
      const policy = policies.get(name, namespace === '' ? undefined : namespace);
      return policy === undefined ? undefined : { policy, resource };
    },
    reconcile: reconcileCiliumPolicy,
  };
}

export function reconcileCiliumPolicy({ policy, resource }: CiliumPolicyState, nowMs: number): Outcome {
  const fault = faultOf([policy.spec, policy.specs]);
  const [status, message] = fault === undefined ? ['True', 'Policy validation succeeded'] : ['False', fault];
  const said = policy.status?.conditions?.find(({ type }) => type === 'Valid');
  if (said?.status === status && said.message === message) return NOTHING;
  const { name, namespace } = policy.metadata;
  const condition = { type: 'Valid', status, message, lastTransitionTime: formatTimestamp(nowMs) };
  const body = { status: { conditions: [condition] } };
  return { actions: [{ kind: 'patch', resource, name, namespace, type: 'merge', subresource: 'status', body }] };
}

/** The first expression of an HTTP rule that is none. */
function faultOf(value: unknown): string | undefined {
  if (Array.isArray(value)) return first(value, faultOf);
  if (!isJsonObject(value)) return undefined;
  const http = fieldAt(value, 'rules', 'http');
  if (Array.isArray(http)) return first(http, httpFault);
  return first(Object.values(value), faultOf);
}

function httpFault(rule: unknown): string | undefined {
  return first(EXPRESSIONS, (field) => {
    const text = isJsonObject(rule) ? rule[field] : undefined;
    if (typeof text !== 'string') return undefined;
    try {
      RE2JS.compile(text);
      return undefined;
    } catch (error) {
      if (!(error instanceof RE2JSException)) throw error;
      return `invalid ${field} "${text}": ${error.message}`;
    }
  });
}

function first<Value>(values: readonly Value[], find: (value: Value) => string | undefined): string | undefined {
  for (const value of values) {
    const found = find(value);
    if (found !== undefined) return found;
  }
  return undefined;
}
