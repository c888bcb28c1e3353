/**
 * A second opinion on NetworkPolicy, written from the API's text alone and as simple as can be: no compilation, no sharing,
 * every question answered from the objects. (Kubernetes documentation, "Network Policies"; networking.k8s.io/v1 reference.)
 */
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from 'kubernetes-types/networking/v1.d.ts';
import { clusterVerdict, type OracleClusterPolicy } from './cluster-policy-oracle.testkit.ts';

export interface OraclePod {
  /** Policies do not speak of what has no address of its own among the pods, but for blocks and nodes. */
  readonly network?: 'host' | 'outside';
  /** 1 or 2; 0 outside. */
  readonly node: number;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ip: string;
  readonly ipv6: string;
  readonly ports: readonly { name: string; protocol: string; port: number }[];
}

export interface OracleWorld {
  readonly namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly policies: readonly NetworkPolicy[];
  readonly clusterPolicies?: readonly OracleClusterPolicy[];
}

/** Which of the pods' addresses the packets have. */
export type Family = 'ip' | 'ipv6';

/** One end of a connection, as policies see it: whom they speak of, and the other end. */
export interface OracleSide {
  readonly type: 'Ingress' | 'Egress';
  readonly subject: OraclePod;
  readonly peer: OraclePod;
  readonly server: OraclePod;
  readonly protocol: string;
  readonly port: number;
  readonly family: Family;
  readonly namespaces: OracleWorld['namespaces'];
}

/** Whether `client` may open a connection to `server`. */
export function allows(
  world: OracleWorld,
  client: OraclePod,
  server: OraclePod,
  protocol: string,
  port: number,
  family: Family = 'ip',
): boolean {
  if (client.ip === server.ip) return true;
  // What a node sends to its own pods is never refused, as the kubelet's probes come that way.
  if (client.network === 'host' && client.node === server.node) return true;
  const common = { server, protocol, port, family, namespaces: world.namespaces };
  return (
    sideAllows(world, { ...common, type: 'Egress', subject: client, peer: server }) &&
    sideAllows(world, { ...common, type: 'Ingress', subject: server, peer: client })
  );
}

/** Admin tier, then the namespace's policies, which are final for the pods they select, then the baseline. */
function sideAllows({ policies, clusterPolicies = [] }: OracleWorld, side: OracleSide): boolean {
  if (side.subject.network !== undefined) return true;
  return (
    clusterVerdict(clusterPolicies, 'Admin', side) ??
    namespacedVerdict(policies, side) ??
    clusterVerdict(clusterPolicies, 'Baseline', side) ??
    true
  );
}

/** Undefined where no policy selects the pod. */
function namespacedVerdict(policies: readonly NetworkPolicy[], side: OracleSide): boolean | undefined {
  const { type, subject, peer, server, protocol, port, family, namespaces } = side;
  const applying = policies.filter(
    ({ metadata, spec }) =>
      metadata?.namespace === subject.namespace &&
      selects(spec?.podSelector ?? {}, subject.labels) &&
      typesOf(spec?.policyTypes, spec?.egress).includes(type),
  );
  if (applying.length === 0) return undefined;
  for (const { metadata, spec } of applying) {
    const rules =
      type === 'Ingress'
        ? (spec?.ingress ?? []).map((rule) => ({ peers: rule.from ?? [], ports: rule.ports ?? [] }))
        : (spec?.egress ?? []).map((rule) => ({ peers: rule.to ?? [], ports: rule.ports ?? [] }));
    for (const { peers, ports } of rules) {
      const peerFits =
        peers.length === 0 ||
        peers.some((one) => peerMatches(one, metadata?.namespace ?? '', peer, namespaces, family));
      const portFits = ports.length === 0 || ports.some((one) => portMatches(one, server, protocol, port));
      if (peerFits && portFits) return true;
    }
  }
  return false;
}

function typesOf(types: readonly string[] | undefined, egress: readonly unknown[] | undefined): readonly string[] {
  if (types !== undefined && types.length > 0) return types;
  return egress !== undefined && egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
}

function peerMatches(
  { ipBlock, namespaceSelector, podSelector }: NetworkPolicyPeer,
  policyNamespace: string,
  peer: OraclePod,
  namespaces: OracleWorld['namespaces'],
  family: Family,
): boolean {
  if (ipBlock !== undefined) return inBlock(ipBlock, peer[family]);
  if (peer.network !== undefined) return false;
  const namespaceFits =
    namespaceSelector === undefined
      ? peer.namespace === policyNamespace
      : selects(namespaceSelector, namespaces[peer.namespace] ?? {});
  return namespaceFits && (podSelector === undefined || selects(podSelector, peer.labels));
}

function portMatches(rule: NetworkPolicyPort, server: OraclePod, protocol: string, port: number): boolean {
  if ((rule.protocol ?? 'TCP') !== protocol) return false;
  if (rule.port === undefined) return true;
  if (typeof rule.port === 'string') {
    return server.ports.some((one) => one.name === rule.port && one.protocol === protocol && one.port === port);
  }
  return rule.endPort === undefined ? rule.port === port : rule.port <= port && port <= rule.endPort;
}

export function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false;
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const value = labels[key];
    if (operator === 'In' && (value === undefined || !values.includes(value))) return false;
    if (operator === 'NotIn' && value !== undefined && values.includes(value)) return false;
    if (operator === 'Exists' && value === undefined) return false;
    if (operator === 'DoesNotExist' && value !== undefined) return false;
  }
  return true;
}

export function inBlock({ cidr, except = [] }: IPBlock, ip: string): boolean {
  return bitsMatch(cidr, ip) && !except.some((hole) => bitsMatch(hole, ip));
}

function bitsMatch(cidr: string, ip: string): boolean {
  if (cidr.includes(':') !== ip.includes(':')) return false;
  const [network = '', length = ''] = cidr.split('/');
  return bitsOf(network).slice(0, Number(length)) === bitsOf(ip).slice(0, Number(length));
}

const knownBits = new Map<string, string>();

function bitsOf(ip: string): string {
  const known = knownBits.get(ip) ?? allBitsOf(ip);
  knownBits.set(ip, known);
  return known;
}

function allBitsOf(ip: string): string {
  if (!ip.includes(':')) return binary(ip.split('.').map(Number), 8);
  const [head = [], tail = []] = ip.split('::').map((side) => side.split(':').filter((word) => word !== ''));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return binary(
    [...head, ...zeros, ...tail].map((word) => Number.parseInt(word, 16)),
    16,
  );
}

function binary(parts: readonly number[], bits: number): string {
  return parts.map((part) => part.toString(2).padStart(bits, '0')).join('');
}
