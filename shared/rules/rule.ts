/** One rule: what must hold of a packet, and what then happens. The shape of an entry of the kernel's ip_tables. */
import type { IpPrefix } from '../wire/ip-address.ts';
import type { Match } from './match.ts';
import type { Target } from './target.ts';

export interface PrefixMatch extends IpPrefix {
  readonly negated?: boolean;
}

/** `-i cni0`, `! -o veth+`: a trailing `+` matches any continuation of the name. */
export interface DeviceMatch {
  readonly name: string;
  readonly negated?: boolean;
}

export type ProtocolName = 'tcp' | 'udp' | 'icmp' | 'icmpv6' | 'sctp';

export interface ProtocolMatch {
  readonly name: ProtocolName;
  readonly negated?: boolean;
}

export interface Rule {
  readonly source?: PrefixMatch;
  readonly destination?: PrefixMatch;
  readonly inDevice?: DeviceMatch;
  readonly outDevice?: DeviceMatch;
  readonly protocol?: ProtocolMatch;
  /** Extensions, tried in order; all must match. */
  readonly matches?: readonly Match[];
  /** Without a target the rule only counts. */
  readonly target?: Target;
}

/** IANA protocol numbers of the names that rules may use. */
export const PROTOCOL_NUMBERS: Readonly<Record<ProtocolName, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  icmpv6: 58,
  sctp: 132,
};
