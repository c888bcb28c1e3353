/** What is wrong with the header of a packet that came in (RFC 1812 section 5.2.2, RFC 8200 section 4). */
import * as ip from '../wire/ip.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { isIpv6, NO_ADDRESS } from '../wire/ipv6-table.ts';
import type { Packet } from '../wire/packet-memory.ts';
import * as drop from './drop-reasons.ts';
import type { DropReason } from './hooks.ts';

/** null when the header is in order; `packet.offset` is at it and link padding may follow the packet. */
export function headerDefect(view: DataView, packet: Packet): DropReason | null {
  const at = packet.offset;
  if (!ip.check(view, at, packet.length)) return drop.IP_MALFORMED;
  return ip.isIpv6(view, at) ? ipv6Defect(view, at) : ipv4Defect(view, at, packet.checksumTrusted);
}

function ipv4Defect(view: DataView, at: number, checksumTrusted: boolean): DropReason | null {
  if (!checksumTrusted && !ipv4.checksumValid(view, at)) return drop.IP_CHECKSUM;
  // The numbers of 240.0.0.0/4 are those of IPv6 addresses here (ipv6-table.ts); on no wire are they anybody's.
  if (isIpv6(ipv4.source(view, at))) return drop.MARTIAN_SOURCE;
  if (isIpv6(ipv4.destination(view, at))) return drop.MARTIAN_DESTINATION;
  if (ipv4.headerBytes(view, at) === ipv4.HEADER_BYTES) return null;
  return optionsDefect(ipv4.optionsKind(view, at));
}

function ipv6Defect(view: DataView, at: number): DropReason | null {
  if (ipv6.source(view, at) === NO_ADDRESS || ipv6.destination(view, at) === NO_ADDRESS) return drop.ADDRESS_TABLE_FULL;
  return optionsDefect(ipv6.optionsKind(view, at));
}

function optionsDefect(kind: ReturnType<typeof ipv6.optionsKind>): DropReason | null {
  if (kind === 'malformed') return drop.IP_OPTIONS_MALFORMED;
  if (kind === 'source-route') return drop.IP_SOURCE_ROUTE;
  return kind === 'unknown' ? drop.IP_OPTION_UNKNOWN : null;
}
