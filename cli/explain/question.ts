/** What `podwire explain` is asked, and where that leads. */
import type { Pod } from 'kubernetes-types/core/v1.js';
import { PROTOCOL_SCTP } from '../../shared/policy/port-verdicts.ts';
import type { Backend, Destination, DestinationQuestion } from './backends.ts';
import type { ClusterObjects } from './cluster-objects.ts';
import type { LiveFacts } from './live-facts.ts';
import type { Target } from './target.ts';

export const PROTOCOLS = { tcp: 6, udp: 17, sctp: PROTOCOL_SCTP, icmp: 1 } as const;
export type ProtocolName = keyof typeof PROTOCOLS;

/** What resolv.conf of a pod names. */
const CLUSTER_DNS: Target = {
  kind: 'name',
  name: 'kube-dns',
  namespace: 'kube-system',
  only: 'service',
  port: 53,
};

export interface ExplainQuestion {
  readonly client: Pod;
  readonly target: Target;
  readonly protocol: ProtocolName;
  /** Whether the cluster's CNI plugin enforces policies. */
  readonly enforced: boolean;
  /** What nodes say; nothing of links and programs by default. */
  readonly facts?: LiveFacts;
}

export function destinationQuestion({ client, target, protocol }: ExplainQuestion): DestinationQuestion {
  return { target, protocol: protocol.toUpperCase(), client };
}

export function backendsOf(destination: Destination): readonly Backend[] {
  if (destination.kind === 'nothing') return [];
  return destination.kind === 'service' ? destination.backends : [destination.backend];
}

/** A pod's name is known to the DNS only behind a headless Service's. */
export function asksDns({ target }: ExplainQuestion, destination: Destination): boolean {
  return target.kind === 'name' && target.asksDns === true && (destination.kind === 'service' || target.only === 'pod');
}

export function dnsQuestion(question: ExplainQuestion): ExplainQuestion {
  return { ...question, protocol: 'udp', target: CLUSTER_DNS };
}

/** Undefined where packets carry the addresses of endpoints. */
export function serviceAddress(
  { target }: ExplainQuestion,
  destination: Destination,
): { readonly address: string; readonly port: number } | undefined {
  if (destination.kind !== 'service') return undefined;
  const { service, port } = destination;
  const address = target.kind === 'address' ? target.address : service.spec?.clusterIP;
  return address === undefined || address === 'None' ? undefined : { address, port: port.port };
}

/** API servers are outside, and answer. */
export function isEndpoint(slices: ClusterObjects['slices'], address: string): boolean {
  return slices.some(({ endpoints }) => endpoints?.some(({ addresses }) => addresses.includes(address)));
}
