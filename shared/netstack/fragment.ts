/** Cutting a datagram into fragments that fit an MTU (RFC 791 section 3.2, RFC 8200 section 4.5). */
import { completeIpChecksums } from '../wire/complete-checksums.ts';
import * as ip from '../wire/ip.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import type { Packet } from '../wire/packet-memory.ts';
import * as drop from './drop-reasons.ts';
import type { Host } from './host.ts';

/**
 * Hands each fragment of `packet` to `transmit` and frees the packet. The transport checksum is completed first: it covers
 * all the fragments and nobody can compute it from one. A fragment may itself be cut again.
 */
export function transmitFragments(
  host: Host,
  packet: Packet,
  mtuBytes: number,
  transmit: (fragment: Packet) => void,
): void {
  const { memory } = host;
  const { view, bytes } = memory;
  const isIpv6 = ip.isIpv6(view, packet.offset);
  if (packet.checksumTrusted) completeIpChecksums(memory, packet.offset, packet.length);
  // All of IPv6's extension headers count as data here: none of ours asks routers for anything.
  const header = isIpv6 ? ipv6.HEADER_BYTES : ipv4.headerBytes(view, packet.offset);
  const inserted = isIpv6 ? ipv6.FRAGMENT_HEADER_BYTES : 0;
  const dataBytes = packet.length - header;
  const firstOffset = isIpv6 ? 0 : ipv4.fragmentOffset(view, packet.offset);
  const moreAfter = !isIpv6 && ipv4.moreFragments(view, packet.offset);
  const id = isIpv6 ? host.nextIdentification() : 0;
  const step = (mtuBytes - header - inserted) & ~7;
  for (let at = 0; at < dataBytes; at += step) {
    const size = Math.min(step, dataBytes - at);
    const fragment = memory.allocate(header + inserted + size);
    if (fragment === undefined) {
      host.countDrop(drop.NO_PACKET_MEMORY);
      break;
    }
    bytes.copyWithin(fragment.offset, packet.offset, packet.offset + header);
    const from = packet.offset + header + at;
    bytes.copyWithin(fragment.offset + header + inserted, from, from + size);
    fragment.networkOffset = fragment.offset;
    fragment.transportOffset = fragment.offset + header + inserted;
    fragment.mark = packet.mark;
    const more = moreAfter || at + size < dataBytes;
    if (isIpv6) insertFragmentHeader(view, fragment, at, more, id);
    else ipv4.setFragment(view, fragment.offset, header + size, firstOffset + at, more);
    host.counters.fragmentsSent++;
    transmit(fragment);
  }
  memory.free(packet);
}

function insertFragmentHeader(view: DataView, fragment: Packet, start: number, more: boolean, id: number): void {
  const { offset } = fragment;
  ipv6.encodeFragment(view, offset + ipv6.HEADER_BYTES, ipv6.nextHeader(view, offset), start, more, id);
  ipv6.setNextHeader(view, offset, ipv6.FRAGMENT);
  ipv6.setTotalLength(view, offset, fragment.length);
}
