/**
 * GlobalNetworkPolicy, NetworkPolicy and Tier of projectcalico.org/v3 (docs.tigera.io/calico, "Global network policy", "Network
 * policy", "Tier").
 *
 *   tiers by order -> policies of the tier by order, then name -> rules as they stand: Allow, Deny, Pass; Log goes on
 *   no rule of a tier that selects the endpoint decides -> the tier's default action: Deny, or Pass to the next one
 *   past the last tier -> allowed, as the namespace's profile says
 *
 * Kubernetes' own policies stand in the tier `default` with order 1000, the cluster-wide ones of policy.networking.k8s.io in tiers
 * of their own.
 */
import type { ObjectMeta } from '../api/object.ts';
import { type CalicoCluster, EMPTY_CLUSTER } from './calico-cluster.ts';
import { expressionOf } from './calico-expression.ts';
import { type CalicoRule, type Direction, ruleOf } from './calico-rule.ts';
import { type PodExpression, type Policy, type PolicyRule, TIER_NAMESPACE } from './policy-rule.ts';

export interface CalicoTier {
  readonly metadata?: ObjectMeta;
  readonly spec?: { readonly order?: number; readonly defaultAction?: 'Deny' | 'Pass' };
}

export interface CalicoPolicyObject {
  readonly metadata?: ObjectMeta;
  readonly spec?: CalicoPolicySpec;
}

export interface CalicoPolicySpec {
  readonly tier?: string;
  readonly order?: number;
  readonly selector?: string;
  /** Of a GlobalNetworkPolicy. */
  readonly namespaceSelector?: string;
  readonly serviceAccountSelector?: string;
  readonly types?: readonly string[];
  readonly ingress?: readonly CalicoRule[];
  readonly egress?: readonly CalicoRule[];
}

/** Of Kubernetes' policies; their priority here is 0. */
const ORDER_OF_KUBERNETES = 1000;
const LAST = Number.MAX_SAFE_INTEGER;
const DEFAULT_TIER = 'default';
const NOBODY: PodExpression = { text: 'nobody', covers: () => false };

/** What a tier says of policies in it. */
interface TierPlace {
  readonly tier: number;
  readonly isolates: boolean;
}

/** The policies of all objects, lowest order first; those of a tier that is not there have no effect. */
export function calicoPoliciesOf(
  objects: readonly (CalicoPolicyObject & { readonly kind: string })[],
  tiers: readonly CalicoTier[],
  cluster: CalicoCluster = EMPTY_CLUSTER,
): Policy[] {
  const places = placesOf(tiers);
  const byName = [...objects].sort((a, b) => compare(a.metadata?.name ?? '', b.metadata?.name ?? ''));
  return byName.flatMap((object) => {
    const place = places.get(object.spec?.tier ?? DEFAULT_TIER);
    return place === undefined ? [] : [policyOf(object, place, cluster)];
  });
}

/** Tiers of one order follow each other by name, so each gets a number of its own. */
function placesOf(tiers: readonly CalicoTier[]): ReadonlyMap<string, TierPlace> {
  const sorted = tiers
    .filter(({ metadata }) => metadata?.name !== DEFAULT_TIER)
    .map(({ metadata, spec }) => ({ name: metadata?.name ?? '', order: spec?.order ?? LAST, spec }))
    .sort((a, b) => a.order - b.order || compare(a.name, b.name));
  const places = new Map<string, TierPlace>([[DEFAULT_TIER, { tier: TIER_NAMESPACE, isolates: true }]]);
  let last = Number.NEGATIVE_INFINITY;
  for (const { name, order, spec } of sorted) {
    last = order > last ? order : nextNumber(last);
    places.set(name, { tier: last, isolates: spec?.defaultAction !== 'Pass' });
  }
  return places;
}

function nextNumber(value: number): number {
  return value + Math.max(1, Math.abs(value)) * 2 * Number.EPSILON;
}

function policyOf(
  { kind, metadata, spec = {} }: CalicoPolicyObject & { readonly kind: string },
  place: TierPlace,
  cluster: CalicoCluster,
): Policy {
  const namespace = kind === 'NetworkPolicy' ? (metadata?.namespace ?? '') : undefined;
  const name = namespace === undefined ? metadata?.name : `${namespace}/${metadata?.name}`;
  const { selector, namespaceSelector, serviceAccountSelector } = spec;
  const serviceAccounts = serviceAccountSelector === undefined ? undefined : { selector: serviceAccountSelector };
  const expression = expressionOf({ selector, namespaceSelector, serviceAccounts }, cluster) ?? NOBODY;
  const types = typesOf(spec);
  const rules = (list: readonly CalicoRule[] = [], direction: Direction): PolicyRule[] =>
    list.map((rule) => ruleOf(rule, direction, { namespace, cluster }));
  return {
    title: `calico ${kind} ${name}`,
    tier: place.tier,
    priority: (spec.order ?? LAST) - ORDER_OF_KUBERNETES,
    subject: { ...(namespace === undefined ? {} : { namespace }), expression },
    ingress: types.has('Ingress') ? rules(spec.ingress, 'ingress') : null,
    egress: types.has('Egress') ? rules(spec.egress, 'egress') : null,
    isolates: place.isolates,
  };
}

/** Where they are not named: Egress when there are egress rules alone, else Ingress, and both when there are both. */
function typesOf({ types = [], ingress = [], egress = [] }: CalicoPolicySpec): ReadonlySet<string> {
  if (types.length > 0) return new Set(types);
  const implied = [
    ...(ingress.length > 0 || egress.length === 0 ? ['Ingress'] : []),
    ...(egress.length > 0 ? ['Egress'] : []),
  ];
  return new Set(implied);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
