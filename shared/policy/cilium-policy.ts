/**
 * CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy (cilium.io/v2; docs.cilium.io, "Layer 3 Examples", "Layer 4 Examples"
 * and "Deny Policies"). What is denied goes before what is allowed, in whatever policy it stands.
 *
 *   rule without peers and without ports -> nobody;  ports alone -> everybody at these ports;  an empty list of peers -> nobody
 */
import {
  EVERYTHING,
  type LabelSelectorObject,
  labelSelectorMatches,
  selectorFromLabels,
  selectorFromObject,
} from '../api/label-selector.ts';
import type { ObjectMeta } from '../api/object.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import type { HttpRule, L7Rules, NamePattern } from './l7-rules.ts';
import {
  type PodScope,
  type Policy,
  type PolicyRule,
  type RulePeer,
  type RulePort,
  TIER_NAMESPACE,
} from './policy-rule.ts';
import type { PolicyService } from './policy-service.ts';
import { PROTOCOL_SCTP } from './port-verdicts.ts';

export interface CiliumPolicyObject {
  readonly metadata?: ObjectMeta;
  readonly spec?: CiliumPolicySpec;
  readonly specs?: readonly CiliumPolicySpec[];
}

export interface CiliumPolicySpec {
  readonly endpointSelector?: LabelSelectorObject;
  readonly ingress?: readonly CiliumRule[];
  readonly ingressDeny?: readonly CiliumRule[];
  readonly egress?: readonly CiliumRule[];
  readonly egressDeny?: readonly CiliumRule[];
  readonly enableDefaultDeny?: { readonly ingress?: boolean; readonly egress?: boolean };
}

export interface CiliumRule {
  readonly fromEndpoints?: readonly LabelSelectorObject[];
  readonly toEndpoints?: readonly LabelSelectorObject[];
  readonly fromEntities?: readonly string[];
  readonly toEntities?: readonly string[];
  readonly fromCIDR?: readonly string[];
  readonly toCIDR?: readonly string[];
  readonly fromCIDRSet?: readonly CiliumBlock[];
  readonly toCIDRSet?: readonly CiliumBlock[];
  readonly fromNodes?: readonly LabelSelectorObject[];
  readonly toNodes?: readonly LabelSelectorObject[];
  readonly toServices?: readonly CiliumServiceReference[];
  readonly toFQDNs?: readonly NamePattern[];
  readonly toPorts?: readonly CiliumPorts[];
  readonly icmps?: readonly { readonly fields?: readonly CiliumIcmp[] }[];
}

interface CiliumPorts {
  readonly ports?: readonly CiliumPort[];
  readonly rules?: { readonly http?: readonly HttpRule[]; readonly dns?: readonly NamePattern[] };
}

interface CiliumServiceReference {
  readonly k8sService?: { readonly serviceName?: string; readonly namespace?: string };
  readonly k8sServiceSelector?: { readonly selector?: LabelSelectorObject; readonly namespace?: string };
}

interface CiliumIcmp {
  readonly family?: string;
  /** A number, or its name in CamelCase. */
  readonly type: number | string;
}

interface CiliumBlock {
  readonly cidr?: string;
  /** Instead: a CiliumCIDRGroup by its name, or such by their labels. */
  readonly cidrGroupRef?: string;
  readonly cidrGroupSelector?: LabelSelectorObject;
  readonly except?: readonly string[];
}

export interface CiliumCidrGroup {
  readonly metadata?: ObjectMeta;
  readonly spec?: { readonly externalCIDRs?: readonly string[] };
}

interface CiliumPort {
  readonly port: string;
  readonly endPort?: number;
  readonly protocol?: string;
}

type Direction = 'ingress' | 'egress';

/** What is known beside the policy. */
export interface CiliumCluster {
  /** The entity `host` is this node. Without one, as in a view of the whole cluster, it is any. */
  readonly nodeName?: string;
  readonly services?: readonly PolicyService[];
  readonly cidrGroups?: readonly CiliumCidrGroup[];
}

interface Place {
  /** Of a CiliumNetworkPolicy: whose pods it selects, and whose pods its selectors mean. */
  readonly namespace: string | undefined;
  readonly nodeName: string | undefined;
  readonly services: readonly PolicyService[];
  readonly cidrGroups: readonly CiliumCidrGroup[];
}

const DENY_FIRST = -1;
const MAX_PORT = 65_535;
const PROTOCOLS: Readonly<Record<string, readonly number[]>> = {
  TCP: [ipv4.PROTOCOL_TCP],
  UDP: [ipv4.PROTOCOL_UDP],
  SCTP: [PROTOCOL_SCTP],
  ANY: [ipv4.PROTOCOL_TCP, ipv4.PROTOCOL_UDP, PROTOCOL_SCTP],
};
/** IANA's numbers under cilium's names. */
const ICMP_TYPES: Readonly<Record<string, number>> = {
  EchoReply: 0,
  DestinationUnreachable: 3,
  Redirect: 5,
  Echo: 8,
  EchoRequest: 8,
  RouterAdvertisement: 9,
  RouterSelection: 10,
  TimeExceeded: 11,
  ParameterProblem: 12,
  Timestamp: 13,
  TimestampReply: 14,
};
const ICMPV6_TYPES: Readonly<Record<string, number>> = {
  DestinationUnreachable: 1,
  PacketTooBig: 2,
  TimeExceeded: 3,
  ParameterProblem: 4,
  EchoRequest: 128,
  EchoReply: 129,
};
/** Among the labels of a pod: its namespace. */
export const NAMESPACE_LABEL = 'io.kubernetes.pod.namespace';
/** And before each label of that. */
export const NAMESPACE_LABELS = 'io.cilium.k8s.namespace.labels.';
/** By which the API names each namespace in a label. */
const NAMESPACE_NAME = 'kubernetes.io/metadata.name';
const HOSTNAME = 'kubernetes.io/hostname';

/** The parts of one object that have a say of their own, one for each direction and action. */
export function ciliumPoliciesOf(
  kind: string,
  { metadata, spec, specs = [] }: CiliumPolicyObject,
  { nodeName, services = [], cidrGroups = [] }: CiliumCluster = {},
): Policy[] {
  const namespace = kind === 'CiliumNetworkPolicy' ? (metadata?.namespace ?? '') : undefined;
  const name = namespace === undefined ? metadata?.name : `${namespace}/${metadata?.name}`;
  const all = spec === undefined ? specs : [spec, ...specs];
  const place = { namespace, nodeName, services, cidrGroups };
  return all.flatMap((one) => {
    const origin = { kind, metadata, spec: one };
    return policiesOfSpec(`${kind} ${name}`, one, place).map((policy) => ({ ...policy, origin }));
  });
}

function policiesOfSpec(title: string, spec: CiliumPolicySpec, place: Place): Policy[] {
  const subject = scopeOf(spec.endpointSelector ?? {}, place.namespace);
  const directions = ['ingress', 'egress'] as const;
  return directions.flatMap((direction) => {
    const denied = spec[`${direction}Deny`] ?? [];
    const allowed = spec[direction] ?? [];
    if (denied.length === 0 && allowed.length === 0) return [];
    const isolates = spec.enableDefaultDeny?.[direction] ?? true;
    const common = { title, tier: TIER_NAMESPACE, subject, ingress: null, egress: null };
    const rules = (list: readonly CiliumRule[], action: 'allow' | 'deny') =>
      list.flatMap((rule, i) => rulesOf(rule, action, direction, place).map((one) => ({ ...one, number: i + 1 })));
    return [
      { ...common, priority: DENY_FIRST, isolates: false, [direction]: rules(denied, 'deny') },
      { ...common, priority: 0, isolates, [direction]: rules(allowed, 'allow') },
    ];
  });
}

/** One, and one more for each list of ports with rules about what these carry. */
function rulesOf(rule: CiliumRule, action: 'allow' | 'deny', direction: Direction, place: Place): PolicyRule[] {
  const peers = peersOf(rule, direction, place);
  const { toPorts = [], icmps } = rule;
  const looksInside = toPorts.filter((entry) => l7RulesOf(entry) !== undefined);
  if (looksInside.length === 0) return [{ action, peers, ports: portsOf(rule) }];
  const plain = toPorts.filter((entry) => !looksInside.includes(entry));
  return [
    ...(plain.length > 0 || icmps !== undefined ? [{ action, peers, ports: portsOf({ toPorts: plain, icmps }) }] : []),
    ...looksInside.map((entry) => ({ action, peers, ports: portsOf({ toPorts: [entry] }), l7: l7RulesOf(entry) })),
  ];
}

function l7RulesOf({ rules }: CiliumPorts): L7Rules | undefined {
  if (rules?.http !== undefined) return { kind: 'http', rules: rules.http };
  return rules?.dns === undefined ? undefined : { kind: 'dns', rules: rules.dns };
}

/** null: everybody. */
function peersOf(rule: CiliumRule, direction: Direction, place: Place): RulePeer[] | null {
  const [endpoints, entities, blocks, blockSets, nodes] =
    direction === 'ingress'
      ? [rule.fromEndpoints, rule.fromEntities, rule.fromCIDR, rule.fromCIDRSet, rule.fromNodes]
      : [rule.toEndpoints, rule.toEntities, rule.toCIDR, rule.toCIDRSet, rule.toNodes];
  const [services, names] = direction === 'egress' ? [rule.toServices, rule.toFQDNs] : [];
  const namesPeers = [endpoints, entities, blocks, blockSets, nodes, services, names].some(
    (list) => list !== undefined,
  );
  const namesPorts = rule.toPorts !== undefined || rule.icmps !== undefined;
  if ((!namesPeers && namesPorts) || entities?.includes('all')) return null;
  return [
    ...(endpoints ?? []).map((selector): RulePeer => ({ pods: peerScopeOf(selector, place.namespace) })),
    ...(entities ?? []).flatMap((entity) => entityPeers(entity, place)),
    ...(services ?? []).flatMap((reference) => servicePeers(reference, place)),
    ...(blocks ?? []).map((cidr): RulePeer => ({ block: { cidr, except: [] } })),
    ...(blockSets ?? []).flatMap((set) => blockPeers(set, place)),
    ...(nodes ?? []).map((selector): RulePeer => ({ nodes: scopeOf(selector, undefined).podSelector ?? EVERYTHING })),
    ...(names ?? []).map((pattern): RulePeer => ({ names: pattern })),
  ];
}

function blockPeers({ cidr, except = [], ...groups }: CiliumBlock, { cidrGroups }: Place): RulePeer[] {
  const { cidrGroupRef: name, cidrGroupSelector } = groups;
  const selector = selectorFromObject(cidrGroupSelector);
  const meant = cidrGroups.filter(({ metadata }) => {
    if (name !== undefined) return metadata?.name === name;
    return (
      cidrGroupSelector !== undefined &&
      selector !== undefined &&
      labelSelectorMatches(selector, metadata?.labels ?? {})
    );
  });
  const blocks = [...(cidr === undefined ? [] : [cidr]), ...meant.flatMap(({ spec }) => spec?.externalCIDRs ?? [])];
  return blocks.map((block) => ({ block: { cidr: block, except } }));
}

function entityPeers(entity: string, { nodeName, services }: Place): RulePeer[] {
  switch (entity) {
    case 'world': // no node of cilium's has IPv6 here
    case 'world-ipv4':
      return [{ block: { cidr: '0.0.0.0/0', except: [] } }];
    case 'cluster':
      return [{ pods: {} }, { nodes: EVERYTHING }];
    case 'host':
      return [{ nodes: nodeName === undefined ? EVERYTHING : hostnameIs('In', nodeName) }];
    case 'remote-node':
      return [{ nodes: nodeName === undefined ? EVERYTHING : hostnameIs('NotIn', nodeName) }];
    case 'kube-apiserver':
      return services.filter(isApiServer).flatMap(addressPeers);
    default:
      return []; // `none`, and those that nobody is here: init, health, unmanaged, ingress, world-ipv6
  }
}

function isApiServer({ namespace, name }: PolicyService): boolean {
  return namespace === 'default' && name === 'kubernetes';
}

/** The pods of Services, and where somebody else writes the endpoints, these. */
function servicePeers(
  { k8sService, k8sServiceSelector }: CiliumServiceReference,
  { namespace, services }: Place,
): RulePeer[] {
  const selector = selectorFromObject(k8sServiceSelector?.selector);
  const isMeant = (service: PolicyService): boolean => {
    const wanted = (k8sService ?? k8sServiceSelector)?.namespace ?? namespace;
    if (wanted !== undefined && wanted !== service.namespace) return false;
    if (k8sService !== undefined) return k8sService.serviceName === service.name;
    return selector !== undefined && labelSelectorMatches(selector, service.labels);
  };
  return services.filter(isMeant).flatMap((service): RulePeer[] => {
    if (service.selector === undefined) return addressPeers(service);
    return [{ pods: { namespace: service.namespace, podSelector: selectorFromLabels(service.selector) } }];
  });
}

function addressPeers({ addresses }: PolicyService): RulePeer[] {
  return addresses.map((address) => ({
    block: { cidr: `${address}/${address.includes(':') ? 128 : 32}`, except: [] },
  }));
}

function hostnameIs(operator: string, nodeName: string) {
  return selectorFromObject({ matchExpressions: [{ key: HOSTNAME, operator, values: [nodeName] }] }) ?? EVERYTHING;
}

/** Selectors of peers mean the policy's own namespace unless they say which. */
function peerScopeOf(selector: LabelSelectorObject, namespace: string | undefined): PodScope {
  const scope = scopeOf(selector, undefined);
  return scope.namespaceSelector !== undefined || namespace === undefined ? scope : { ...scope, namespace };
}

/** Labels of the namespace stand among those of the pod, under prefixes of their own. */
function scopeOf(selector: LabelSelectorObject, namespace: string | undefined): PodScope {
  const ofPod = new SelectorParts();
  const ofNamespace = new SelectorParts();
  const place = (key: string): readonly [SelectorParts, string] => {
    const bare = key.replace(/^(k8s|any)[:.]/, '');
    if (bare === NAMESPACE_LABEL) return [ofNamespace, NAMESPACE_NAME];
    return bare.startsWith(NAMESPACE_LABELS) ? [ofNamespace, bare.slice(NAMESPACE_LABELS.length)] : [ofPod, bare];
  };
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    const [parts, bare] = place(key);
    parts.expressions.push({ key: bare, operator: 'In', values: [value] });
  }
  for (const expression of selector.matchExpressions ?? []) {
    const [parts, key] = place(expression.key);
    parts.expressions.push({ ...expression, key });
  }
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(ofNamespace.expressions.length === 0 ? {} : { namespaceSelector: ofNamespace.selector }),
    podSelector: ofPod.selector,
  };
}

class SelectorParts {
  readonly expressions: { key: string; operator: string; values?: readonly string[] }[] = [];

  get selector() {
    return selectorFromObject({ matchExpressions: this.expressions }) ?? EVERYTHING;
  }
}

function portsOf({ toPorts, icmps }: Pick<CiliumRule, 'toPorts' | 'icmps'>): RulePort[] | null {
  const ports = [
    ...(toPorts ?? []).flatMap(({ ports: list = [] }) => list.flatMap(rulePorts)),
    ...(icmps ?? []).flatMap(({ fields = [] }) => fields.flatMap(icmpTypes)),
  ];
  return ports.length === 0 ? null : ports;
}

/** One that has no such name is nobody's: the schema knows them. */
function icmpTypes({ family = 'IPv4', type }: CiliumIcmp): RulePort[] {
  const isIpv6 = family === 'IPv6';
  const names = isIpv6 ? ICMPV6_TYPES : ICMP_TYPES;
  const number = /^\d+$/.test(String(type)) ? Number(type) : names[type];
  if (number === undefined) return [];
  return [{ protocol: isIpv6 ? ipv6.PROTOCOL_ICMPV6 : ipv4.PROTOCOL_ICMP, first: number, last: number }];
}

/** `0` is every port; what is no number is the name of one. */
function rulePorts({ port, endPort, protocol = 'ANY' }: CiliumPort): RulePort[] {
  const protocols = PROTOCOLS[protocol.toUpperCase()] ?? [];
  if (!/^\d+$/.test(port)) return protocols.map((number) => ({ protocol: number, name: port }));
  const first = Number(port);
  const last = first === 0 ? MAX_PORT : (endPort ?? first);
  return protocols.map((number) => ({ protocol: number, first, last }));
}
