/**
 * The second opinion on the cluster-wide policies, from the API's text alone (network-policy-api.sigs.k8s.io): of a tier's
 * policies in the order of their priorities the first rule that covers the traffic decides.
 */
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type {
  AdminPolicyPort,
  ClusterPolicyPeer,
  ClusterPolicyProtocol,
  ClusterPolicyRule,
  ClusterPolicySelection,
  ClusterPolicySpec,
} from '../../shared/policy/cluster-policy.ts';
import { inBlock, type OraclePod, type OracleSide, selects } from './policy-oracle.testkit.ts';

export interface OracleClusterPolicy {
  readonly kind: 'AdminNetworkPolicy' | 'BaselineAdminNetworkPolicy' | 'ClusterNetworkPolicy';
  readonly metadata: { readonly name: string };
  readonly spec: ClusterPolicySpec;
}

/** By number. */
export const NODE_LABELS: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  1: { zone: 'one' },
  2: { zone: 'two', role: 'edge' },
};

export type OracleTier = 'Admin' | 'Baseline';

/** Undefined when no rule of the tier decides: it says nothing, or passes. */
export function clusterVerdict(
  policies: readonly OracleClusterPolicy[],
  tier: OracleTier,
  side: OracleSide,
): boolean | undefined {
  const ofTier = policies
    .filter((policy) => tierOf(policy) === tier && selectsPod(policy.spec.subject ?? {}, side.subject, side.namespaces))
    .sort((a, b) => (a.spec.priority ?? 0) - (b.spec.priority ?? 0));
  for (const { spec } of ofTier) {
    for (const rule of (side.type === 'Ingress' ? spec.ingress : spec.egress) ?? []) {
      const peers = side.type === 'Ingress' ? rule.from : rule.to;
      if (!peers?.some((peer) => covers(peer, side))) continue;
      if (!portCovered(rule, side)) continue;
      if (rule.action === 'Pass') return undefined;
      return rule.action !== 'Deny';
    }
  }
  return undefined;
}

function tierOf({ kind, spec }: OracleClusterPolicy): OracleTier {
  if (kind === 'ClusterNetworkPolicy') return spec.tier ?? 'Admin';
  return kind === 'AdminNetworkPolicy' ? 'Admin' : 'Baseline';
}

function selectsPod(
  { namespaces, pods }: ClusterPolicySelection,
  pod: OraclePod,
  all: OracleSide['namespaces'],
): boolean {
  const labels = all[pod.namespace] ?? {};
  if (namespaces !== undefined) return selects(selectorOf(namespaces), labels);
  if (pods === undefined) return false;
  return selects(selectorOf(pods.namespaceSelector), labels) && selects(selectorOf(pods.podSelector), pod.labels);
}

/** As the types of the API have it, which are mutable; nobody changes it here. */
function selectorOf(selector: ClusterPolicySelection['namespaces']): LabelSelector {
  return (selector ?? {}) as LabelSelector;
}

function covers(peer: ClusterPolicyPeer, { peer: other, family, namespaces }: OracleSide): boolean {
  if (peer.networks !== undefined) return peer.networks.some((cidr) => inBlock({ cidr }, other[family]));
  if (peer.nodes !== undefined) {
    return other.network === 'host' && selects(selectorOf(peer.nodes), NODE_LABELS[other.node] ?? {});
  }
  return other.network === undefined && selectsPod(peer, other, namespaces);
}

function portCovered(rule: ClusterPolicyRule, { server, protocol, port }: OracleSide): boolean {
  if (rule.ports !== undefined) return rule.ports.some((one) => adminPortCovered(one, { server, protocol, port }));
  return rule.protocols?.some((one) => protocolCovered(one, { server, protocol, port })) ?? true;
}

type PortSide = Pick<OracleSide, 'server' | 'protocol' | 'port'>;

function adminPortCovered({ namedPort, portNumber, portRange }: AdminPolicyPort, side: PortSide): boolean {
  if (namedPort !== undefined) return isNamed(namedPort, side);
  if (portNumber !== undefined) return portNumber.protocol === side.protocol && portNumber.port === side.port;
  if (portRange === undefined || portRange.protocol !== side.protocol) return false;
  return portRange.start <= side.port && side.port <= portRange.end;
}

function protocolCovered({ destinationNamedPort, tcp, udp, sctp }: ClusterPolicyProtocol, side: PortSide): boolean {
  if (destinationNamedPort !== undefined) return isNamed(destinationNamedPort, side);
  const ofProtocol = { TCP: tcp, UDP: udp, SCTP: sctp }[side.protocol];
  if (ofProtocol === undefined) return false;
  const { number, range } = ofProtocol.destinationPort ?? {};
  if (number !== undefined) return number === side.port;
  return range === undefined || (range.start <= side.port && side.port <= range.end);
}

function isNamed(name: string, { server, protocol, port }: PortSide): boolean {
  return server.ports.some((one) => one.name === name && one.protocol === protocol && one.port === port);
}
