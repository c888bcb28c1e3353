/**
 * Generic receive offload: of VXLAN datagrams that arrived together, neighbouring segments of one TCP connection over IPv4 become one
 * super-segment (`shared/netstack/super-segment.ts`), so that the node and the pod handle one packet instead of many.
 *
 *   | VXLAN | Ethernet | IPv4 | TCP | payload |  x n   ->   | VXLAN | Ethernet | IPv4 | TCP | payload x n |
 *
 * As in Linux, only what could be cut into the very same segments again is merged: the same headers but for length,
 * identification and sequence number, each checksum right, every payload but the last of one size.
 */
import { SUPER_SEGMENT_BYTES } from '../../shared/netstack/super-segment.ts';
import { transportChecksum } from '../../shared/wire/complete-checksums.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import * as tcp from '../../shared/wire/tcp.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';

/** VXLAN and Ethernet header: what stands before the IP header. */
const LEAD_BYTES = vxlan.HEADER_BYTES + ethernet.HEADER_BYTES;
const TRANSPORT = LEAD_BYTES + ipv4.HEADER_BYTES;
const LEAST_BYTES = TRANSPORT + tcp.HEADER_BYTES + 1;
/** Offsets in the IP header: type of service is in the word before, the identification after it. */
const IP_FRAGMENT = 6;
const IP_TTL = 8;
const IP_SOURCE = 12;
const IP_DESTINATION = 16;

export class SegmentMerger {
  private readonly memory: PacketMemory;

  constructor(memory: PacketMemory) {
    this.memory = memory;
  }

  /**
   * Takes `total` bytes at `start` in packet memory: datagrams of `datagramBytes` each, the last one shorter perhaps. Puts
   * packets of their own on `packets`; answers for how many datagrams there was no room.
   */
  take(start: number, total: number, datagramBytes: number, packets: Packet[]): number {
    const end = start + total;
    let lost = 0;
    for (let at = start; at < end; ) {
      const runEnd = this.runEnd(at, end, datagramBytes);
      if (runEnd === at || !this.merge(at, runEnd, datagramBytes, packets)) {
        const length = Math.min(datagramBytes, end - at);
        if (!this.copy(at, length, packets)) lost++;
        at += length;
      } else at = runEnd;
    }
    return lost;
  }

  /** Where the run of datagrams ends that `at` begins; `at` itself when nothing follows that fits. */
  private runEnd(at: number, end: number, datagramBytes: number): number {
    if (at + datagramBytes >= end || !this.isMergeable(at, datagramBytes)) return at;
    const { view } = this.memory;
    const headers = LEAD_BYTES + ipv4.HEADER_BYTES + tcp.headerBytes(view, at + TRANSPORT);
    const payloadBytes = datagramBytes - headers;
    const limit = at + Math.floor(SUPER_SEGMENT_BYTES / payloadBytes) * datagramBytes;
    let sequence = tcp.sequence(view, at + TRANSPORT);
    let next = at + datagramBytes;
    let closed = (tcp.flags(view, at + TRANSPORT) & tcp.PSH) !== 0;
    while (!closed && next < end && next < limit) {
      const length = Math.min(datagramBytes, end - next);
      sequence = (sequence + payloadBytes) >>> 0;
      if (!this.isMergeable(next, length) || !this.continues(at, next, headers, sequence)) break;
      closed = (tcp.flags(view, next + TRANSPORT) & tcp.PSH) !== 0;
      next += length;
    }
    return next === at + datagramBytes ? at : next;
  }

  /** A whole TCP segment with data and nothing out of the ordinary. */
  private isMergeable(at: number, length: number): boolean {
    const { view } = this.memory;
    if (length < LEAST_BYTES || !vxlan.check(view, at, length)) return false;
    const network = at + LEAD_BYTES;
    const ipBytes = length - LEAD_BYTES;
    if (ethernet.type(view, at + vxlan.HEADER_BYTES) !== ethernet.TYPE_IPV4) return false;
    if (!ipv4.check(view, network, ipBytes) || ipv4.headerBytes(view, network) !== ipv4.HEADER_BYTES) return false;
    if (ipv4.totalLength(view, network) !== ipBytes || ipv4.isFragment(view, network)) return false;
    if (ipv4.protocol(view, network) !== ipv4.PROTOCOL_TCP) return false;
    const transport = at + TRANSPORT;
    const tcpBytes = length - TRANSPORT;
    if (!tcp.check(view, transport, tcpBytes) || tcp.headerBytes(view, transport) === tcpBytes) return false;
    if ((tcp.flags(view, transport) & ~tcp.PSH) !== tcp.ACK || !ipv4.checksumValid(view, network)) return false;
    return transportChecksum(this.memory, network, transport, tcpBytes) === 0;
  }

  /** The segment at `next` follows, with `sequence`, in the connection and under the headers of the one at `first`. */
  private continues(first: number, next: number, headers: number, sequence: number): boolean {
    const { view } = this.memory;
    if (tcp.sequence(view, next + TRANSPORT) !== sequence) return false;
    for (let at = 0; at < LEAD_BYTES; at += 2) {
      if (view.getUint16(first + at) !== view.getUint16(next + at)) return false;
    }
    const [a, b] = [first + LEAD_BYTES, next + LEAD_BYTES];
    if (view.getUint16(a) !== view.getUint16(b) || view.getUint16(a + IP_FRAGMENT) !== view.getUint16(b + IP_FRAGMENT))
      return false;
    if (view.getUint16(a + IP_TTL) !== view.getUint16(b + IP_TTL)) return false;
    if (view.getUint32(a + IP_SOURCE) !== view.getUint32(b + IP_SOURCE)) return false;
    if (view.getUint32(a + IP_DESTINATION) !== view.getUint32(b + IP_DESTINATION)) return false;
    const [c, d] = [first + TRANSPORT, next + TRANSPORT];
    if (view.getUint32(c) !== view.getUint32(d)) return false;
    if (tcp.acknowledgement(view, c) !== tcp.acknowledgement(view, d)) return false;
    if (tcp.headerBytes(view, c) !== tcp.headerBytes(view, d) || tcp.window(view, c) !== tcp.window(view, d))
      return false;
    for (let at = tcp.HEADER_BYTES; at < headers - TRANSPORT; at += 4) {
      if (view.getUint32(c + at) !== view.getUint32(d + at)) return false;
    }
    return true;
  }

  /** False without packet memory. */
  private merge(start: number, end: number, datagramBytes: number, packets: Packet[]): boolean {
    const { memory } = this;
    const { bytes, view } = memory;
    const headers = TRANSPORT + tcp.headerBytes(view, start + TRANSPORT);
    const payloadBytes = datagramBytes - headers;
    const count = Math.ceil((end - start) / datagramBytes);
    const packet = memory.allocate(end - start - (count - 1) * headers);
    if (packet === undefined) return false;
    bytes.copyWithin(packet.offset, start, start + datagramBytes);
    let to = packet.offset + datagramBytes;
    for (let at = start + datagramBytes; at < end; at += datagramBytes) {
      const segmentEnd = Math.min(at + datagramBytes, end);
      bytes.copyWithin(to, at + headers, segmentEnd);
      to += segmentEnd - at - headers;
    }
    const last = start + (count - 1) * datagramBytes;
    tcp.setFlags(view, packet.offset + TRANSPORT, tcp.flags(view, last + TRANSPORT));
    const network = packet.offset + LEAD_BYTES;
    ipv4.setTotalLength(view, network, packet.length - LEAD_BYTES);
    packet.segmentBytes = payloadBytes;
    packet.checksumTrusted = true;
    packets.push(packet);
    return true;
  }

  private copy(at: number, length: number, packets: Packet[]): boolean {
    const packet = this.memory.allocate(length);
    if (packet === undefined) return false;
    this.memory.bytes.copyWithin(packet.offset, at, at + length);
    packets.push(packet);
    return true;
  }
}
