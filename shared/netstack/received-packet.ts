/**
 * A packet that came in, made ready for the hooks: its header is looked at (RFC 1812 section 5.2.2, RFC 8200 section 4), link
 * padding cut off, and where its headers begin is noted. The version is asked once, for this runs for every packet.
 */
import * as ip from '../wire/ip.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { isIpv6, NO_ADDRESS } from '../wire/ipv6-table.ts';
import type { Packet } from '../wire/packet-memory.ts';
import * as drop from './drop-reasons.ts';
import type { DropReason } from './hooks.ts';

/** null when the header at `packet.offset` is in order; the packet is then as long as its header says. */
export function prepareReceived(view: DataView, packet: Packet): DropReason | null {
  packet.mayFragment = false;
  packet.networkOffset = packet.offset;
  if (packet.length > 0 && ip.isIpv6(view, packet.offset)) return prepareIpv6(view, packet);
  return prepareIpv4(view, packet);
}

function prepareIpv4(view: DataView, packet: Packet): DropReason | null {
  const at = packet.offset;
  if (!ipv4.check(view, at, packet.length)) return drop.IP_MALFORMED;
  if (!packet.checksumTrusted && !ipv4.checksumValid(view, at)) return drop.IP_CHECKSUM;
  // The numbers of 240.0.0.0/4 are those of IPv6 addresses here (ipv6-table.ts); on no wire are they anybody's.
  if (isIpv6(ipv4.source(view, at))) return drop.MARTIAN_SOURCE;
  if (isIpv6(ipv4.destination(view, at))) return drop.MARTIAN_DESTINATION;
  const header = ipv4.headerBytes(view, at);
  packet.length = ipv4.totalLength(view, at);
  packet.transportOffset = at + header;
  return header === ipv4.HEADER_BYTES ? null : optionsDefect(ipv4.optionsKind(view, at));
}

function prepareIpv6(view: DataView, packet: Packet): DropReason | null {
  const at = packet.offset;
  if (!ipv6.check(view, at, packet.length)) return drop.IP_MALFORMED;
  if (ipv6.source(view, at) === NO_ADDRESS || ipv6.destination(view, at) === NO_ADDRESS) return drop.ADDRESS_TABLE_FULL;
  packet.length = ipv6.totalLength(view, at);
  packet.transportOffset = at + ipv6.headerBytes(view, at);
  return optionsDefect(ipv6.optionsKind(view, at));
}

function optionsDefect(kind: ReturnType<typeof ipv6.optionsKind>): DropReason | null {
  if (kind === 'malformed') return drop.IP_OPTIONS_MALFORMED;
  if (kind === 'source-route') return drop.IP_SOURCE_ROUTE;
  return kind === 'unknown' ? drop.IP_OPTION_UNKNOWN : null;
}
