/** What a cluster has because of its CNI plugin: definitions of custom resources, and objects of them. A plugin that knows an API not brings none. */
import { backendsOf, type CniPluginName, policyApisOf } from '../../../shared/runtime/cni-plugins.ts';
import type { ClusterConfig } from '../../../shared/runtime/config.ts';
import { calicoManifests } from './calico-resources.ts';
import { ciliumDefinitions } from './cilium-policies.ts';
import { clusterPolicyDefinitions } from './cluster-policies.ts';
import type { Manifest } from './manifest.ts';

/** `cni`: that of the cluster, or the one that was installed into a cluster without. */
export function networkManifests(
  cni: CniPluginName,
  { podCidr, cniBackend }: Pick<ClusterConfig, 'podCidr' | 'cniBackend'>,
): Manifest[] {
  const apis = policyApisOf(cni);
  const calicoPool = cni === 'calico' ? podCidr : undefined;
  return [
    ...(apis.includes('policy.networking.k8s.io') ? clusterPolicyDefinitions() : []),
    ...(apis.includes('projectcalico.org') ? calicoManifests(calicoPool, cniBackend ?? backendsOf(cni)[0]) : []),
    ...(apis.includes('cilium.io') ? ciliumDefinitions() : []),
  ];
}
