/** networking.k8s.io/v1 NetworkPolicy (Kubernetes documentation, "Network Policies"; API reference). */
import type {
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicySpec,
} from 'kubernetes-types/networking/v1.d.ts';
import { EVERYTHING, selectorFromObject } from '../api/label-selector.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { type Policy, type PolicyRule, type RulePeer, type RulePort, TIER_NAMESPACE } from './policy-rule.ts';
import { PROTOCOL_SCTP } from './port-verdicts.ts';

const MAX_PORT = 65_535;
const PROTOCOLS: Readonly<Record<string, number>> = {
  TCP: ipv4.PROTOCOL_TCP,
  UDP: ipv4.PROTOCOL_UDP,
  SCTP: PROTOCOL_SCTP,
};

export function policyOf({ metadata, spec = { podSelector: {} } }: NetworkPolicy): Policy {
  const namespace = metadata?.namespace ?? '';
  const speaksOf = policyTypesOf(spec);
  return {
    title: `NetworkPolicy ${namespace}/${metadata?.name}`,
    tier: TIER_NAMESPACE,
    priority: 0,
    subject: { namespace, podSelector: selectorFromObject(spec.podSelector) ?? EVERYTHING },
    ingress: speaksOf.has('Ingress')
      ? (spec.ingress ?? []).map(({ from, ports }) => ruleOf(from, ports, namespace))
      : null,
    egress: speaksOf.has('Egress') ? (spec.egress ?? []).map(({ to, ports }) => ruleOf(to, ports, namespace)) : null,
    isolates: true,
    origin: { kind: 'NetworkPolicy', metadata, spec },
  };
}

/** Where they are not named: Ingress always, and Egress when there are egress rules. */
function policyTypesOf({ policyTypes = [], egress = [] }: NetworkPolicySpec): ReadonlySet<string> {
  if (policyTypes.length > 0) return new Set(policyTypes);
  return new Set(egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress']);
}

function ruleOf(
  peers: readonly NetworkPolicyPeer[] | undefined,
  ports: readonly NetworkPolicyPort[] | undefined,
  namespace: string,
): PolicyRule {
  return {
    action: 'allow',
    // Empty or missing, a list restricts nothing.
    peers: peers?.length ? peers.map((peer) => peerOf(peer, namespace)) : null,
    ports: ports?.length ? ports.map(portOf) : null,
  };
}

function peerOf({ ipBlock, namespaceSelector, podSelector }: NetworkPolicyPeer, namespace: string): RulePeer {
  if (ipBlock !== undefined && ipBlock !== null) {
    return { block: { cidr: ipBlock.cidr, except: ipBlock.except ?? [] } };
  }
  const pods = selectorFromObject(podSelector);
  const namespaces = selectorFromObject(namespaceSelector);
  // Without a selector of namespaces, the pods of the policy's own are meant.
  return {
    pods:
      namespaces === undefined
        ? { namespace, podSelector: pods }
        : { namespaceSelector: namespaces, podSelector: pods },
  };
}

function portOf({ protocol = 'TCP', port, endPort }: NetworkPolicyPort): RulePort {
  const number = PROTOCOLS[protocol] ?? ipv4.PROTOCOL_TCP;
  if (port === undefined || port === null) return { protocol: number, first: 0, last: MAX_PORT };
  if (typeof port === 'string') return { protocol: number, name: port };
  return { protocol: number, first: port, last: endPort ?? port };
}
