/** The resources of each API of policies beside NetworkPolicy. */
import type { ResourceRef } from './resource.ts';
import {
  ADMINNETWORKPOLICIES,
  BASELINEADMINNETWORKPOLICIES,
  CALICO_GLOBALNETWORKPOLICIES,
  CALICO_NETWORKPOLICIES,
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
/** Of cilium.io. */
export const CILIUM_POLICIES: readonly ResourceRef[] = [CILIUMNETWORKPOLICIES, CILIUMCLUSTERWIDENETWORKPOLICIES];
