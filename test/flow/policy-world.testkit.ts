/** Three namespaces with three pods each on two nodes, every pod serving two ports of TCP and UDP; and policies for them. */
import type { NetworkPolicy, NetworkPolicySpec } from 'kubernetes-types/networking/v1.d.ts';
import { clusterPolicyOf } from '../../shared/policy/cluster-policy.ts';
import { type ClusterState, PolicyCompiler } from '../../shared/policy/compile.ts';
import { policyOf } from '../../shared/policy/network-policy.ts';
import { type PolicyPod, policyPodOf } from '../../shared/policy/policy-pod.ts';
import { ip } from './cluster.testkit.ts';
import { NODE_LABELS, type OracleClusterPolicy } from './cluster-policy-oracle.testkit.ts';
import type { Family, OraclePod } from './policy-oracle.testkit.ts';

export const NAMESPACES = { x: { ns: 'x' }, y: { ns: 'y', team: 'red' }, z: { ns: 'z', team: 'blue' } };
export const PROTOCOLS = ['TCP', 'UDP'] as const;
export const PORTS = [80, 81] as const;
/** What the pods' specs name ports of; nothing here speaks SCTP, but policies do. */
export const NAMED_PROTOCOLS = [...PROTOCOLS, 'SCTP'] as const;

export const WORLD_PODS: readonly OraclePod[] = Object.keys(NAMESPACES).flatMap((namespace, n) =>
  ['a', 'b', 'c'].map((name, p) => ({
    namespace,
    name,
    labels: { pod: name, [`in-${namespace}`]: 'yes' },
    // Pods a and b of every namespace stand on node 1, c on node 2.
    ...(name === 'c' ? addressesOf(2, 10 * (n + 1)) : addressesOf(1, 10 * (n + 1) + p)),
    ports: NAMED_PROTOCOLS.flatMap((protocol) =>
      // The name `web` is port 80 in pods a and b, and 81 in c.
      PORTS.map((port) => ({
        name: (port === 80) === (name !== 'c') ? `web-${protocol.toLowerCase()}` : `alt-${protocol.toLowerCase()}`,
        protocol,
        port,
      })),
    ),
  })),
);

function addressesOf(node: number, place: number): Pick<OraclePod, 'node' | 'ip' | 'ipv6'> {
  return { node, ip: `10.244.${node}.${place}`, ipv6: `fd00:10:244:${node}::${place}` };
}

/** A pod on each node's own network, labelled as others are, and somebody beyond the nodes. */
export const OTHER_ENDS: readonly OraclePod[] = [
  hostPod(1, 'x', '192.168.1.10', 'fd00:192:168:1::10'),
  hostPod(2, 'y', '192.168.1.11', 'fd00:192:168:1::11'),
  {
    network: 'outside',
    node: 0,
    namespace: '',
    name: 'outside',
    labels: {},
    ip: '203.0.113.9',
    ipv6: '2001:db8::9',
    ports: [],
  },
];

function hostPod(node: number, namespace: string, address: string, addressIpv6: string): OraclePod {
  const labels = { pod: 'a', [`in-${namespace}`]: 'yes' };
  return { network: 'host', node, namespace, name: 'h', labels, ip: address, ipv6: addressIpv6, ports: [] };
}

export function policy(namespace: string, name: string, spec: NetworkPolicySpec): NetworkPolicy {
  return { metadata: { namespace, name }, spec };
}

export function policyPods(): PolicyPod[] {
  const onNodes = OTHER_ENDS.filter(({ network }) => network === 'host');
  return [...WORLD_PODS, ...onNodes].map((pod) =>
    policyPodOf({
      metadata: { uid: pod.ip, namespace: pod.namespace, name: pod.name, labels: pod.labels },
      spec: {
        nodeName: `worker-${pod.node}`,
        hostNetwork: pod.network === 'host',
        containers: [
          {
            name: 'main',
            ports: pod.ports.map(({ name, protocol, port }) => ({ name, protocol, containerPort: port })),
          },
        ],
      },
      status: { phase: 'Running', podIP: pod.ip, podIPs: [{ ip: pod.ip }, { ip: pod.ipv6 }] },
    }),
  );
}

export function stateOf(
  policies: readonly NetworkPolicy[],
  clusterPolicies: readonly OracleClusterPolicy[] = [],
): ClusterState {
  return {
    policies: [...policies.map(policyOf), ...clusterPolicies.map((one) => clusterPolicyOf(one.kind, one))],
    pods: policyPods(),
    namespaces: new Map(Object.entries(NAMESPACES)),
    nodes: OTHER_ENDS.filter(({ network }) => network === 'host').map(({ node, ip: address, ipv6 }) => ({
      labels: NODE_LABELS[node] ?? {},
      addresses: [address, ipv6],
    })),
  };
}

/** What a node is programmed with whose pods are those of `addresses`; all of them by default. */
export function programOf(
  policies: readonly NetworkPolicy[],
  isHere: (address: number) => boolean = () => true,
  clusterPolicies: readonly OracleClusterPolicy[] = [],
) {
  const state = stateOf(policies, clusterPolicies);
  const compiler = new PolicyCompiler(state);
  return new Map(
    state.pods.flatMap((pod) => {
      const endpoint = compiler.endpoint(pod);
      if (endpoint === undefined || !isHere(pod.addresses[0]!)) return [];
      return pod.addresses.map((address) => [address, endpoint] as const);
    }),
  );
}

export const addressOf = (pod: OraclePod, family: Family = 'ip'): number => ip(pod[family]);
