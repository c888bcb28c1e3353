/**
 * What one system call sends to a peer: messages of one datagram, or of many that the kernel cuts (UDP GSO). Of a
 * super-segment only the headers of its segments are made anew; its payload goes out from where it is.
 *
 *   message = [packet][packet] ...                       datagrams of one size, the last one shorter
 *           | [headers][payload][headers][payload] ...   segments of one super-segment
 */

import { MessageVectors } from '../../shared/native/message-vectors.ts';
import { SegmentCutter } from '../../shared/netstack/super-segment.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';

const MAX_MESSAGES = 64;
const MAX_PARTS = 512;
/** UDP_MAX_SEGMENTS of the oldest kernels that have UDP GSO. */
export const MAX_SEGMENTS = 64;
const MAX_BATCH_BYTES = 65_000;
/** What stands before the IP header of a datagram. */
const LEAD_BYTES = vxlan.HEADER_BYTES + ethernet.HEADER_BYTES;
const HEADER_ROOM_BYTES = 65_536;

/** Where in a list of packets something begins: a packet's number, and the segment in it. */
export interface Cursor {
  packet: number;
  segment: number;
}

export class OutgoingMessages {
  readonly vectors: MessageVectors;
  /** Messages built. */
  count = 0;
  private readonly memory: PacketMemory;
  private readonly memoryStart: number;
  private readonly cutter: SegmentCutter;
  private readonly headers: Packet | undefined;
  private headersUsed = 0;
  private parts = 0;
  /** By message: where it begins; one more for where the last one ends. */
  private readonly packets = new Int32Array(MAX_MESSAGES + 1);
  private readonly segments = new Int32Array(MAX_MESSAGES + 1);
  private readonly sizes = new Int32Array(MAX_MESSAGES);

  constructor(memory: PacketMemory, addressOf: (bytes: Uint8Array) => number) {
    this.memory = memory;
    this.memoryStart = addressOf(memory.bytes);
    this.vectors = new MessageVectors(MAX_MESSAGES, MAX_PARTS, addressOf);
    this.cutter = new SegmentCutter(memory);
    this.headers = memory.allocate(HEADER_ROOM_BYTES);
  }

  /** False where packet memory had no room for their headers. */
  get takesSuperSegments(): boolean {
    return this.headers !== undefined;
  }

  dispose(): void {
    if (this.headers?.inUse) this.memory.free(this.headers);
  }

  /** Fills the array with messages of up to `maxSegments` datagrams, from `from` on. */
  build(address: number, port: number, packets: readonly Packet[], from: Cursor, maxSegments: number): void {
    this.count = 0;
    this.parts = 0;
    this.headersUsed = 0;
    let packet = from.packet;
    let segment = from.segment;
    let cutting = -1;
    while (packet < packets.length && this.count < MAX_MESSAGES) {
      const first = packets[packet] as Packet;
      const firstPart = this.parts;
      let size: number;
      let nextPacket = packet;
      let nextSegment = 0;
      let datagramBytes = first.length;
      if (first.segmentBytes > 0) {
        if (cutting !== packet) this.cutter.read(first.offset + LEAD_BYTES, first.segmentBytes);
        cutting = packet;
        datagramBytes = LEAD_BYTES + this.cutter.headerBytes + first.segmentBytes;
        size = this.addSegments(segment, datagramBytes, maxSegments);
        nextSegment = segment + size;
        if (nextSegment === this.cutter.count) {
          nextPacket++;
          nextSegment = 0;
        }
      } else {
        size = this.addDatagrams(packets, packet, maxSegments);
        nextPacket += size;
      }
      if (size === 0) break;
      this.vectors.setDestination(this.count, address, port);
      this.vectors.setParts(this.count, firstPart, this.parts - firstPart);
      this.vectors.setSegmentBytes(this.count, size > 1 ? datagramBytes : 0);
      this.packets[this.count] = packet;
      this.segments[this.count] = segment;
      this.sizes[this.count++] = size;
      packet = nextPacket;
      segment = nextSegment;
    }
    this.packets[this.count] = packet;
    this.segments[this.count] = segment;
  }

  /** Datagrams of a message. */
  sizeOf(message: number): number {
    return this.sizes[message] as number;
  }

  /** Moves a cursor to where a message begins, or, for `count`, behind the last one. */
  seek(cursor: Cursor, message: number): void {
    cursor.packet = this.packets[message] as number;
    cursor.segment = this.segments[message] as number;
  }

  /** Datagrams from `first` on that make one batch: all of one size, the last one shorter perhaps. */
  private addDatagrams(packets: readonly Packet[], first: number, maxSegments: number): number {
    const { length } = packets[first] as Packet;
    const limit = Math.min(maxSegments, MAX_SEGMENTS, MAX_PARTS - this.parts);
    let total = 0;
    let count = 0;
    while (count < limit && first + count < packets.length) {
      const next = packets[first + count] as Packet;
      total += next.length;
      if (count > 0 && (next.segmentBytes > 0 || next.length > length || total > MAX_BATCH_BYTES)) break;
      this.vectors.setPart(this.parts++, this.memoryStart + next.offset, next.length);
      count++;
      if (next.length < length) break;
    }
    return count;
  }

  private addSegments(first: number, datagramBytes: number, maxSegments: number): number {
    const { cutter, vectors } = this;
    const headerBytes = LEAD_BYTES + cutter.headerBytes;
    const room = Math.min(
      (MAX_PARTS - this.parts) >>> 1,
      Math.floor((HEADER_ROOM_BYTES - this.headersUsed) / headerBytes),
      Math.max(Math.floor(MAX_BATCH_BYTES / datagramBytes), 1),
    );
    const count = Math.min(cutter.count - first, maxSegments, MAX_SEGMENTS, room);
    const headers = this.headers as Packet; // a link without it says that it takes none
    for (let index = first; index < first + count; index++) {
      const at = headers.offset + this.headersUsed;
      this.headersUsed += headerBytes;
      cutter.writeHeaders(index, at + LEAD_BYTES, LEAD_BYTES);
      vectors.setPart(this.parts++, this.memoryStart + at, headerBytes);
      vectors.setPart(this.parts++, this.memoryStart + cutter.payloadOffset(index), cutter.payloadBytes(index));
    }
    return count;
  }
}
