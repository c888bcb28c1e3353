/**
 * ICMP errors without regard to the version: what is sent for each (RFC 792, RFC 4443), and how one that comes is told to
 * sockets and programs, which is in ICMPv4's types and codes (the correspondence is that of RFC 7915 sections 4.2 and 5.2).
 */
import * as icmp from '../wire/icmp.ts';
import * as icmpv6 from '../wire/icmpv6.ts';

export interface IcmpErrorKind {
  readonly type: number;
  readonly code: number;
  readonly type6: number;
  readonly code6: number;
}

const kind = (type: number, code: number, type6: number, code6: number): IcmpErrorKind =>
  Object.freeze({ type, code, type6, code6 });

const { DESTINATION_UNREACHABLE, PARAMETER_PROBLEM, TIME_EXCEEDED } = icmp;

export const NET_UNREACHABLE = kind(
  DESTINATION_UNREACHABLE,
  icmp.CODE_NET_UNREACHABLE,
  icmpv6.DESTINATION_UNREACHABLE,
  icmpv6.CODE_NO_ROUTE,
);
export const HOST_UNREACHABLE = kind(
  DESTINATION_UNREACHABLE,
  icmp.CODE_HOST_UNREACHABLE,
  icmpv6.DESTINATION_UNREACHABLE,
  icmpv6.CODE_ADDRESS_UNREACHABLE,
);
export const PORT_UNREACHABLE = kind(
  DESTINATION_UNREACHABLE,
  icmp.CODE_PORT_UNREACHABLE,
  icmpv6.DESTINATION_UNREACHABLE,
  icmpv6.CODE_PORT_UNREACHABLE,
);
export const PROHIBITED = kind(
  DESTINATION_UNREACHABLE,
  icmp.CODE_ADMINISTRATIVELY_PROHIBITED,
  icmpv6.DESTINATION_UNREACHABLE,
  icmpv6.CODE_PROHIBITED,
);
export const PROTOCOL_UNREACHABLE = kind(
  DESTINATION_UNREACHABLE,
  icmp.CODE_PROTOCOL_UNREACHABLE,
  icmpv6.PARAMETER_PROBLEM,
  icmpv6.CODE_UNKNOWN_NEXT_HEADER,
);
export const PACKET_TOO_BIG = kind(DESTINATION_UNREACHABLE, icmp.CODE_FRAGMENTATION_NEEDED, icmpv6.PACKET_TOO_BIG, 0);
export const TTL_EXCEEDED = kind(
  TIME_EXCEEDED,
  icmp.CODE_TTL_EXCEEDED,
  icmpv6.TIME_EXCEEDED,
  icmpv6.CODE_HOP_LIMIT_EXCEEDED,
);
export const REASSEMBLY_TIME_EXCEEDED = kind(
  TIME_EXCEEDED,
  icmp.CODE_REASSEMBLY_TIME_EXCEEDED,
  icmpv6.TIME_EXCEEDED,
  icmpv6.CODE_REASSEMBLY_TIME_EXCEEDED,
);

const KINDS = [
  NET_UNREACHABLE,
  HOST_UNREACHABLE,
  PORT_UNREACHABLE,
  PROHIBITED,
  PROTOCOL_UNREACHABLE,
  PACKET_TOO_BIG,
  TTL_EXCEEDED,
  REASSEMBLY_TIME_EXCEEDED,
];

/** An ICMP error as a socket is told of it. */
export interface IcmpErrorReport {
  /** Who sent it. */
  readonly from: number;
  /** ICMPv4's, whatever the version. */
  readonly type: number;
  readonly code: number;
  /** Of "fragmentation needed" and "packet too big"; 0 otherwise. */
  readonly mtuBytes: number;
  /** With which it came. */
  readonly ttl: number;
}

/** ICMPv4's type and code for those of an ICMPv6 error; other codes of a type are told as its first. */
export function inIcmpv4Terms(type6: number, code6: number): { readonly type: number; readonly code: number } {
  const exact = KINDS.find((known) => known.type6 === type6 && known.code6 === code6);
  if (exact !== undefined) return exact;
  const similar = KINDS.find((known) => known.type6 === type6 && type6 !== icmpv6.PARAMETER_PROBLEM);
  return similar ?? { type: PARAMETER_PROBLEM, code: 0 };
}
