/**
 * A second opinion on NetworkPolicy, written from the API's text alone and as simple as can be: no compilation, no sharing,
 * every question answered from the objects. (Kubernetes documentation, "Network Policies"; networking.k8s.io/v1 reference.)
 */
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from 'kubernetes-types/networking/v1.d.ts';

export interface OraclePod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ip: string;
  readonly ports: readonly { name: string; protocol: string; port: number }[];
}

export interface OracleWorld {
  readonly namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly policies: readonly NetworkPolicy[];
}

type Type = 'Ingress' | 'Egress';

/** Whether `client` may open a connection to `server`. */
export function allows(
  world: OracleWorld,
  client: OraclePod,
  server: OraclePod,
  protocol: string,
  port: number,
): boolean {
  if (client.ip === server.ip) return true;
  return (
    sideAllows(world, 'Egress', client, server, server, protocol, port) &&
    sideAllows(world, 'Ingress', server, client, server, protocol, port)
  );
}

function sideAllows(
  { policies, namespaces }: OracleWorld,
  type: Type,
  subject: OraclePod,
  peer: OraclePod,
  server: OraclePod,
  protocol: string,
  port: number,
): boolean {
  const applying = policies.filter(
    ({ metadata, spec }) =>
      metadata?.namespace === subject.namespace &&
      selects(spec?.podSelector ?? {}, subject.labels) &&
      typesOf(spec?.policyTypes, spec?.egress).includes(type),
  );
  if (applying.length === 0) return true;
  for (const { metadata, spec } of applying) {
    const rules =
      type === 'Ingress'
        ? (spec?.ingress ?? []).map((rule) => ({ peers: rule.from ?? [], ports: rule.ports ?? [] }))
        : (spec?.egress ?? []).map((rule) => ({ peers: rule.to ?? [], ports: rule.ports ?? [] }));
    for (const { peers, ports } of rules) {
      const peerFits =
        peers.length === 0 || peers.some((one) => peerMatches(one, metadata?.namespace ?? '', peer, namespaces));
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
): boolean {
  if (ipBlock !== undefined) return inBlock(ipBlock, peer.ip);
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

function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
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

function inBlock({ cidr, except = [] }: IPBlock, ip: string): boolean {
  return bitsMatch(cidr, ip) && !except.some((hole) => bitsMatch(hole, ip));
}

function bitsMatch(cidr: string, ip: string): boolean {
  const [network = '', length = '32'] = cidr.split('/');
  return bitsOf(network).slice(0, Number(length)) === bitsOf(ip).slice(0, Number(length));
}

function bitsOf(ip: string): string {
  return ip
    .split('.')
    .map((octet) => Number(octet).toString(2).padStart(8, '0'))
    .join('');
}
