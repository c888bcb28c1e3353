import { completeChecksums } from '../../../shared/wire/complete-checksums.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import type { Packet, PacketMemory } from '../../../shared/wire/packet-memory.ts';

/**
 * Flips one bit of the IPv4 packet in a frame, which its checksums must find. False for a frame that has none (ARP) and for
 * a super-segment, whose checksums are yet to be made: their receiver could not tell. `headerBytes` stand before the frame.
 */
export function flipBit(memory: PacketMemory, packet: Packet, headerBytes: number, random: () => number): boolean {
  const { view, bytes } = memory;
  const frame = packet.offset + headerBytes;
  const length = packet.length - headerBytes;
  if (packet.segmentBytes > 0 || !ethernet.check(view, frame, length)) return false;
  if (ethernet.type(view, frame) !== ethernet.TYPE_IPV4 || length === ethernet.HEADER_BYTES) return false;
  if (headerBytes === 0) completeChecksums(memory, packet); // what has a header before it has left the process' checksums behind
  const at = frame + ethernet.HEADER_BYTES + Math.floor(random() * (length - ethernet.HEADER_BYTES));
  bytes[at]! ^= 1 << Math.floor(random() * 8);
  return true;
}
