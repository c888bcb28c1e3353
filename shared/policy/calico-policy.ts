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
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { type CalicoSelector, type LabelLookup, parseCalicoSelector, SelectorSyntaxError } from './calico-selector.ts';
import { type CalicoNetworkSet, type EntitySelectors, netsOf } from './network-set.ts';
import type { PolicyPod } from './policy-pod.ts';
import {
  type PodExpression,
  type PodScope,
  type Policy,
  type PolicyRule,
  type RulePeer,
  type RulePort,
  TIER_NAMESPACE,
} from './policy-rule.ts';
import { PROTOCOL_SCTP } from './port-verdicts.ts';

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
  readonly types?: readonly string[];
  readonly ingress?: readonly CalicoRule[];
  readonly egress?: readonly CalicoRule[];
}

export interface CalicoRule {
  readonly action?: 'Allow' | 'Deny' | 'Log' | 'Pass';
  readonly ipVersion?: number;
  readonly protocol?: string | number;
  readonly icmp?: { readonly type?: number; readonly code?: number };
  readonly source?: CalicoEntity;
  readonly destination?: CalicoEntity;
}

export interface CalicoEntity {
  readonly nets?: readonly string[];
  readonly notNets?: readonly string[];
  readonly selector?: string;
  readonly notSelector?: string;
  readonly namespaceSelector?: string;
  readonly serviceAccounts?: { readonly names?: readonly string[] };
  readonly ports?: readonly (number | string)[];
  /** Numbers and ranges. */
  readonly notPorts?: readonly (number | string)[];
}

/** Of Kubernetes' policies; their priority here is 0. */
const ORDER_OF_KUBERNETES = 1000;
const LAST = Number.MAX_SAFE_INTEGER;
const MAX_PORT = 65_535;
const PROTOCOLS: Readonly<Record<string, number>> = {
  TCP: ipv4.PROTOCOL_TCP,
  UDP: ipv4.PROTOCOL_UDP,
  SCTP: PROTOCOL_SCTP,
  ICMP: ipv4.PROTOCOL_ICMP,
  ICMPv6: ipv6.PROTOCOL_ICMPV6,
  UDPLite: 136,
};
const DEFAULT_TIER = 'default';
const NAMESPACE_LABEL = 'projectcalico.org/namespace';
const ORCHESTRATOR_LABEL = 'projectcalico.org/orchestrator';
const ACCOUNT_LABEL = 'projectcalico.org/serviceaccount';
const NAMESPACE_NAME_LABEL = 'projectcalico.org/name';
/** Labels of the namespace among those of the pod. */
const NAMESPACE_PREFIX = 'pcns.';
const NEVER: PolicyRule = { action: 'pass', peers: [], ports: null };

/** What a tier says of policies in it. */
interface TierPlace {
  readonly tier: number;
  readonly isolates: boolean;
}

/** The policies of all objects, lowest order first; those of a tier that is not there have no effect. */
export function calicoPoliciesOf(
  objects: readonly (CalicoPolicyObject & { readonly kind: string })[],
  tiers: readonly CalicoTier[],
  sets: readonly CalicoNetworkSet[] = [],
): Policy[] {
  const places = placesOf(tiers);
  const byName = [...objects].sort((a, b) => compare(a.metadata?.name ?? '', b.metadata?.name ?? ''));
  return byName.flatMap((object) => {
    const place = places.get(object.spec?.tier ?? DEFAULT_TIER);
    return place === undefined ? [] : [policyOf(object, place, sets)];
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
  sets: readonly CalicoNetworkSet[],
): Policy {
  const namespace = kind === 'NetworkPolicy' ? (metadata?.namespace ?? '') : undefined;
  const name = namespace === undefined ? metadata?.name : `${namespace}/${metadata?.name}`;
  const types = typesOf(spec);
  const rules = (list: readonly CalicoRule[] = [], direction: Direction): PolicyRule[] =>
    list.map((rule) => ruleOf(rule, direction, { namespace, sets }));
  return {
    title: `calico ${kind} ${name}`,
    tier: place.tier,
    priority: (spec.order ?? LAST) - ORDER_OF_KUBERNETES,
    subject: {
      ...(namespace === undefined ? {} : { namespace }),
      expression: expressionOf({ selector: spec.selector, namespaceSelector: spec.namespaceSelector }) ?? NOBODY,
    },
    ingress: types.has('Ingress') ? rules(spec.ingress, 'ingress') : null,
    egress: types.has('Egress') ? rules(spec.egress, 'egress') : null,
    isolates: place.isolates,
  };
}

type Direction = 'ingress' | 'egress';

/** Where they are not named: Egress when there are egress rules alone, else Ingress, and both when there are both. */
function typesOf({ types = [], ingress = [], egress = [] }: CalicoPolicySpec): ReadonlySet<string> {
  if (types.length > 0) return new Set(types);
  const implied = [
    ...(ingress.length > 0 || egress.length === 0 ? ['Ingress'] : []),
    ...(egress.length > 0 ? ['Egress'] : []),
  ];
  return new Set(implied);
}

interface RulePlace {
  /** Of a policy that has one. */
  readonly namespace: string | undefined;
  readonly sets: readonly CalicoNetworkSet[];
}

/** What cannot be read fails closed: nobody is allowed by it, and everybody denied. */
function ruleOf(rule: CalicoRule, direction: Direction, place: RulePlace): PolicyRule {
  if (rule.action === 'Log' || rule.ipVersion === 6) return NEVER;
  const action = rule.action === 'Deny' ? 'deny' : rule.action === 'Pass' ? 'pass' : 'allow';
  const peer = (direction === 'ingress' ? rule.source : rule.destination) ?? {};
  const peers = peersOf(peer, place);
  const ports = portsOf(rule);
  if (ports === undefined) return action === 'deny' ? { action, peers: peers ?? null, ports: null } : NEVER;
  if (peers !== undefined) return { action, peers, ports };
  return action === 'deny' ? { action, peers: null, ports } : { action, peers: [], ports };
}

/** null: everybody; undefined: a selector that is none. */
function peersOf(peer: CalicoEntity, { namespace, sets }: RulePlace): readonly RulePeer[] | null | undefined {
  const { nets, notNets, selector, namespaceSelector, serviceAccounts } = peer;
  if (selector !== undefined || namespaceSelector !== undefined || serviceAccounts !== undefined) {
    const expression = expressionOf(peer, serviceAccounts?.names);
    if (expression === undefined) return undefined;
    const isOwn = namespace !== undefined && namespaceSelector === undefined;
    const pods: PodScope = isOwn ? { namespace, expression } : { expression };
    // What has a service account is a pod.
    const nets = serviceAccounts === undefined ? netsOf(sets, peer, namespace) : [];
    const blocks = nets.map((cidr) => ({ block: { cidr, except: [] } }));
    return [{ pods }, ...blocks];
  }
  if (nets === undefined && notNets === undefined) return null;
  return (nets ?? ['0.0.0.0/0', '::/0']).map((cidr) => ({ block: { cidr, except: notNets ?? [] } }));
}

/** `accounts`: names of service accounts; undefined or none: all. Undefined where a selector cannot be read. */
function expressionOf(
  { selector = '', notSelector, namespaceSelector = '' }: EntitySelectors,
  accounts: readonly string[] = [],
): PodExpression | undefined {
  try {
    const wanted = parseCalicoSelector(selector);
    const unwanted = notSelector === undefined ? undefined : parseCalicoSelector(notSelector);
    const ofNamespace = parseCalicoSelector(namespaceSelector);
    const isOfAccount = ({ serviceAccount = '' }: PolicyPod) =>
      accounts.length === 0 || accounts.includes(serviceAccount);
    return {
      text: `${selector} | ${notSelector ?? ''} | ${namespaceSelector} | ${accounts.join(' ')}`,
      covers: (pod, namespaceLabels) => {
        const labels = endpointLabels(pod, namespaceLabels);
        return (
          wanted.matches(labels) &&
          !unwanted?.matches(labels) &&
          isOfAccount(pod) &&
          isWithin(ofNamespace, pod, namespaceLabels)
        );
      },
    };
  } catch (error) {
    if (error instanceof SelectorSyntaxError) return undefined;
    throw error;
  }
}

function isWithin(selector: CalicoSelector, { namespace }: PolicyPod, labels: Labels | undefined): boolean {
  return selector.matches((key) => (key === NAMESPACE_NAME_LABEL ? namespace : labels?.[key]));
}

type Labels = Readonly<Record<string, string>>;

/** Of the pod, those that calico adds, and its namespace's under a prefix. */
function endpointLabels(
  { labels, namespace, serviceAccount }: PolicyPod,
  namespaceLabels: Labels | undefined,
): LabelLookup {
  return (key) => {
    if (key === NAMESPACE_LABEL) return namespace;
    if (key === ORCHESTRATOR_LABEL) return 'k8s';
    if (key === ACCOUNT_LABEL) return serviceAccount;
    return key.startsWith(NAMESPACE_PREFIX) ? namespaceLabels?.[key.slice(NAMESPACE_PREFIX.length)] : labels[key];
  };
}

const NOBODY: PodExpression = { text: 'nobody', covers: () => false };

/** Of the server. A type of ICMP stands where the port is. Undefined where `notPorts` has names, whose ports differ by pod. */
function portsOf({ protocol, icmp, destination }: CalicoRule): RulePort[] | null | undefined {
  if (protocol === undefined) return null;
  const number = typeof protocol === 'number' ? protocol : (PROTOCOLS[protocol] ?? Number(protocol));
  if (icmp?.type !== undefined) return [{ protocol: number, first: icmp.type, last: icmp.type }];
  const { ports = [`0:${MAX_PORT}`], notPorts = [] } = destination ?? {};
  const unwanted = notPorts.map(rangeOf);
  if (!unwanted.every(isRange)) return undefined;
  return ports.flatMap((port): RulePort[] => {
    const range = rangeOf(port);
    if (!isRange(range)) return [{ protocol: number, name: String(port) }];
    return unwanted.reduce(without, [range]).map((rest) => ({ protocol: number, ...rest }));
  });
}

interface NumberRange {
  readonly first: number;
  readonly last: number;
}

/** Undefined for a name. */
function rangeOf(port: number | string): NumberRange | undefined {
  const [first = '', last = first] = String(port).split(':');
  return /^\d+$/.test(first) ? { first: Number(first), last: Number(last) } : undefined;
}

function isRange(range: NumberRange | undefined): range is NumberRange {
  return range !== undefined;
}

function without(ranges: readonly NumberRange[], { first, last }: NumberRange): NumberRange[] {
  return ranges.flatMap((range) =>
    [
      { first: range.first, last: Math.min(range.last, first - 1) },
      { first: Math.max(range.first, last + 1), last: range.last },
    ].filter((rest) => rest.first <= rest.last),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
