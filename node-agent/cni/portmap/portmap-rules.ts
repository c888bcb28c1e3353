/**
 * hostPort: rules that lead a port of the node to a port of a pod, as the CNI plugin `portmap` writes them; pure.
 *
 *   nat PREROUTING, OUTPUT: to a local address -> CNI-HOSTPORT-DNAT: by port -> mark for masquerade when the client is
 *   the pod or the node itself, DNAT; nat POSTROUTING: marked -> MASQUERADE
 */
import { comment } from '../../../shared/rules/match.ts';
import type { ProtocolName, Rule } from '../../../shared/rules/rule.ts';
import { jump, orMark } from '../../../shared/rules/target.ts';
import type { HookRule, RulesTransaction } from '../../../shared/rules/transaction.ts';
import type { Ipv4Prefix } from '../../../shared/wire/address.ts';

export interface HostPortMapping {
  readonly protocol: Extract<ProtocolName, 'tcp' | 'udp'>;
  readonly hostPort: number;
  /** 0 means every address of the node. */
  readonly hostIp: number;
  readonly podAddress: number;
  readonly containerPort: number;
  /** `default/web-0`, for the rule's comment. */
  readonly pod: string;
}

const DNAT_CHAIN = 'CNI-HOSTPORT-DNAT';
const MASQ_CHAIN = 'CNI-HOSTPORT-MASQ';
const MASQ_MARK = 0x2000;

/** Replaces all mappings that the node had. */
export function portmapRules(
  mappings: readonly HostPortMapping[],
  podCidr: Ipv4Prefix,
  bootId: string,
): RulesTransaction {
  const toLocal = { kind: 'addrtype', side: 'destination', type: 'LOCAL' } as const;
  const marked = { kind: 'mark', value: MASQ_MARK, mask: MASQ_MARK } as const;
  const hooks: HookRule[] = [
    { chain: 'PREROUTING', position: 'last', rule: { matches: [toLocal], target: jump(DNAT_CHAIN) } },
    { chain: 'OUTPUT', position: 'last', rule: { matches: [toLocal], target: jump(DNAT_CHAIN) } },
    { chain: 'POSTROUTING', position: 'first', rule: { target: jump(MASQ_CHAIN) } },
  ];
  return {
    owner: 'portmap',
    bootId,
    base: null,
    tables: {
      nat: {
        set: {
          [DNAT_CHAIN]: mappings.flatMap((mapping) => mappingRules(mapping, podCidr)),
          [MASQ_CHAIN]: [{ matches: [marked], target: { kind: 'masquerade' } }],
        },
        hooks,
      },
    },
  };
}

function mappingRules(mapping: HostPortMapping, podCidr: Ipv4Prefix): Rule[] {
  const { protocol, hostPort, hostIp, podAddress, containerPort, pod } = mapping;
  const matches = [
    { kind: protocol, destination: { first: hostPort, last: hostPort } } as const,
    comment(`dnat name: "cbr0" id: "${pod}"`),
  ];
  const base: Rule = {
    ...(hostIp === 0 ? {} : { destination: { address: hostIp, prefixLength: 32 } }),
    protocol: { name: protocol },
    matches,
  };
  return [
    { ...base, source: podCidr, target: orMark(MASQ_MARK) },
    { ...base, source: { address: 0x7f00_0000, prefixLength: 8 }, target: orMark(MASQ_MARK) },
    { ...base, target: { kind: 'dnat', address: podAddress, port: containerPort } },
  ];
}
