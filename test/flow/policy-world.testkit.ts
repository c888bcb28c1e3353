/** Three namespaces with three pods each on two nodes, every pod serving two ports of TCP and UDP; and policies for them. */
import type { NetworkPolicy, NetworkPolicySpec } from 'kubernetes-types/networking/v1.d.ts';
import { clusterPolicyOf } from '../../shared/policy/cluster-policy.ts';
import { type ClusterState, PolicyCompiler } from '../../shared/policy/compile.ts';
import { policyOf } from '../../shared/policy/network-policy.ts';
import { type PolicyPod, policyPodOf } from '../../shared/policy/policy-pod.ts';
import { ip } from './cluster.testkit.ts';
import type { OracleClusterPolicy } from './cluster-policy-oracle.testkit.ts';
import type { Family, OraclePod } from './policy-oracle.testkit.ts';

export const NAMESPACES = { x: { ns: 'x' }, y: { ns: 'y', team: 'red' }, z: { ns: 'z', team: 'blue' } };
export const PROTOCOLS = ['TCP', 'UDP'] as const;
export const PORTS = [80, 81] as const;

export const WORLD_PODS: readonly OraclePod[] = Object.keys(NAMESPACES).flatMap((namespace, n) =>
  ['a', 'b', 'c'].map((name, p) => ({
    namespace,
    name,
    labels: { pod: name, [`in-${namespace}`]: 'yes' },
    // Pods a and b of every namespace stand on node 1, c on node 2.
    ...(name === 'c' ? addressesOf(2, 10 * (n + 1)) : addressesOf(1, 10 * (n + 1) + p)),
    ports: PROTOCOLS.flatMap((protocol) =>
      // The name `web` is port 80 in pods a and b, and 81 in c.
      PORTS.map((port) => ({
        name: (port === 80) === (name !== 'c') ? `web-${protocol.toLowerCase()}` : `alt-${protocol.toLowerCase()}`,
        protocol,
        port,
      })),
    ),
  })),
);

function addressesOf(node: number, place: number): { ip: string; ipv6: string } {
  return { ip: `10.244.${node}.${place}`, ipv6: `fd00:10:244:${node}::${place}` };
}

export function policy(namespace: string, name: string, spec: NetworkPolicySpec): NetworkPolicy {
  return { metadata: { namespace, name }, spec };
}

export function policyPods(): PolicyPod[] {
  return WORLD_PODS.map((pod) =>
    policyPodOf({
      metadata: { uid: pod.ip, namespace: pod.namespace, name: pod.name, labels: pod.labels },
      spec: {
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

/** What a node is programmed with whose pods are those of `addresses`; all of them by default. */
export function programOf(
  policies: readonly NetworkPolicy[],
  isHere: (address: number) => boolean = () => true,
  clusterPolicies: readonly OracleClusterPolicy[] = [],
) {
  const state: ClusterState = {
    policies: [...policies.map(policyOf), ...clusterPolicies.map((one) => clusterPolicyOf(one.kind, one))],
    pods: policyPods(),
    namespaces: new Map(Object.entries(NAMESPACES)),
  };
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
