/** Defaults of networking.k8s.io kinds. */
import type { NetworkPolicy, NetworkPolicyPort } from 'kubernetes-types/networking/v1.js';

/** Without types a policy is about ingress, and about egress when it has egress rules. */
export function defaultNetworkPolicy(policy: NetworkPolicy): void {
  const spec = policy.spec;
  if (spec === undefined) return;
  for (const rule of spec.ingress ?? []) rule.ports?.forEach(defaultPort);
  for (const rule of spec.egress ?? []) rule.ports?.forEach(defaultPort);
  spec.policyTypes ??= spec.egress === undefined ? ['Ingress'] : ['Ingress', 'Egress'];
}

function defaultPort(port: NetworkPolicyPort): void {
  port.protocol ??= 'TCP';
}
