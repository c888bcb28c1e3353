import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SegmentCutter } from '../../shared/netstack/super-segment.ts';
import { completeIpChecksums, transportChecksum } from '../../shared/wire/complete-checksums.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import { type Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import * as tcp from '../../shared/wire/tcp.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';
import { SegmentMerger } from './segment-merger.ts';

const LEAD = vxlan.HEADER_BYTES + ethernet.HEADER_BYTES;
const HEADERS = LEAD + ipv4.HEADER_BYTES + tcp.HEADER_BYTES + tcp.TIMESTAMPS_BYTES;
const memory = new PacketMemory({ smallSlots: 256, largeSlots: 8 });
const { view, bytes } = memory;

/** A datagram with a TCP segment of `payload` bytes, as a pod sent it: headers right, transport checksum to be made. */
function datagram(payload: number, sequence: number, flags: number): Packet {
  const packet = memory.allocate(HEADERS + payload)!;
  const network = packet.offset + LEAD;
  const transport = network + ipv4.HEADER_BYTES;
  vxlan.encode(view, packet.offset, 1);
  ethernet.encode(view, packet.offset + vxlan.HEADER_BYTES, 0x0200_0000_0001, 0x0200_0000_0002, ethernet.TYPE_IPV4);
  const total = packet.length - LEAD;
  ipv4.encode(view, network, total, 65_530, false, 63, ipv4.PROTOCOL_TCP, 0x0af4_0105, 0x0af4_0205);
  tcp.encode(view, transport, 40_000, 80, sequence, 7, tcp.HEADER_BYTES + tcp.TIMESTAMPS_BYTES, flags, 500);
  tcp.writeTimestamps(view, transport + tcp.HEADER_BYTES, 111, 222);
  for (let i = 0; i < payload; i++) bytes[packet.offset + HEADERS + i] = (sequence + i) * 7;
  packet.checksumTrusted = true;
  return packet;
}

/** What a link puts on the wire for a super-segment, one datagram after the other. */
function cut(packet: Packet, area: Packet): number {
  const cutter = new SegmentCutter(memory);
  cutter.read(packet.offset + LEAD, packet.segmentBytes);
  let at = area.offset;
  for (let index = 0; index < cutter.count; index++) {
    bytes.copyWithin(at, packet.offset, packet.offset + LEAD);
    cutter.writeHeaders(index, at + LEAD);
    const payload = cutter.payloadOffset(index);
    const length = cutter.payloadBytes(index);
    bytes.copyWithin(at + HEADERS, payload, payload + length);
    at += HEADERS + length;
  }
  return at - area.offset;
}

const payloadOf = (packet: Packet): Uint8Array => bytes.slice(packet.offset + HEADERS, packet.offset + packet.length);

function freeAll(packets: Packet[]): void {
  for (const packet of packets.splice(0)) memory.free(packet);
}

describe('a super-segment', () => {
  it('is cut into whole segments, each with good checksums, and merges into itself again', () => {
    const shape = fc.record({
      segmentBytes: fc.integer({ min: 88, max: 1398 }),
      /** In segments. */
      payload: fc.double({ min: 0.001, max: 44, noNaN: true }),
      sequence: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      push: fc.boolean(),
    });
    fc.assert(
      fc.property(shape, ({ segmentBytes, payload: segments, sequence, push }) => {
        const payload = Math.ceil(segments * segmentBytes);
        const packet = datagram(payload, sequence, tcp.ACK | (push ? tcp.PSH : 0));
        packet.segmentBytes = segmentBytes;
        const area = memory.allocate(65_536)!;
        const total = cut(packet, area);
        const datagramBytes = Math.min(HEADERS + segmentBytes, total);
        for (let at = area.offset; at < area.offset + total; at += datagramBytes) {
          const length = Math.min(datagramBytes, area.offset + total - at);
          const network = at + LEAD;
          expect(ipv4.check(view, network, length - LEAD) && ipv4.checksumValid(view, network)).toBe(true);
          expect(ipv4.totalLength(view, network)).toBe(length - LEAD);
          const transport = network + ipv4.HEADER_BYTES;
          expect(transportChecksum(memory, network, transport, length - LEAD - ipv4.HEADER_BYTES)).toBe(0);
        }
        const merged: Packet[] = [];
        expect(new SegmentMerger(memory).take(area.offset, total, datagramBytes, merged)).toBe(0);
        expect(merged).toHaveLength(1);
        const transport = merged[0]!.offset + LEAD + ipv4.HEADER_BYTES;
        expect(tcp.sequence(view, transport)).toBe(sequence);
        expect(tcp.flags(view, transport)).toBe(tcp.ACK | (push ? tcp.PSH : 0));
        expect(merged[0]!.segmentBytes).toBe(payload > segmentBytes ? segmentBytes : 0);
        expect(Buffer.compare(payloadOf(merged[0]!), payloadOf(packet))).toBe(0);
        freeAll([packet, area, ...merged]);
      }),
      { numRuns: 200 },
    );
    expect(memory.inUse).toBe(0);
  });
});

describe('datagrams that arrive together', () => {
  /** Lays segments of 100 bytes out one after the other, as the kernel hands them over. */
  function arrive(change: (index: number, at: number) => void): number[] {
    const area = memory.allocate(65_536)!;
    for (let index = 0; index < 4; index++) {
      const segment = datagram(100, 1000 + 100 * index, tcp.ACK);
      completeIpChecksums(memory, segment.offset + LEAD, segment.length - LEAD);
      const at = area.offset + index * (HEADERS + 100);
      bytes.copyWithin(at, segment.offset, segment.offset + segment.length);
      change(index, at);
      memory.free(segment);
    }
    const merged: Packet[] = [];
    new SegmentMerger(memory).take(area.offset, 4 * (HEADERS + 100), HEADERS + 100, merged);
    const lengths = merged.map((packet) => packet.length - HEADERS);
    freeAll([area, ...merged]);
    return lengths;
  }

  /** Changes a field of a datagram, and makes its checksums right again. */
  const with16 = (index: number, offset: number, value: number) => (i: number, at: number) => {
    if (i !== index) return;
    view.setUint16(at + offset, value);
    const network = at + LEAD;
    if (offset >= LEAD && offset < LEAD + ipv4.HEADER_BYTES) ipv4.writeChecksum(view, network);
    completeIpChecksums(memory, network, HEADERS - LEAD + 100);
  };
  const TCP = LEAD + ipv4.HEADER_BYTES;

  it('become one', () => expect(arrive(() => undefined)).toEqual([400]));

  it.each([
    ['of another network identifier', with16(2, 4, 9)],
    ['to another MAC', with16(2, vxlan.HEADER_BYTES, 0x0204)],
    ['with another TTL', with16(2, LEAD + 8, 0x0506)],
    ['from another address', with16(2, LEAD + 14, 9)],
    ['from another port', with16(2, TCP, 9)],
    ['with another acknowledgement', with16(2, TCP + 10, 9)],
    ['with another window', with16(2, TCP + 14, 9)],
    ['with another timestamp', with16(2, TCP + 26, 9)],
    ['out of order', with16(2, TCP + 6, 9)],
  ])('but not %s', (_, change) => expect(arrive(change)).toEqual([200, 100, 100]));

  it('but not with a bad checksum, nor behind the end of a push', () => {
    expect(arrive((index, at) => index === 1 && bytes.fill(9, at + HEADERS, at + HEADERS + 1))).toEqual([
      100, 100, 200,
    ]);
    const push = tcp.ACK | tcp.PSH;
    expect(arrive(with16(1, TCP + tcp.DATA_OFFSET, 0x8000 | push))).toEqual([200, 200]);
  });
});
