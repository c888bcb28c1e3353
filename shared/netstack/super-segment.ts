/**
 * TCP super-segments: one large segment on its way through a node instead of many (TCP segmentation offload), cut where the
 * way leaves the process, and made of many again where it enters one (generic receive offload).
 *
 *   | IP | TCP | payload ............................. |   Packet.segmentBytes: payload of each segment but the last
 *   | IP | TCP | payload | + | IP | TCP | payload | + ...
 */
import * as checksum from '../wire/checksum.ts';
import * as ip from '../wire/ip.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import type { Packet, PacketMemory } from '../wire/packet-memory.ts';
import * as tcp from '../wire/tcp.ts';

/** Payload of the largest one: 44 full segments of an overlay with an MTU of 1450 fill the largest UDP datagram. */
export const SUPER_SEGMENT_BYTES = 62_000;

/** Of all but the last segment these flags are kept back (RFC 9293: they concern the end of the data). */
const LAST_ONLY = tcp.FIN | tcp.PSH;

/** Cuts one super-segment: `read` it, then write the headers of each of its `count` segments. One object is reused. */
export class SegmentCutter {
  count = 0;
  /** IP and TCP header of each segment. */
  headerBytes = 0;
  private readonly memory: PacketMemory;
  private network = 0;
  private ipHeaderBytes = 0;
  private segmentBytes = 0;
  private payload = 0;
  private payloadEnd = 0;
  private isIpv6 = false;
  private identification = 0;
  private sequence = 0;
  private flagsWord = 0;
  private ipSum = 0;
  private tcpSum = 0;

  constructor(memory: PacketMemory) {
    this.memory = memory;
  }

  /** The IP packet at `network`, whose headers are well-formed: a stack of this process made them, or checked them. */
  read(network: number, segmentBytes: number): void {
    const { view } = this.memory;
    this.network = network;
    this.segmentBytes = segmentBytes;
    this.isIpv6 = ip.isIpv6(view, network);
    this.ipHeaderBytes = ip.headerBytes(view, network);
    const transport = network + this.ipHeaderBytes;
    this.headerBytes = this.ipHeaderBytes + tcp.headerBytes(view, transport);
    this.payload = network + this.headerBytes;
    this.payloadEnd = network + ip.totalLength(view, network);
    this.count = Math.max(Math.ceil((this.payloadEnd - this.payload) / segmentBytes), 1);
    this.sequence = tcp.sequence(view, transport);
    this.flagsWord = view.getUint16(transport + tcp.DATA_OFFSET);
    this.tcpSum = wordSum(view, transport, this.payload) - (this.sequence >>> 16) - (this.sequence & 0xffff);
    this.tcpSum -= this.flagsWord + tcp.checksum(view, transport);
    this.tcpSum += ip.pseudoHeaderSum(view, network, ipv4.PROTOCOL_TCP, 0);
    if (this.isIpv6) return;
    this.identification = ipv4.identification(view, network);
    this.ipSum = wordSum(view, network, transport) - ipv4.totalLength(view, network) - this.identification;
    this.ipSum -= ipv4.checksum(view, network);
  }

  payloadOffset(index: number): number {
    return this.payload + index * this.segmentBytes;
  }

  payloadBytes(index: number): number {
    return Math.min(this.segmentBytes, this.payloadEnd - this.payloadOffset(index));
  }

  /**
   * Writes IP and TCP header of a segment, checksums included, at `at` in packet memory; before them, the `leadBytes` that
   * stand before the super-segment's.
   */
  writeHeaders(index: number, at: number, leadBytes = 0): void {
    const { view, bytes, sum } = this.memory;
    const payloadBytes = this.payloadBytes(index);
    const total = this.headerBytes + payloadBytes;
    const identification = (this.identification + index) & 0xffff;
    const sequence = (this.sequence + index * this.segmentBytes) >>> 0;
    const flagsWord = index === this.count - 1 ? this.flagsWord : this.flagsWord & ~LAST_ONLY;
    const transport = at + this.ipHeaderBytes;
    bytes.copyWithin(at - leadBytes, this.network - leadBytes, this.payload);
    if (this.isIpv6) ipv6.setTotalLength(view, at, total);
    else ipv4.setSegment(view, at, total, identification, checksum.finish(this.ipSum + total + identification));
    tcp.setSequence(view, transport, sequence);
    view.setUint16(transport + tcp.DATA_OFFSET, flagsWord);
    const headerSum = this.tcpSum + (sequence >>> 16) + (sequence & 0xffff) + flagsWord;
    const tcpBytes = total - this.ipHeaderBytes;
    const payloadSum = payloadBytes === 0 ? 0 : sum(this.payloadOffset(index), payloadBytes);
    tcp.setChecksum(view, transport, checksum.finish(headerSum + tcpBytes + payloadSum));
  }
}

function wordSum(view: DataView, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at < to; at += 2) sum += view.getUint16(at);
  return sum;
}

/** How many packets the packet is or will be cut into; `network` is where its IP header is. */
export function segmentCount(view: DataView, packet: Packet, network: number): number {
  if (packet.segmentBytes === 0) return 1;
  const transport = network + ip.headerBytes(view, network);
  const payloadBytes = network + ip.totalLength(view, network) - transport - tcp.headerBytes(view, transport);
  return Math.max(Math.ceil(payloadBytes / packet.segmentBytes), 1);
}

/** Length of the longest IP packet that the packet, `offset` at its IP header, is or will be cut into. */
export function segmentedLength(view: DataView, packet: Packet): number {
  if (packet.segmentBytes === 0) return packet.length;
  const ipHeader = ip.headerBytes(view, packet.offset);
  const headers = ipHeader + tcp.headerBytes(view, packet.offset + ipHeader);
  return Math.min(packet.length, headers + packet.segmentBytes);
}

/**
 * Cuts a super-segment in software, for whoever takes none: the bytes between `packet.offset` and the IP header at `network`
 * stand before each segment. Takes ownership. Answers how many segments packet memory had no room for.
 */
export function cutSuperSegment(
  cutter: SegmentCutter,
  memory: PacketMemory,
  packet: Packet,
  network: number,
  transmit: (segment: Packet) => void,
): number {
  const lead = network - packet.offset;
  cutter.read(network, packet.segmentBytes);
  const { count, headerBytes } = cutter;
  let lost = 0;
  const segments: Packet[] = [];
  for (let index = 0; index < count; index++) {
    const payloadBytes = cutter.payloadBytes(index);
    const segment = memory.allocate(lead + headerBytes + payloadBytes);
    if (segment === undefined) {
      lost++;
      continue;
    }
    const at = segment.offset + lead;
    cutter.writeHeaders(index, at, lead);
    const payload = cutter.payloadOffset(index);
    memory.bytes.copyWithin(at + headerBytes, payload, payload + payloadBytes);
    segment.networkOffset = at;
    segment.transportOffset = at + packet.transportOffset - packet.networkOffset;
    segment.mark = packet.mark;
    segments.push(segment);
  }
  memory.free(packet);
  // Only now: what a transmission leads to may cut another one with the same cutter.
  for (const segment of segments) transmit(segment);
  return lost;
}
