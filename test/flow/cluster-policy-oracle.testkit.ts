/**
 * The second opinion on the cluster-wide policies, from the API's text alone (network-policy-api.sigs.k8s.io): of a tier's
 * policies in the order of their priorities the first rule that covers the traffic decides.
 */
import { inBlock, type OraclePod, type OracleSide, selects } from './policy-oracle.testkit.ts';

export interface OracleClusterPolicy {
  readonly kind: 'AdminNetworkPolicy' | 'BaselineAdminNetworkPolicy' | 'ClusterNetworkPolicy';
  readonly metadata: { readonly name: string };
  // The objects are those that the engine is given; the oracle reads them in its own way.
  // biome-ignore lint/suspicious/noExplicitAny: three APIs' objects, as YAML would have them
  readonly spec: any;
}

export type OracleTier = 'Admin' | 'Baseline';

/** Undefined when no rule of the tier decides: it says nothing, or passes. */
export function clusterVerdict(
  policies: readonly OracleClusterPolicy[],
  tier: OracleTier,
  side: OracleSide,
): boolean | undefined {
  const ofTier = policies
    .filter((policy) => tierOf(policy) === tier && selectsPod(policy.spec.subject, side.subject, side.namespaces))
    .sort((a, b) => (a.spec.priority ?? 0) - (b.spec.priority ?? 0));
  for (const { spec } of ofTier) {
    for (const rule of (side.type === 'Ingress' ? spec.ingress : spec.egress) ?? []) {
      const peers = side.type === 'Ingress' ? rule.from : rule.to;
      if (!peers.some((peer: PeerObject) => covers(peer, side))) continue;
      if (!portCovered(rule, side)) continue;
      if (rule.action === 'Pass') return undefined;
      return rule.action !== 'Deny';
    }
  }
  return undefined;
}

function tierOf({ kind, spec }: OracleClusterPolicy): OracleTier {
  if (kind === 'ClusterNetworkPolicy') return spec.tier;
  return kind === 'AdminNetworkPolicy' ? 'Admin' : 'Baseline';
}

type Selector = Parameters<typeof selects>[0];

interface SelectionObject {
  readonly namespaces?: Selector;
  readonly pods?: { readonly namespaceSelector: Selector; readonly podSelector: Selector };
}

interface PeerObject extends SelectionObject {
  readonly networks?: readonly string[];
}

function selectsPod({ namespaces, pods }: SelectionObject, pod: OraclePod, all: OracleSide['namespaces']): boolean {
  const labels = all[pod.namespace] ?? {};
  if (namespaces !== undefined) return selects(namespaces, labels);
  return pods !== undefined && selects(pods.namespaceSelector, labels) && selects(pods.podSelector, pod.labels);
}

function covers(peer: PeerObject, { peer: other, family, namespaces }: OracleSide): boolean {
  if (peer.networks !== undefined) return peer.networks.some((cidr) => inBlock({ cidr }, other[family]));
  return selectsPod(peer, other, namespaces);
}

// biome-ignore lint/suspicious/noExplicitAny: a rule of either API
function portCovered(rule: any, { server, protocol, port }: OracleSide): boolean {
  const matches = rule.ports ?? rule.protocols;
  if (matches === undefined) return true;
  // biome-ignore lint/suspicious/noExplicitAny: a match of either API
  return matches.some((match: any) => {
    const name = match.namedPort ?? match.destinationNamedPort;
    if (name !== undefined) {
      return server.ports.some((one) => one.name === name && one.protocol === protocol && one.port === port);
    }
    if (match.portNumber) return match.portNumber.protocol === protocol && match.portNumber.port === port;
    if (match.portRange) {
      const { protocol: wanted, start, end } = match.portRange;
      return wanted === protocol && start <= port && port <= end;
    }
    const ofProtocol = match[protocol.toLowerCase()];
    if (ofProtocol === undefined) return false;
    const wanted = ofProtocol.destinationPort;
    if (wanted === undefined) return true;
    return wanted.number === undefined
      ? wanted.range.start <= port && port <= wanted.range.end
      : wanted.number === port;
  });
}
