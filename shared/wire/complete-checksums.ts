/**
 * The checksums of a packet whose transport nobody summed yet (`checksumTrusted`), written at the moment it leaves the
 * process; and their verification for packets that came in from outside.
 */
import * as checksum from './checksum.ts';
import * as ethernet from './ethernet.ts';
import * as icmp from './icmp.ts';
import * as ip from './ip.ts';
import * as ipv4 from './ipv4.ts';
import * as ipv6 from './ipv6.ts';
import type { Packet, PacketMemory } from './packet-memory.ts';
import * as tcp from './tcp.ts';
import * as udp from './udp.ts';

/**
 * Makes every byte of an Ethernet frame right that leaves the process: the transport checksum of a trusted packet is
 * computed, and the packet is no longer trusted. A frame that is not IP or was not trusted stays as it is.
 */
export function completeChecksums(memory: PacketMemory, frame: Packet): void {
  if (!frame.checksumTrusted) return;
  frame.checksumTrusted = false;
  const { view } = memory;
  if (!ethernet.check(view, frame.offset, frame.length)) return;
  const type = ethernet.type(view, frame.offset);
  if (type !== ethernet.TYPE_IPV4 && type !== ethernet.TYPE_IPV6) return;
  completeIpChecksums(memory, frame.offset + ethernet.HEADER_BYTES, frame.length - ethernet.HEADER_BYTES);
}

/** The same for an IP packet of `length` bytes at `offset`. Fragments have no transport checksum of their own. */
export function completeIpChecksums(memory: PacketMemory, offset: number, length: number): void {
  const { view } = memory;
  if (!ip.check(view, offset, length) || ip.isFragment(view, offset)) return;
  const header = ip.headerBytes(view, offset);
  const transport = offset + header;
  const size = ip.totalLength(view, offset) - header;
  switch (ip.protocol(view, offset)) {
    case ipv4.PROTOCOL_TCP:
      if (!tcp.check(view, transport, size)) return;
      tcp.setChecksum(view, transport, 0);
      tcp.setChecksum(view, transport, transportChecksum(memory, offset, transport, size));
      return;
    case ipv4.PROTOCOL_UDP:
      if (!udp.check(view, transport, size)) return;
      udp.clearChecksum(view, transport);
      udp.setChecksum(view, transport, transportChecksum(memory, offset, transport, udp.length(view, transport)));
      return;
    case ipv4.PROTOCOL_ICMP:
      if (!icmp.check(view, transport, size)) return;
      icmp.setChecksum(view, transport, 0);
      icmp.setChecksum(view, transport, checksum.finish(memory.sum(transport, size)));
      return;
    case ipv6.PROTOCOL_ICMPV6:
      if (!icmp.check(view, transport, size)) return;
      icmp.setChecksum(view, transport, 0);
      icmp.setChecksum(view, transport, transportChecksum(memory, offset, transport, size));
      return;
  }
}

/** The checksum of `size` bytes of TCP, UDP or ICMPv6 at `transport` under the IP header at `network`, as they stand. */
export function transportChecksum(memory: PacketMemory, network: number, transport: number, size: number): number {
  const { view } = memory;
  const pseudo = ip.pseudoHeaderSum(view, network, ip.protocol(view, network), size);
  return checksum.finish(pseudo + memory.sum(transport, size));
}
