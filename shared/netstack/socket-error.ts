import * as icmp from '../wire/icmp.ts';
import { formatEndpoint } from '../wire/ip-address.ts';
import type { IcmpErrorReport } from './icmp-error.ts';

const MEANINGS: Record<string, string> = {
  EADDRINUSE: 'the address is in use',
  EADDRNOTAVAIL: 'this host has no such address',
  ENOBUFS: 'the host has too many sockets',
  EINVAL: 'the socket is in no state for that',
};

/** A socket call that failed at once; `code` is the operating system's name for it, as Node's own errors carry it. */
export class SocketError extends Error {
  readonly code: string;
  readonly syscall: string;

  constructor(code: string, syscall: string, address: number, port: number) {
    super(`${syscall} ${code} ${formatEndpoint(address, port)}: ${MEANINGS[code] ?? 'the call failed'}`);
    this.name = 'SocketError';
    this.code = code;
    this.syscall = syscall;
  }
}

const PASSING_CODES: readonly number[] = [
  icmp.CODE_NET_UNREACHABLE,
  icmp.CODE_HOST_UNREACHABLE,
  icmp.CODE_SOURCE_ROUTE_FAILED,
  icmp.CODE_NET_UNREACHABLE_FOR_TOS,
  icmp.CODE_HOST_UNREACHABLE_FOR_TOS,
];

type IcmpErrorCode = 'ECONNREFUSED' | 'EHOSTUNREACH' | 'EMSGSIZE' | 'ENETUNREACH' | 'ENOPROTOOPT';

/** What an ICMP error means for a socket, in Linux' words; null where it means nothing. */
export function icmpErrorCode(report: IcmpErrorReport): IcmpErrorCode | null {
  if (report.type === icmp.TIME_EXCEEDED) return 'EHOSTUNREACH';
  if (report.type !== icmp.DESTINATION_UNREACHABLE) return null;
  switch (report.code) {
    case icmp.CODE_NET_UNREACHABLE:
    case icmp.CODE_NET_UNKNOWN:
    case icmp.CODE_NET_PROHIBITED:
    case icmp.CODE_NET_UNREACHABLE_FOR_TOS:
      return 'ENETUNREACH';
    case icmp.CODE_FRAGMENTATION_NEEDED:
      return 'EMSGSIZE';
    case icmp.CODE_PROTOCOL_UNREACHABLE:
      return 'ENOPROTOOPT';
    case icmp.CODE_PORT_UNREACHABLE:
      return 'ECONNREFUSED';
    default:
      return 'EHOSTUNREACH';
  }
}

/** Errors of a path that may heal (RFC 1122 section 3.2.2.1, RFC 5461): the network or the host is not to be reached now. */
export function isPassing(report: IcmpErrorReport): boolean {
  if (report.type === icmp.TIME_EXCEEDED) return true;
  return report.type === icmp.DESTINATION_UNREACHABLE && PASSING_CODES.includes(report.code);
}
