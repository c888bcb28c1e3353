/** What policies need to know of a pod. */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { parseAddress } from '../wire/ip-address.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { PROTOCOL_SCTP } from './port-verdicts.ts';

export interface NamedPort {
  readonly name: string;
  readonly protocol: number;
  readonly port: number;
}

export interface PolicyPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly nodeName: string | undefined;
  readonly serviceAccount?: string;
  /** Its own; none for a pod on the host's network, which policies see as the node. */
  readonly addresses: readonly number[];
  readonly ports: readonly NamedPort[];
}

const PROTOCOLS: Readonly<Record<string, number>> = {
  TCP: ipv4.PROTOCOL_TCP,
  UDP: ipv4.PROTOCOL_UDP,
  SCTP: PROTOCOL_SCTP,
};

/** A pod that has ended has given its address back. */
export function policyPodOf({ metadata, spec, status }: Pod): PolicyPod {
  const ended = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  const own = !ended && !spec?.hostNetwork;
  const texts = status?.podIPs?.map(({ ip }) => ip ?? '') ?? (status?.podIP ? [status.podIP] : []);
  return {
    uid: metadata?.uid ?? '',
    namespace: metadata?.namespace ?? '',
    name: metadata?.name ?? '',
    labels: metadata?.labels ?? {},
    nodeName: spec?.nodeName,
    serviceAccount: spec?.serviceAccountName ?? 'default',
    addresses: own ? texts.flatMap((text) => parseAddress(text) ?? []) : [],
    ports: (spec?.containers ?? []).flatMap(({ ports = [] }) =>
      ports.flatMap(({ name, protocol = 'TCP', containerPort }) =>
        name ? [{ name, protocol: PROTOCOLS[protocol] ?? ipv4.PROTOCOL_TCP, port: containerPort }] : [],
      ),
    ),
  };
}
