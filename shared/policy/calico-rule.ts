/** One rule of a policy of projectcalico.org/v3 (docs.tigera.io/calico, "Global network policy", section "Rule"). */
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import type { CalicoCluster } from './calico-cluster.ts';
import { type EntitySelectors, expressionOf } from './calico-expression.ts';
import { innerOf } from './nested-blocks.ts';
import { netsOf } from './network-set.ts';
import type { AddressBlock, PodScope, PolicyRule, RulePeer, RulePort } from './policy-rule.ts';
import { PROTOCOL_SCTP } from './port-verdicts.ts';

export type Direction = 'ingress' | 'egress';

export interface CalicoRule {
  readonly action?: 'Allow' | 'Deny' | 'Log' | 'Pass';
  readonly ipVersion?: number;
  readonly protocol?: string | number;
  readonly notProtocol?: string | number;
  readonly icmp?: IcmpMatch;
  readonly notICMP?: IcmpMatch;
  readonly source?: CalicoEntity;
  readonly destination?: CalicoEntity;
}

interface IcmpMatch {
  readonly type?: number;
  readonly code?: number;
}

export interface CalicoEntity extends EntitySelectors {
  readonly nets?: readonly string[];
  readonly notNets?: readonly string[];
  readonly ports?: readonly (number | string)[];
  /** Numbers and ranges. */
  readonly notPorts?: readonly (number | string)[];
}

export interface RulePlace {
  /** Of a policy that has one. */
  readonly namespace: string | undefined;
  readonly cluster: CalicoCluster;
}

const MAX_PORT = 65_535;
const MAX_ICMP_TYPE = 255;
const PROTOCOLS: Readonly<Record<string, number>> = {
  TCP: ipv4.PROTOCOL_TCP,
  UDP: ipv4.PROTOCOL_UDP,
  SCTP: PROTOCOL_SCTP,
  ICMP: ipv4.PROTOCOL_ICMP,
  ICMPv6: ipv6.PROTOCOL_ICMPV6,
  UDPLite: 136,
};
const EVERYWHERE: Readonly<Record<number, string>> = { 4: '0.0.0.0/0', 6: '::/0' };
const ACTIONS = { Allow: 'allow', Deny: 'deny', Log: 'log', Pass: 'pass' } as const;
const NEVER: PolicyRule = { action: 'pass', peers: [], ports: null };

/** What cannot be read fails closed: nobody is allowed by it, and everybody denied. */
export function ruleOf(rule: CalicoRule, direction: Direction, place: RulePlace): PolicyRule {
  const action = ACTIONS[rule.action ?? 'Allow'];
  const peers = peersOf((direction === 'ingress' ? rule.source : rule.destination) ?? {}, rule.ipVersion, place);
  const ports = portsOf(rule);
  if (peers !== undefined && ports !== undefined) return { action, peers, ports };
  return action === 'deny' ? { action, peers: peers ?? null, ports: ports ?? null } : NEVER;
}

/** null: everybody; undefined: a selector that is none. */
function peersOf(
  entity: CalicoEntity,
  ipVersion: number | undefined,
  place: RulePlace,
): readonly RulePeer[] | null | undefined {
  const { nets, notNets, selector, notSelector, namespaceSelector, serviceAccounts } = entity;
  const isAnywhere = nets === undefined && notNets === undefined && ipVersion === undefined;
  const families = ipVersion === undefined ? [4, 6] : [ipVersion];
  const blocks = (nets ?? families.map((family) => EVERYWHERE[family]!)).map((cidr) => ({
    cidr,
    except: notNets ?? [],
  }));
  const isOfPods = [selector, namespaceSelector, serviceAccounts].some((part) => part !== undefined);
  if (isOfPods || (notSelector !== undefined && place.namespace !== undefined))
    return selectedPeers(entity, isAnywhere ? undefined : blocks, place);
  if (notSelector !== undefined) return unselectedPeers(notSelector, blocks, place);
  return isAnywhere ? null : blocks.map((block) => ({ block }));
}

/** Pods and network sets that the selectors mean, as far as they are in the blocks. */
function selectedPeers(
  entity: CalicoEntity,
  within: readonly AddressBlock[] | undefined,
  { namespace, cluster }: RulePlace,
): readonly RulePeer[] | undefined {
  const expression = expressionOf(entity, cluster);
  if (expression === undefined) return undefined;
  const isOwn = namespace !== undefined && entity.namespaceSelector === undefined;
  const pods: PodScope = isOwn ? { namespace, expression } : { expression };
  // What has a service account is a pod.
  const nets = entity.serviceAccounts === undefined ? netsOf(cluster, entity, namespace) : [];
  const sets = within === undefined ? nets.map((cidr) => ({ cidr, except: [] })) : innerOf(nets, within);
  return [{ pods, within }, ...sets.map((block) => ({ block }))];
}

/** Everybody but the pods and network sets that the selector means: where nothing says that a pod is meant at all. */
function unselectedPeers(
  notSelector: string,
  blocks: readonly AddressBlock[],
  { cluster }: RulePlace,
): readonly RulePeer[] | undefined {
  const expression = expressionOf({ selector: notSelector }, cluster);
  if (expression === undefined) return undefined;
  const unwanted = netsOf(cluster, { selector: notSelector }, undefined);
  const notPods: PodScope = { expression };
  return blocks.map(({ cidr, except }) => ({ block: { cidr, except: [...except, ...unwanted] }, notPods }));
}

/**
 * Of the server. A type of ICMP stands where the port is, and what opens a connection of ICMP has code 0. Undefined where `notPorts`
 * has names, whose ports differ by pod.
 */
function portsOf({ protocol, notProtocol, icmp, notICMP, destination }: CalicoRule): RulePort[] | null | undefined {
  if (protocol === undefined) return notProtocol === undefined ? null : [{ notProtocol: protocolOf(notProtocol) }];
  const number = protocolOf(protocol);
  if (notProtocol !== undefined && protocolOf(notProtocol) === number) return [];
  if (icmp !== undefined || notICMP !== undefined) {
    const wanted = icmp === undefined ? [ALL_TYPES] : icmpTypes(icmp);
    const types = notICMP === undefined ? wanted : icmpTypes(notICMP).reduce(without, wanted);
    return types.map((range) => ({ protocol: number, ...range }));
  }
  const { ports = [`0:${MAX_PORT}`], notPorts = [] } = destination ?? {};
  const unwanted = notPorts.map(rangeOf);
  if (!unwanted.every(isRange)) return undefined;
  return ports.flatMap((port): RulePort[] => {
    const range = rangeOf(port);
    if (!isRange(range)) return [{ protocol: number, name: String(port) }];
    return unwanted.reduce(without, [range]).map((rest) => ({ protocol: number, ...rest }));
  });
}

function protocolOf(protocol: string | number): number {
  return typeof protocol === 'number' ? protocol : (PROTOCOLS[protocol] ?? Number(protocol));
}

interface NumberRange {
  readonly first: number;
  readonly last: number;
}

const ALL_TYPES: NumberRange = { first: 0, last: MAX_ICMP_TYPE };

function icmpTypes({ type, code = 0 }: IcmpMatch): NumberRange[] {
  if (code !== 0) return [];
  return [type === undefined ? ALL_TYPES : { first: type, last: type }];
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
