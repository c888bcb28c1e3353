import { completeChecksums } from '../../../shared/wire/complete-checksums.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import * as ipv6 from '../../../shared/wire/ipv6.ts';
import type { Packet, PacketMemory } from '../../../shared/wire/packet-memory.ts';

/**
 * Flips one bit of the IP packet in a frame, one that a checksum covers: of IPv6, which has none of its own, behind the
 * header. False for a frame without any (ARP), and for a super-segment, whose checksums are yet to be made: their receiver
 * could not tell. `headerBytes` stand before the frame; what has such a header left the process' checksums behind.
 */
export function flipBit(memory: PacketMemory, packet: Packet, headerBytes: number, random: () => number): boolean {
  const { view, bytes } = memory;
  const frame = packet.offset + headerBytes;
  const length = packet.length - headerBytes;
  if (packet.segmentBytes > 0 || !ethernet.check(view, frame, length)) return false;
  const from = uncoveredBytes(ethernet.type(view, frame));
  if (from >= length) return false;
  if (headerBytes === 0) completeChecksums(memory, packet);
  const at = frame + from + Math.floor(random() * (length - from));
  bytes[at]! ^= 1 << Math.floor(random() * 8);
  return true;
}

/** Bytes at the start of a frame that no checksum covers; Infinity when none covers any. */
function uncoveredBytes(etherType: number): number {
  if (etherType === ethernet.TYPE_IPV4) return ethernet.HEADER_BYTES;
  return etherType === ethernet.TYPE_IPV6 ? ethernet.HEADER_BYTES + ipv6.HEADER_BYTES : Number.POSITIVE_INFINITY;
}
