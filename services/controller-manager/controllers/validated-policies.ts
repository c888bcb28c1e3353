import { CILIUM_POLICIES } from '../../../shared/api/policy-resources.ts';
import type { ResourceRef } from '../../../shared/api/resource.ts';
import { type CniPluginName, policyApisOf } from '../../../shared/runtime/cni-plugins.ts';

/** Those of a cluster that has cilium's policies, or may have them one day. */
export function validatedPolicies(cni: CniPluginName): readonly ResourceRef[] {
  return cni === 'none' || policyApisOf(cni).includes('cilium.io') ? CILIUM_POLICIES : [];
}
