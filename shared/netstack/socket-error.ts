import * as icmp from '../wire/icmp.ts';
import { formatEndpoint } from '../wire/ip-address.ts';

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

/** What a "destination unreachable" other than "fragmentation needed" means for a socket, in Linux' words. */
export function unreachableError(code: number): 'ECONNREFUSED' | 'EHOSTUNREACH' | 'ENETUNREACH' | 'ENOPROTOOPT' {
  switch (code) {
    case icmp.CODE_NET_UNREACHABLE:
      return 'ENETUNREACH';
    case icmp.CODE_PROTOCOL_UNREACHABLE:
      return 'ENOPROTOOPT';
    case icmp.CODE_PORT_UNREACHABLE:
      return 'ECONNREFUSED';
    default:
      return 'EHOSTUNREACH';
  }
}
