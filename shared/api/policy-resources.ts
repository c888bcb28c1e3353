/** The resources of each API of policies beside NetworkPolicy. */
import type { ResourceRef } from './resource.ts';
import {
  ADMINNETWORKPOLICIES,
  BASELINEADMINNETWORKPOLICIES,
  CALICO_GLOBALNETWORKPOLICIES,
  CALICO_GLOBALNETWORKSETS,
  CALICO_NETWORKPOLICIES,
  CALICO_NETWORKSETS,
  CILIUMCLUSTERWIDENETWORKPOLICIES,
  CILIUMNETWORKPOLICIES,
  CLUSTERNETWORKPOLICIES,
} from './resources.ts';

/** Of policy.networking.k8s.io. */
export const CLUSTER_POLICIES: readonly ResourceRef[] = [
  ADMINNETWORKPOLICIES,
  BASELINEADMINNETWORKPOLICIES,
  CLUSTERNETWORKPOLICIES,
];
/** Of projectcalico.org. */
export const CALICO_POLICIES: readonly ResourceRef[] = [CALICO_GLOBALNETWORKPOLICIES, CALICO_NETWORKPOLICIES];
/** What rules of projectcalico.org may mean beside pods. */
export const CALICO_SETS: readonly ResourceRef[] = [CALICO_GLOBALNETWORKSETS, CALICO_NETWORKSETS];
/** Of cilium.io. */
export const CILIUM_POLICIES: readonly ResourceRef[] = [CILIUMNETWORKPOLICIES, CILIUMCLUSTERWIDENETWORKPOLICIES];
