/**
 * What a rule asks of a packet beyond its addresses, protocol and devices: one value per iptables match extension
 * (iptables-extensions(8)), in the order in which the rule lists them.
 */

import type { IcmpType } from './icmp-type.ts';
import type { TcpFlags } from './tcp-flags.ts';

/** An inclusive range of ports; a single port has `first === last`. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** `-m tcp --dport 80`, `-m udp ! --sport 1000:2000`; an extension without ports still shows as `-m tcp`. */
export interface PortMatch {
  readonly kind: 'tcp' | 'udp' | 'sctp';
  readonly source?: PortRange;
  readonly sourceNegated?: boolean;
  readonly destination?: PortRange;
  readonly destinationNegated?: boolean;
  /** Of TCP: `--tcp-flags`, `--syn`. */
  readonly flags?: TcpFlags;
  readonly flagsNegated?: boolean;
}

/** `-m icmp --icmp-type 8`, `-m icmp6 --icmpv6-type 128`; without a type all of the protocol. */
export interface IcmpMatch {
  readonly kind: 'icmp' | 'icmp6';
  readonly icmp: IcmpType;
  readonly negated?: boolean;
}

/** `-m multiport --dports 80,443`: at most 15 ranges, as in the kernel. */
export interface MultiportMatch {
  readonly kind: 'multiport';
  readonly side: 'source' | 'destination';
  readonly ports: readonly PortRange[];
}

/** `-m comment --comment "..."`: at most 255 bytes; matches everything. */
export interface CommentMatch {
  readonly kind: 'comment';
  readonly comment: string;
}

/** `-m statistic --mode random --probability P`: an independent draw for every packet that reaches the match. */
export interface StatisticMatch {
  readonly kind: 'statistic';
  readonly probability: number;
}

/** `-m mark --mark value/mask`. */
export interface MarkMatch {
  readonly kind: 'mark';
  readonly value: number;
  readonly mask: number;
  readonly negated?: boolean;
}

export const CONNECTION_STATES = ['INVALID', 'NEW', 'RELATED', 'ESTABLISHED', 'UNTRACKED', 'SNAT', 'DNAT'] as const;
export type ConnectionState = (typeof CONNECTION_STATES)[number];

/** `-m conntrack --ctstate A,B`. */
export interface ConntrackMatch {
  readonly kind: 'conntrack';
  readonly states: readonly ConnectionState[];
  readonly negated?: boolean;
}

/** `-m addrtype --src-type LOCAL`, `--dst-type LOCAL`: whether an address is one of the node's own. */
export interface AddrtypeMatch {
  readonly kind: 'addrtype';
  readonly side: 'source' | 'destination';
  readonly type: 'LOCAL';
  /** `--limit-iface-in`: of those, an address of the device through which the packet came. */
  readonly ofInDevice?: boolean;
  readonly negated?: boolean;
}

/** `-m physdev`: the bridge port through which a bridged frame came or will go. */
export interface PhysdevMatch {
  readonly kind: 'physdev';
  readonly test:
    | { readonly kind: 'in'; readonly device: string }
    | { readonly kind: 'out'; readonly device: string }
    | { readonly kind: 'is-in' }
    | { readonly kind: 'is-out' }
    | { readonly kind: 'is-bridged' };
  readonly negated?: boolean;
}

export const RECENT_MODES = ['set', 'rcheck', 'update'] as const;

/**
 * `-m recent`: a named list of source addresses with the time each was last seen (client-IP affinity of Services).
 * `set` notes the address and matches; `rcheck` matches when it was noted within `seconds`; `update` does both.
 */
export interface RecentMatch {
  readonly kind: 'recent';
  readonly mode: (typeof RECENT_MODES)[number];
  readonly list: string;
  readonly seconds?: number;
  readonly reap?: boolean;
  readonly negated?: boolean;
}

/** `-m nfacct --nfacct-name N`: counts and matches everything. */
export interface NfacctMatch {
  readonly kind: 'nfacct';
  readonly name: string;
}

/** `-m set --match-set KUBE-CLUSTER-IP dst,dst`: whether the packet's addresses and ports are in an ipset. */
export interface SetMatch {
  readonly kind: 'set';
  readonly set: string;
  /** One for each part of the set's type: `dst` is the destination's address or port there. */
  readonly sides: readonly ('src' | 'dst')[];
  readonly negated?: boolean;
}

export type Match =
  | PortMatch
  | IcmpMatch
  | MultiportMatch
  | CommentMatch
  | StatisticMatch
  | MarkMatch
  | ConntrackMatch
  | AddrtypeMatch
  | PhysdevMatch
  | RecentMatch
  | NfacctMatch
  | SetMatch;

export function comment(text: string): CommentMatch {
  return { kind: 'comment', comment: text };
}

/** `-m <protocol> --dport <port>`. */
export function destinationPort(protocol: PortMatch['kind'], port: number): PortMatch {
  return { kind: protocol, destination: { first: port, last: port } };
}
