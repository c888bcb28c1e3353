/** A packet at the moment it is dropped as a frame that a capture can hold, wherever in the stack that happened. */
import { completeChecksums } from '../../../shared/wire/complete-checksums.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import type { Packet, PacketMemory } from '../../../shared/wire/packet-memory.ts';
import type { LentFrame } from './capture.ts';

/**
 * A copy, its checksums right. A packet that never had an Ethernet header gets one with zero addresses; null when nothing
 * of it can be made out.
 */
export function droppedFrame(memory: PacketMemory, packet: Packet): LentFrame | null {
  const { view } = memory;
  const network = networkHeader(view, packet);
  if (network === null) {
    if (!isFrame(view, packet)) return null;
    return copyOf(memory, packet, packet.offset, packet.length);
  }
  const length = ethernet.HEADER_BYTES + ipv4.totalLength(view, network);
  return copyOf(memory, packet, network - ethernet.HEADER_BYTES, length, hadEthernet(view, packet, network));
}

/** Where the packet was dropped its IP header is at hand, or where the network layer noted it. */
function networkHeader(view: DataView, packet: Packet): number | null {
  const behindEthernet = isFrame(view, packet) && ethernet.type(view, packet.offset) === ethernet.TYPE_IPV4;
  const candidates = [packet.offset, behindEthernet ? packet.offset + ethernet.HEADER_BYTES : 0, packet.networkOffset];
  return candidates.find((at) => at > packet.slotStart && ipv4.check(view, at, packet.slotEnd - at)) ?? null;
}

function isFrame(view: DataView, packet: Packet): boolean {
  if (!ethernet.check(view, packet.offset, packet.length)) return false;
  const type = ethernet.type(view, packet.offset);
  return type === ethernet.TYPE_IPV4 || type === ethernet.TYPE_ARP || type === ethernet.TYPE_IPV6;
}

function hadEthernet(view: DataView, packet: Packet, network: number): boolean {
  return network - ethernet.HEADER_BYTES >= packet.slotStart && view.getUint16(network - 2) === ethernet.TYPE_IPV4;
}

function copyOf(memory: PacketMemory, packet: Packet, start: number, length: number, header = true): LentFrame | null {
  const copy = memory.allocate(length);
  if (copy === undefined) return null;
  const { bytes, view } = memory;
  if (header) bytes.copyWithin(copy.offset, start, start + length);
  else {
    const from = start + ethernet.HEADER_BYTES;
    bytes.copyWithin(copy.offset + ethernet.HEADER_BYTES, from, from + length - ethernet.HEADER_BYTES);
    ethernet.encode(view, copy.offset, 0, 0, ethernet.TYPE_IPV4);
  }
  copy.checksumTrusted = packet.checksumTrusted;
  completeChecksums(memory, copy);
  const frame = bytes.slice(copy.offset, copy.offset + length);
  memory.free(copy);
  return { view: new DataView(frame.buffer), offset: 0, length };
}
