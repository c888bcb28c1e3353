/** What an explanation is computed from: the objects of the live cluster, each list as it is now. */
import type { Namespace, Node, Pod, Service, ServiceAccount } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.js';
import { CALICO_POLICIES, CALICO_SETS, CILIUM_POLICIES, CLUSTER_POLICIES } from '../../shared/api/policy-resources.ts';
import type { ResourceRef } from '../../shared/api/resource.ts';
import {
  CALICO_TIERS,
  CILIUMCIDRGROUPS,
  ENDPOINTSLICES,
  NAMESPACES,
  NETWORKPOLICIES,
  NODES,
  PODS,
  SERVICEACCOUNTS,
  SERVICECIDRS,
  SERVICES,
} from '../../shared/api/resources.ts';
import { isApiError } from '../../shared/api/status.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import { accountLabels } from '../../shared/policy/calico-cluster.ts';
import { type CalicoPolicyObject, type CalicoTier, calicoPoliciesOf } from '../../shared/policy/calico-policy.ts';
import { type EnforcementMode, inMode } from '../../shared/policy/cilium-enforcement.ts';
import {
  type CiliumCidrGroup,
  type CiliumCluster,
  type CiliumPolicyObject,
  ciliumPoliciesOf,
} from '../../shared/policy/cilium-policy.ts';
import { type ClusterPolicyObject, clusterPolicyOf } from '../../shared/policy/cluster-policy.ts';
import type { ClusterState } from '../../shared/policy/compile.ts';
import { nameMatches } from '../../shared/policy/name-pattern.ts';
import { policyOf } from '../../shared/policy/network-policy.ts';
import type { CalicoNetworkSet } from '../../shared/policy/network-set.ts';
import { CILIUM_ROUTING_ANNOTATION, policyNodeOf } from '../../shared/policy/policy-node.ts';
import { policyPodOf } from '../../shared/policy/policy-pod.ts';
import type { Policy } from '../../shared/policy/policy-rule.ts';
import { policyServicesOf } from '../../shared/policy/policy-service.ts';

/** A policy of whatever API, with what it was read from: kinds of two APIs may have one name. */
export interface PolicyObject {
  readonly resource: ResourceRef;
  readonly object: CalicoPolicyObject | CiliumPolicyObject | ClusterPolicyObject | NetworkPolicy;
}

export interface ClusterObjects {
  readonly pods: readonly Pod[];
  readonly namespaces: readonly Namespace[];
  readonly nodes: readonly Node[];
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly policies: readonly PolicyObject[];
  /** The ranges of ClusterIPs. */
  readonly serviceCidrs?: readonly string[];
  /** Of cilium. */
  readonly enforcement?: EnforcementMode;
  readonly cidrGroups?: readonly CiliumCidrGroup[];
  /** What DNS told the pods of the client's node, where rules speak of names. */
  readonly names?: readonly KnownName[];
  /** Of calico. */
  readonly tiers?: readonly CalicoTier[];
  readonly networkSets?: readonly CalicoNetworkSet[];
  readonly accounts?: readonly ServiceAccount[];
}

/** A ServiceCIDR. */
interface ServiceRange {
  readonly spec?: { readonly cidrs?: readonly string[] };
}

export interface KnownName {
  readonly name: string;
  readonly addresses: readonly string[];
}

export const POLICY_RESOURCES: readonly ResourceRef[] = [
  NETWORKPOLICIES,
  ...CLUSTER_POLICIES,
  ...CALICO_POLICIES,
  ...CILIUM_POLICIES,
];

export async function readCluster(api: ApiClient): Promise<ClusterObjects> {
  const all = async <T>(resource: ResourceRef): Promise<T[]> => (await api.list<T>(resource)).items;
  const [pods, namespaces, nodes, services, slices, ranges, tiers, cidrGroups, accounts, sets, ...policies] =
    await Promise.all([
      all<Pod>(PODS),
      all<Namespace>(NAMESPACES),
      all<Node>(NODES),
      all<Service>(SERVICES),
      all<EndpointSlice>(ENDPOINTSLICES),
      allIfServed<ServiceRange>(api, SERVICECIDRS),
      allIfServed<CalicoTier>(api, CALICO_TIERS),
      allIfServed<CiliumCidrGroup>(api, CILIUMCIDRGROUPS),
      all<ServiceAccount>(SERVICEACCOUNTS),
      Promise.all(CALICO_SETS.map((resource) => allIfServed<CalicoNetworkSet>(api, resource))),
      ...POLICY_RESOURCES.map((resource) => policiesOf(api, resource)),
    ]);
  const serviceCidrs = ranges.flatMap(({ spec }) => spec?.cidrs ?? []);
  return {
    pods,
    namespaces,
    nodes,
    services,
    slices,
    serviceCidrs,
    tiers,
    cidrGroups,
    networkSets: sets.flat(),
    accounts,
    policies: policies.flat(),
  };
}

async function policiesOf(api: ApiClient, resource: ResourceRef): Promise<PolicyObject[]> {
  const objects = await allIfServed<PolicyObject['object']>(api, resource);
  return objects.map((object) => ({ resource, object }));
}

/** None where the cluster has no such resource: only networks that enforce policies of an API bring its definitions. */
async function allIfServed<T>(api: ApiClient, resource: ResourceRef): Promise<T[]> {
  try {
    return (await api.list<T>(resource)).items;
  } catch (error) {
    if (isApiError(error, 'NotFound')) return [];
    throw error;
  }
}

export function policyState({
  pods,
  namespaces,
  nodes,
  services,
  slices,
  policies,
  enforcement = 'default',
  cidrGroups = [],
  names = [],
  tiers = [],
  networkSets: sets = [],
  accounts = [],
}: ClusterObjects): ClusterState {
  const cluster = { services: policyServicesOf(services, slices), cidrGroups };
  const namespaceLabels = new Map(namespaces.map(({ metadata }) => [metadata?.name ?? '', metadata?.labels ?? {}]));
  const calico = { sets, accounts: accountLabels(accounts), namespaces: namespaceLabels };
  return {
    pods: pods.map(policyPodOf),
    namespaces: namespaceLabels,
    nodes: nodes.map(policyNodeOf),
    policies: inMode(
      [
        ...policies.flatMap((policy) => compilablePolicies(policy, cluster)),
        ...calicoPoliciesOf(policies.flatMap(calicoObjects), tiers, calico),
      ],
      enforcement,
    ),
    addressesOfNames: (pattern) =>
      names.filter(({ name }) => nameMatches(pattern, name)).flatMap(({ addresses }) => addresses),
    blocksAreOutside: nodes.some(({ metadata }) => metadata?.annotations?.[CILIUM_ROUTING_ANNOTATION] !== undefined),
  };
}

function compilablePolicies({ resource, object }: PolicyObject, cluster: CiliumCluster): Policy[] {
  if (CALICO_POLICIES.includes(resource)) return []; // they have an order among each other
  if (resource === NETWORKPOLICIES) return [policyOf(object as NetworkPolicy)];
  if (CILIUM_POLICIES.includes(resource)) return ciliumPoliciesOf(resource.kind, object as CiliumPolicyObject, cluster);
  return [clusterPolicyOf(resource.kind, object as ClusterPolicyObject)];
}

function calicoObjects({ resource, object }: PolicyObject): (CalicoPolicyObject & { kind: string })[] {
  return CALICO_POLICIES.includes(resource) ? [{ ...(object as CalicoPolicyObject), kind: resource.kind }] : [];
}
