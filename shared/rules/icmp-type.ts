/** ICMP's types and codes by the names that iptables has for them (`iptables -p icmp -h`, `ip6tables -p icmpv6 -h`). */
import type { IpFamily } from '../wire/ip-address.ts';

export interface IcmpType {
  readonly type: number;
  /** Absent for all of the type. */
  readonly code?: number;
}

const NAMES: Readonly<Record<IpFamily, Readonly<Record<string, readonly [type: number, code?: number]>>>> = {
  ipv4: {
    'echo-reply': [0],
    pong: [0],
    'destination-unreachable': [3],
    'network-unreachable': [3, 0],
    'host-unreachable': [3, 1],
    'protocol-unreachable': [3, 2],
    'port-unreachable': [3, 3],
    'fragmentation-needed': [3, 4],
    'source-route-failed': [3, 5],
    'network-unknown': [3, 6],
    'host-unknown': [3, 7],
    'network-prohibited': [3, 9],
    'host-prohibited': [3, 10],
    'TOS-network-unreachable': [3, 11],
    'TOS-host-unreachable': [3, 12],
    'communication-prohibited': [3, 13],
    'host-precedence-violation': [3, 14],
    'precedence-cutoff': [3, 15],
    'source-quench': [4],
    redirect: [5],
    'network-redirect': [5, 0],
    'host-redirect': [5, 1],
    'echo-request': [8],
    ping: [8],
    'router-advertisement': [9],
    'router-solicitation': [10],
    'time-exceeded': [11],
    'ttl-exceeded': [11],
    'ttl-zero-during-transit': [11, 0],
    'ttl-zero-during-reassembly': [11, 1],
    'parameter-problem': [12],
    'timestamp-request': [13],
    'timestamp-reply': [14],
    'address-mask-request': [17],
    'address-mask-reply': [18],
  },
  ipv6: {
    'destination-unreachable': [1],
    'no-route': [1, 0],
    'communication-prohibited': [1, 1],
    'beyond-scope': [1, 2],
    'address-unreachable': [1, 3],
    'port-unreachable': [1, 4],
    'failed-policy': [1, 5],
    'reject-route': [1, 6],
    'packet-too-big': [2],
    'time-exceeded': [3],
    'ttl-exceeded': [3],
    'ttl-zero-during-transit': [3, 0],
    'ttl-zero-during-reassembly': [3, 1],
    'parameter-problem': [4],
    'bad-header': [4, 0],
    'unknown-header-type': [4, 1],
    'unknown-option': [4, 2],
    'echo-request': [128],
    ping: [128],
    'echo-reply': [129],
    pong: [129],
    'router-solicitation': [133],
    'router-advertisement': [134],
    'neighbour-solicitation': [135],
    'neighbor-solicitation': [135],
    'neighbour-advertisement': [136],
    'neighbor-advertisement': [136],
    redirect: [137],
  },
};

/** `echo-request`, `8`, `3/4`; undefined for what is none. */
export function parseIcmpType(text: string, family: IpFamily): IcmpType | undefined {
  const named = Object.hasOwn(NAMES[family], text) ? NAMES[family][text] : undefined;
  if (named !== undefined) return named[1] === undefined ? { type: named[0] } : { type: named[0], code: named[1] };
  const [, type, code] = /^(\d{1,3})(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  if (type === undefined || Number(type) > 255 || Number(code ?? 0) > 255) return undefined;
  return code === undefined ? { type: Number(type) } : { type: Number(type), code: Number(code) };
}

/** `echo-request`; numbers for what has no name. */
export function icmpTypeName(icmp: IcmpType, family: IpFamily): string {
  const known = Object.entries(NAMES[family]).find(([, [type, code]]) => type === icmp.type && code === icmp.code);
  return known?.[0] ?? (icmp.code === undefined ? `type ${icmp.type}` : `type ${icmp.type} code ${icmp.code}`);
}
