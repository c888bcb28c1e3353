/** What an explanation is computed from: the objects of the live cluster, each list as it is now. */
import type { Namespace, Node, Pod, Service } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.js';
import type { ResourceRef } from '../../shared/api/resource.ts';
import {
  ADMINNETWORKPOLICIES,
  BASELINEADMINNETWORKPOLICIES,
  CILIUMCLUSTERWIDENETWORKPOLICIES,
  CILIUMNETWORKPOLICIES,
  CLUSTERNETWORKPOLICIES,
  ENDPOINTSLICES,
  NAMESPACES,
  NETWORKPOLICIES,
  NODES,
  PODS,
  SERVICES,
} from '../../shared/api/resources.ts';
import { isApiError } from '../../shared/api/status.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import { type CiliumPolicyObject, ciliumPoliciesOf } from '../../shared/policy/cilium-policy.ts';
import { type ClusterPolicyObject, clusterPolicyOf } from '../../shared/policy/cluster-policy.ts';
import type { ClusterState } from '../../shared/policy/compile.ts';
import { policyOf } from '../../shared/policy/network-policy.ts';
import { CILIUM_ROUTING_ANNOTATION, policyNodeOf } from '../../shared/policy/policy-node.ts';
import { policyPodOf } from '../../shared/policy/policy-pod.ts';
import type { Policy } from '../../shared/policy/policy-rule.ts';

/** A policy of whatever API, with its kind. */
export interface PolicyObject {
  readonly kind: string;
  readonly object: CiliumPolicyObject | ClusterPolicyObject | NetworkPolicy;
}

export interface ClusterObjects {
  readonly pods: readonly Pod[];
  readonly namespaces: readonly Namespace[];
  readonly nodes: readonly Node[];
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly policies: readonly PolicyObject[];
}

const CILIUM_POLICIES = [CILIUMNETWORKPOLICIES, CILIUMCLUSTERWIDENETWORKPOLICIES];

export const POLICY_RESOURCES: readonly ResourceRef[] = [
  NETWORKPOLICIES,
  ADMINNETWORKPOLICIES,
  BASELINEADMINNETWORKPOLICIES,
  CLUSTERNETWORKPOLICIES,
  ...CILIUM_POLICIES,
];

export async function readCluster(api: ApiClient): Promise<ClusterObjects> {
  const all = async <T>(resource: ResourceRef): Promise<T[]> => (await api.list<T>(resource)).items;
  const [pods, namespaces, nodes, services, slices, ...policies] = await Promise.all([
    all<Pod>(PODS),
    all<Namespace>(NAMESPACES),
    all<Node>(NODES),
    all<Service>(SERVICES),
    all<EndpointSlice>(ENDPOINTSLICES),
    ...POLICY_RESOURCES.map((resource) => policiesOf(api, resource)),
  ]);
  return { pods, namespaces, nodes, services, slices, policies: policies.flat() };
}

/** None where the cluster has no such resource: only those that enforce cluster-wide policies have their definitions. */
async function policiesOf(api: ApiClient, resource: ResourceRef): Promise<PolicyObject[]> {
  try {
    const { items } = await api.list<PolicyObject['object']>(resource);
    return items.map((object) => ({ kind: resource.kind, object }));
  } catch (error) {
    if (isApiError(error, 'NotFound')) return [];
    throw error;
  }
}

export function policyState({
  pods,
  namespaces,
  nodes,
  policies,
}: Omit<ClusterObjects, 'services' | 'slices'>): ClusterState {
  return {
    pods: pods.map(policyPodOf),
    namespaces: new Map(namespaces.map(({ metadata }) => [metadata?.name ?? '', metadata?.labels ?? {}] as const)),
    nodes: nodes.map(policyNodeOf),
    policies: policies.flatMap(compilablePolicies),
    blocksAreOutside: nodes.some(({ metadata }) => metadata?.annotations?.[CILIUM_ROUTING_ANNOTATION] !== undefined),
  };
}

function compilablePolicies({ kind, object }: PolicyObject): Policy[] {
  if (kind === NETWORKPOLICIES.kind) return [policyOf(object as NetworkPolicy)];
  const isCilium = CILIUM_POLICIES.some((resource) => resource.kind === kind);
  if (isCilium) return ciliumPoliciesOf(kind, object as CiliumPolicyObject);
  return [clusterPolicyOf(kind, object as ClusterPolicyObject)];
}
