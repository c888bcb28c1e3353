/** Cutting an IPv4 datagram into fragments that fit an MTU (RFC 791 section 3.2). */
import { completeIpChecksums } from '../wire/complete-checksums.ts';
import * as ipv4 from '../wire/ipv4.ts';
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
  if (packet.checksumTrusted) completeIpChecksums(memory, packet.offset, packet.length);
  const header = ipv4.headerBytes(view, packet.offset);
  const dataBytes = packet.length - header;
  const firstOffset = ipv4.fragmentOffset(view, packet.offset);
  const moreAfter = ipv4.moreFragments(view, packet.offset);
  const step = (mtuBytes - header) & ~7;
  for (let at = 0; at < dataBytes; at += step) {
    const size = Math.min(step, dataBytes - at);
    const fragment = memory.allocate(header + size);
    if (fragment === undefined) {
      host.countDrop(drop.NO_PACKET_MEMORY);
      break;
    }
    bytes.copyWithin(fragment.offset, packet.offset, packet.offset + header);
    const from = packet.offset + header + at;
    bytes.copyWithin(fragment.offset + header, from, from + size);
    fragment.networkOffset = fragment.offset;
    fragment.transportOffset = fragment.offset + header;
    fragment.mark = packet.mark;
    ipv4.setFragment(view, fragment.offset, header + size, firstOffset + at, moreAfter || at + size < dataBytes);
    host.counters.fragmentsSent++;
    transmit(fragment);
  }
  memory.free(packet);
}
