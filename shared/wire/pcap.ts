/**
 * Capture files: pcapng blocks (draft-ietf-opsawg-pcapng), little-endian, time stamps in nanoseconds, comments per packet.
 *
 *   section header | interface description ... | enhanced packet | enhanced packet ... | interface statistics ...
 *
 * Read by `pcapng-reader.ts`. Each function gives one complete block; a capture is the blocks one after the other, to a file or to `wireshark -k -i -`.
 */

export const SECTION_HEADER = 0x0a0d0d0a;
export const INTERFACE_DESCRIPTION = 1;
export const INTERFACE_STATISTICS = 5;
export const ENHANCED_PACKET = 6;
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

export const OPTION_COMMENT = 1;
const OPTION_SECTION_APPLICATION = 4;
export const OPTION_INTERFACE_NAME = 2;
export const OPTION_INTERFACE_DESCRIPTION = 3;
export const OPTION_INTERFACE_TIME_RESOLUTION = 9;
export const OPTION_PACKET_FLAGS = 2;
export const OPTION_STATISTICS_ACCEPTED = 6;
export const OPTION_STATISTICS_DROPPED = 7;
export const OPTION_STATISTICS_DELIVERED = 8;

export const LINK_TYPE_ETHERNET = 1;

/** Type and length. */
const BLOCK_HEAD_BYTES = 8;
/** Interface, time and the two lengths. */
const PACKET_FIXED_BYTES = 20;

const text = new TextEncoder();

interface BlockOption {
  readonly code: number;
  readonly value: Uint8Array;
}

/** The block every capture starts with. */
export function sectionHeader(application: string): Uint8Array<ArrayBuffer> {
  const fixed = new Uint8Array(16);
  const view = new DataView(fixed.buffer);
  view.setUint32(0, BYTE_ORDER_MAGIC, true);
  view.setUint16(4, 1, true);
  view.setBigInt64(8, -1n, true); // section length: not given
  return block(SECTION_HEADER, fixed, [textOption(OPTION_SECTION_APPLICATION, application)]);
}

export interface CaptureInterface {
  /** `cni0`, or `default/web eth0`: what Wireshark shows as the interface. */
  readonly name: string;
  readonly description?: string;
  /** Bytes of a packet that are kept; 0 for all. */
  readonly snapBytes?: number;
}

/** Interfaces are numbered from 0 in the order of their blocks. */
export function interfaceDescription(capture: CaptureInterface): Uint8Array<ArrayBuffer> {
  const fixed = new Uint8Array(8);
  const view = new DataView(fixed.buffer);
  view.setUint16(0, LINK_TYPE_ETHERNET, true);
  view.setUint32(4, capture.snapBytes ?? 0, true);
  const options = [
    textOption(OPTION_INTERFACE_NAME, capture.name),
    { code: OPTION_INTERFACE_TIME_RESOLUTION, value: Uint8Array.of(9) },
  ];
  if (capture.description !== undefined) {
    options.push(textOption(OPTION_INTERFACE_DESCRIPTION, capture.description));
  }
  return block(INTERFACE_DESCRIPTION, fixed, options);
}

export interface CapturedPacket {
  readonly interfaceId: number;
  /** Nanoseconds since 1970. */
  readonly timestampNs: bigint;
  /** The bytes kept; copied. */
  readonly bytes: Uint8Array;
  /** Bytes of the frame on the wire, when fewer were kept. */
  readonly originalBytes?: number;
  readonly direction?: 'inbound' | 'outbound';
  readonly comment?: string;
}

const DIRECTIONS: Readonly<Record<'inbound' | 'outbound', BlockOption>> = {
  inbound: { code: OPTION_PACKET_FLAGS, value: Uint8Array.of(1, 0, 0, 0) },
  outbound: { code: OPTION_PACKET_FLAGS, value: Uint8Array.of(2, 0, 0, 0) },
};

/** Written into its block at once: a busy capture makes tens of thousands a second. */
export function enhancedPacket(packet: CapturedPacket): Uint8Array<ArrayBuffer> {
  const { bytes: data, direction, comment } = packet;
  const options: BlockOption[] = [];
  if (direction !== undefined) options.push(DIRECTIONS[direction]);
  if (comment !== undefined) options.push(textOption(OPTION_COMMENT, comment));
  const bytes = emptyBlock(ENHANCED_PACKET, PACKET_FIXED_BYTES + padded(data.length), options);
  const view = new DataView(bytes.buffer);
  view.setUint32(BLOCK_HEAD_BYTES, packet.interfaceId, true);
  writeTimestamp(view, BLOCK_HEAD_BYTES + 4, packet.timestampNs);
  view.setUint32(BLOCK_HEAD_BYTES + 12, data.length, true);
  view.setUint32(BLOCK_HEAD_BYTES + 16, packet.originalBytes ?? data.length, true);
  bytes.set(data, BLOCK_HEAD_BYTES + PACKET_FIXED_BYTES);
  return bytes;
}

export interface InterfaceStatistics {
  readonly interfaceId: number;
  /** Nanoseconds since 1970. */
  readonly timestampNs: bigint;
  /** Packets that passed the filter. */
  readonly accepted: number;
  /** Of these, packets that the reader was too slow for. */
  readonly dropped: number;
  readonly delivered: number;
}

/** At the end of a capture: what tcpdump says in its last lines. */
export function interfaceStatistics(statistics: InterfaceStatistics): Uint8Array<ArrayBuffer> {
  const fixed = new Uint8Array(12);
  const view = new DataView(fixed.buffer);
  view.setUint32(0, statistics.interfaceId, true);
  writeTimestamp(view, 4, statistics.timestampNs);
  return block(INTERFACE_STATISTICS, fixed, [
    counterOption(OPTION_STATISTICS_ACCEPTED, statistics.accepted),
    counterOption(OPTION_STATISTICS_DROPPED, statistics.dropped),
    counterOption(OPTION_STATISTICS_DELIVERED, statistics.delivered),
  ]);
}

function writeTimestamp(view: DataView, offset: number, timestampNs: bigint): void {
  view.setUint32(offset, Number((timestampNs >> 32n) & 0xffff_ffffn), true);
  view.setUint32(offset + 4, Number(timestampNs & 0xffff_ffffn), true);
}

function counterOption(code: number, count: number): BlockOption {
  const value = new Uint8Array(8);
  new DataView(value.buffer).setBigUint64(0, BigInt(count), true);
  return { code, value };
}

function textOption(code: number, value: string): BlockOption {
  return { code, value: text.encode(value) };
}

function block(type: number, fixed: Uint8Array, options: readonly BlockOption[]): Uint8Array<ArrayBuffer> {
  const bytes = emptyBlock(type, fixed.length, options);
  bytes.set(fixed, BLOCK_HEAD_BYTES);
  return bytes;
}

/** Type, length, a body of zeros (a multiple of 4 bytes), options with their end mark, length again. */
function emptyBlock(type: number, bodyBytes: number, options: readonly BlockOption[]): Uint8Array<ArrayBuffer> {
  let size = BLOCK_HEAD_BYTES + bodyBytes + 4 + (options.length > 0 ? 4 : 0);
  for (const option of options) size += 4 + padded(option.value.length);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, size, true);
  view.setUint32(size - 4, size, true);
  let at = BLOCK_HEAD_BYTES + bodyBytes;
  for (const option of options) {
    view.setUint16(at, option.code, true);
    view.setUint16(at + 2, option.value.length, true);
    bytes.set(option.value, at + 4);
    at += 4 + padded(option.value.length);
  }
  return bytes;
}

function padded(length: number): number {
  return (length + 3) & ~3;
}
