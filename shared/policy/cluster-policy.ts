/**
 * The cluster-wide policies of policy.networking.k8s.io (network-policy-api.sigs.k8s.io): AdminNetworkPolicy and
 * BaselineAdminNetworkPolicy (v1alpha1), and ClusterNetworkPolicy (v1alpha2), which took their place.
 *
 * A peer that is not known here makes its rule fail closed, as the API asks: what allows allows nobody, and what denies or
 * passes denies everybody.
 */
import { EVERYTHING, type LabelSelectorObject, selectorFromObject } from '../api/label-selector.ts';
import type { ObjectMeta } from '../api/object.ts';
import * as ipv4 from '../wire/ipv4.ts';
import {
  type PodScope,
  type Policy,
  type PolicyRule,
  type RulePeer,
  type RulePort,
  TIER_ADMIN,
  TIER_BASELINE,
} from './policy-rule.ts';
import { PROTOCOL_SCTP } from './port-verdicts.ts';

/** As the API's schema lets it through. */
export interface ClusterPolicyObject {
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
  readonly spec?: ClusterPolicySpec;
}

export interface ClusterPolicySpec {
  /** Of a ClusterNetworkPolicy. */
  readonly tier?: 'Admin' | 'Baseline';
  /** Absent in a BaselineAdminNetworkPolicy. */
  readonly priority?: number;
  readonly subject?: ClusterPolicySelection;
  readonly ingress?: readonly ClusterPolicyRule[];
  readonly egress?: readonly ClusterPolicyRule[];
}

export interface ClusterPolicySelection {
  readonly namespaces?: LabelSelectorObject;
  readonly pods?: { readonly namespaceSelector?: LabelSelectorObject; readonly podSelector?: LabelSelectorObject };
}

export interface ClusterPolicyPeer extends ClusterPolicySelection {
  readonly nodes?: LabelSelectorObject;
  readonly networks?: readonly string[];
}

export interface ClusterPolicyRule {
  readonly name?: string;
  readonly action?: 'Allow' | 'Accept' | 'Deny' | 'Pass';
  readonly from?: readonly ClusterPolicyPeer[];
  readonly to?: readonly ClusterPolicyPeer[];
  /** Of v1alpha1. */
  readonly ports?: readonly AdminPolicyPort[];
  /** Of v1alpha2. */
  readonly protocols?: readonly ClusterPolicyProtocol[];
}

export interface AdminPolicyPort {
  readonly portNumber?: { readonly protocol?: string; readonly port: number };
  readonly portRange?: { readonly protocol?: string; readonly start: number; readonly end: number };
  readonly namedPort?: string;
}

interface ProtocolMatch {
  readonly destinationPort?: {
    readonly number?: number;
    readonly range?: { readonly start: number; readonly end: number };
  };
}

export interface ClusterPolicyProtocol {
  readonly tcp?: ProtocolMatch;
  readonly udp?: ProtocolMatch;
  readonly sctp?: ProtocolMatch;
  readonly destinationNamedPort?: string;
}

const MAX_PORT = 65_535;
const PROTOCOLS: Readonly<Record<string, number>> = {
  TCP: ipv4.PROTOCOL_TCP,
  UDP: ipv4.PROTOCOL_UDP,
  SCTP: PROTOCOL_SCTP,
};
const NOBODY: readonly RulePeer[] = [];

/** `kind` is that of the resource the object was read from: lists need not repeat it. */
export function clusterPolicyOf(kind: string, { metadata, spec = {} }: ClusterPolicyObject): Policy {
  const isBaseline = kind === 'BaselineAdminNetworkPolicy' || spec.tier === 'Baseline';
  const subject = scopeOf(spec.subject ?? {});
  const rules = (list: readonly ClusterPolicyRule[] = []): PolicyRule[] | null =>
    list.length === 0 || subject === undefined ? null : list.map(ruleOf);
  return {
    title: `${kind} ${metadata?.name}`,
    tier: isBaseline ? TIER_BASELINE : TIER_ADMIN,
    priority: spec.priority ?? 0,
    subject: subject ?? {},
    ingress: rules(spec.ingress),
    egress: rules(spec.egress),
    isolates: false,
  };
}

function ruleOf({ name, action, from, to, ports, protocols }: ClusterPolicyRule): PolicyRule {
  const peers = (from ?? to ?? []).map(peersOf);
  const known = peers.filter((peer) => peer !== undefined).flat();
  const isKnown = known.length > 0 && !peers.includes(undefined);
  const allows = action === 'Allow' || action === 'Accept';
  if (!isKnown && !allows) return { name, action: 'deny', peers: null, ports: null };
  return {
    name,
    action: allows ? 'allow' : action === 'Pass' ? 'pass' : 'deny',
    peers: isKnown ? known : NOBODY,
    ports: portsOf(ports?.flatMap(adminPorts) ?? protocols?.flatMap(protocolPorts)),
  };
}

/** Undefined for a peer of a kind that is not known here. */
function peersOf(peer: ClusterPolicyPeer): RulePeer[] | undefined {
  const nodes = selectorFromObject(peer.nodes);
  if (nodes !== undefined) return [{ nodes }];
  if (peer.networks !== undefined) return peer.networks.map((cidr) => ({ block: { cidr, except: [] } }));
  const pods = scopeOf(peer);
  return pods === undefined ? undefined : [{ pods }];
}

function scopeOf({ namespaces, pods }: ClusterPolicySelection): PodScope | undefined {
  if (pods !== undefined) {
    return {
      namespaceSelector: selectorFromObject(pods.namespaceSelector) ?? EVERYTHING,
      podSelector: selectorFromObject(pods.podSelector) ?? EVERYTHING,
    };
  }
  const namespaceSelector = selectorFromObject(namespaces);
  return namespaceSelector === undefined ? undefined : { namespaceSelector };
}

function portsOf(ports: readonly RulePort[] | undefined): readonly RulePort[] | null {
  return ports === undefined || ports.length === 0 ? null : ports;
}

function adminPorts({ portNumber, portRange, namedPort }: AdminPolicyPort): RulePort[] {
  if (namedPort !== undefined) return [{ protocol: null, name: namedPort }];
  const { protocol } = portNumber ?? portRange ?? {};
  const number = PROTOCOLS[protocol ?? 'TCP'] ?? ipv4.PROTOCOL_TCP;
  if (portNumber !== undefined) return [{ protocol: number, first: portNumber.port, last: portNumber.port }];
  return portRange === undefined ? [] : [{ protocol: number, first: portRange.start, last: portRange.end }];
}

function protocolPorts({ tcp, udp, sctp, destinationNamedPort }: ClusterPolicyProtocol): RulePort[] {
  if (destinationNamedPort) return [{ protocol: null, name: destinationNamedPort }];
  const matches = [
    [ipv4.PROTOCOL_TCP, tcp],
    [ipv4.PROTOCOL_UDP, udp],
    [PROTOCOL_SCTP, sctp],
  ] as const;
  return matches.flatMap(([protocol, match]) => (match === undefined ? [] : [matchedPorts(protocol, match)]));
}

function matchedPorts(protocol: number, { destinationPort = {} }: ProtocolMatch): RulePort {
  const { number, range } = destinationPort;
  if (number !== undefined) return { protocol, first: number, last: number };
  return { protocol, first: range?.start ?? 0, last: range?.end ?? MAX_PORT };
}
