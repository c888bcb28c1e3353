/** Where a node's policies come from: for each API that its plugin enforces, informers and what their objects say. */
import type { Service, ServiceAccount } from 'kubernetes-types/core/v1.d.ts';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.d.ts';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.d.ts';
import { CALICO_POLICIES, CALICO_SETS, CILIUM_POLICIES, CLUSTER_POLICIES } from '../../shared/api/policy-resources.ts';
import type { ResourceRef } from '../../shared/api/resource.ts';
import {
  CALICO_TIERS,
  CILIUMCIDRGROUPS,
  ENDPOINTSLICES,
  NETWORKPOLICIES,
  SERVICEACCOUNTS,
  SERVICES,
} from '../../shared/api/resources.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import { createInformer, type Informer } from '../../shared/bus/informer.ts';
import { accountLabels } from '../../shared/policy/calico-cluster.ts';
import { type CalicoPolicyObject, type CalicoTier, calicoPoliciesOf } from '../../shared/policy/calico-policy.ts';
import { type CiliumCidrGroup, type CiliumPolicyObject, ciliumPoliciesOf } from '../../shared/policy/cilium-policy.ts';
import { type ClusterPolicyObject, clusterPolicyOf } from '../../shared/policy/cluster-policy.ts';
import type { ClusterState } from '../../shared/policy/compile.ts';
import { policyOf } from '../../shared/policy/network-policy.ts';
import type { CalicoNetworkSet } from '../../shared/policy/network-set.ts';
import type { Policy } from '../../shared/policy/policy-rule.ts';
import { policyServicesOf } from '../../shared/policy/policy-service.ts';
import type { PolicyApi } from '../../shared/runtime/cni-plugins.ts';

export interface PolicySource {
  readonly informers: readonly Informer<object>[];
  /** As the objects are now; `namespaces`: labels by name. */
  readonly list: (namespaces: ClusterState['namespaces']) => readonly Policy[];
}

/** NetworkPolicy's, and those of `apis`. `nodeName`: of a node of cilium, whose policies may mean it. */
export function policySources(bus: Bus, apis: readonly PolicyApi[], nodeName: string | undefined): PolicySource[] {
  const has = (api: PolicyApi): boolean => apis.includes(api);
  return [
    objectSource(bus, [NETWORKPOLICIES], (_, object: NetworkPolicy) => [policyOf(object)]),
    ...(has('policy.networking.k8s.io') ? [clusterSource(bus)] : []),
    ...(has('projectcalico.org') ? [calicoSource(bus)] : []),
    ...(has('cilium.io') ? [ciliumSource(bus, nodeName)] : []),
  ];
}

/** Where each object speaks for itself. */
function objectSource<Kind extends object>(
  bus: Bus,
  resources: readonly ResourceRef[],
  policiesOf: (kind: string, object: Kind) => readonly Policy[],
): PolicySource {
  const kinds = resources.map((resource) => ({ kind: resource.kind, informer: createInformer<Kind>(bus, resource) }));
  return {
    informers: kinds.map(({ informer }) => informer),
    list: () => kinds.flatMap(({ kind, informer }) => informer.list().flatMap((object) => policiesOf(kind, object))),
  };
}

function clusterSource(bus: Bus): PolicySource {
  return objectSource(bus, CLUSTER_POLICIES, (kind, object: ClusterPolicyObject) => [clusterPolicyOf(kind, object)]);
}

/** Selectors may mean network sets, and service accounts. Names and tiers order the objects of both kinds among each other. */
function calicoSource(bus: Bus): PolicySource {
  const tiers = createInformer<CalicoTier>(bus, CALICO_TIERS);
  const kinds = CALICO_POLICIES.map((resource) => ({
    kind: resource.kind,
    informer: createInformer<CalicoPolicyObject>(bus, resource),
  }));
  const sets = CALICO_SETS.map((resource) => createInformer<CalicoNetworkSet>(bus, resource));
  const accounts = createInformer<ServiceAccount>(bus, SERVICEACCOUNTS, { transform: trimmedAccount });
  return {
    informers: [tiers, accounts, ...sets, ...kinds.map(({ informer }) => informer)],
    list(namespaces) {
      const objects = kinds.flatMap(({ kind, informer }) => informer.list().map((object) => ({ ...object, kind })));
      const known = sets.flatMap((informer) => informer.list());
      return calicoPoliciesOf(objects, tiers.list(), {
        sets: known,
        accounts: accountLabels(accounts.list()),
        namespaces,
      });
    },
  };
}

/** Rules may name Services, and mean their endpoints. */
function ciliumSource(bus: Bus, nodeName: string | undefined): PolicySource {
  const services = createInformer<Service>(bus, SERVICES, { transform: trimmedService });
  const slices = createInformer<EndpointSlice>(bus, ENDPOINTSLICES, { transform: trimmedSlice });
  const groups = createInformer<CiliumCidrGroup>(bus, CILIUMCIDRGROUPS);
  const kinds = CILIUM_POLICIES.map((resource) => ({
    kind: resource.kind,
    informer: createInformer<CiliumPolicyObject>(bus, resource),
  }));
  return {
    informers: [...kinds.map(({ informer }) => informer), services, slices, groups],
    list() {
      const known = policyServicesOf(services.list(), slices.list());
      const cluster = { nodeName, services: known, cidrGroups: groups.list() };
      return kinds.flatMap(({ kind, informer }) =>
        informer.list().flatMap((object) => ciliumPoliciesOf(kind, object, cluster)),
      );
    },
  };
}

function trimmedAccount({ metadata }: ServiceAccount): ServiceAccount {
  const { namespace, name, labels } = metadata ?? {};
  return { metadata: { namespace, name, labels } };
}

function trimmedService({ metadata, spec }: Service): Service {
  const { namespace, name, labels } = metadata ?? {};
  return { metadata: { namespace, name, labels }, spec: { selector: spec?.selector } };
}

/** One without endpoints may have no list of them. */
function trimmedSlice({ metadata, addressType, endpoints }: EndpointSlice): EndpointSlice {
  const { namespace, name, labels } = metadata ?? {};
  const trimmed = (endpoints ?? []).map(({ addresses }) => ({ addresses }));
  return { metadata: { namespace, name, labels }, addressType, endpoints: trimmed };
}
