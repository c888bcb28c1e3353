/**
 * TCP header (RFC 9293 section 3.1) and its options: MSS, window scale and timestamps (RFC 7323), SACK (RFC 2018).
 *
 *   0        2             4          8     12       13      14       16         18       20
 *   | source | destination | sequence | ack | offset | flags | window | checksum | urgent | options ...
 */

export const HEADER_BYTES = 20;
export const MAX_HEADER_BYTES = 60;

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;

/** By their bits, the lowest first. */
const FLAG_NAMES = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'];

const DESTINATION_PORT = 2;
const SEQUENCE = 4;
const ACKNOWLEDGEMENT = 8;
/** The data offset, and in the byte after it the flags. */
export const DATA_OFFSET = 12;
const FLAGS = 13;
const WINDOW = 14;
const CHECKSUM = 16;
const URGENT = 18;

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_MSS = 2;
const OPTION_WINDOW_SCALE = 3;
const OPTION_SACK_PERMITTED = 4;
const OPTION_SACK = 5;
const OPTION_TIMESTAMPS = 8;

/** Timestamps padded to a multiple of 4, as every segment of an established connection carries them. */
export const TIMESTAMPS_BYTES = 12;
/** NOP NOP timestamps(10), as one 32-bit word: RFC 7323 appendix A. */
const TIMESTAMPS_PREFIX = 0x0101_080a;
/** Blocks that fit beside timestamps (RFC 2018 section 3). */
export const MAX_SACK_BLOCKS = 4;

/** The data offset lies between the fixed header and the `length` bytes there are. */
export function check(view: DataView, offset: number, length: number): boolean {
  if (length < HEADER_BYTES || offset + length > view.byteLength) return false;
  const header = (view.getUint8(offset + DATA_OFFSET) >>> 4) * 4;
  return header >= HEADER_BYTES && header <= length;
}

export function sourcePort(view: DataView, offset: number): number {
  return view.getUint16(offset);
}

export function destinationPort(view: DataView, offset: number): number {
  return view.getUint16(offset + DESTINATION_PORT);
}

export function sequence(view: DataView, offset: number): number {
  return view.getUint32(offset + SEQUENCE);
}

export function acknowledgement(view: DataView, offset: number): number {
  return view.getUint32(offset + ACKNOWLEDGEMENT);
}

/** Header with options. */
export function headerBytes(view: DataView, offset: number): number {
  return (view.getUint8(offset + DATA_OFFSET) >>> 4) * 4;
}

/** FIN to URG, and the ECN bits above them. */
export function flags(view: DataView, offset: number): number {
  return view.getUint8(offset + FLAGS);
}

/** Of those that are set, from FIN on. */
export function flagNames(bits: number): string[] {
  return FLAG_NAMES.filter((_, at) => (bits & (1 << at)) !== 0);
}

/** As it stands in the header, not scaled. */
export function window(view: DataView, offset: number): number {
  return view.getUint16(offset + WINDOW);
}

export function checksum(view: DataView, offset: number): number {
  return view.getUint16(offset + CHECKSUM);
}

export function urgentPointer(view: DataView, offset: number): number {
  return view.getUint16(offset + URGENT);
}

/** Writes the field alone; the caller keeps the checksum right (`checksum.update16`). */
export function setSourcePort(view: DataView, offset: number, port: number): void {
  view.setUint16(offset, port);
}

/** Writes the field alone; the caller keeps the checksum right (`checksum.update16`). */
export function setDestinationPort(view: DataView, offset: number, port: number): void {
  view.setUint16(offset + DESTINATION_PORT, port);
}

export function setSequence(view: DataView, offset: number, value: number): void {
  view.setUint32(offset + SEQUENCE, value);
}

export function setFlags(view: DataView, offset: number, bits: number): void {
  view.setUint8(offset + FLAGS, bits);
}

export function setChecksum(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + CHECKSUM, value);
}

/** Writes the fixed header with a checksum of 0; `header` is its length with options, a multiple of 4. */
export function encode(
  view: DataView,
  offset: number,
  from: number,
  to: number,
  sequenceNumber: number,
  acknowledgementNumber: number,
  header: number,
  flagBits: number,
  windowField: number,
): void {
  view.setUint16(offset, from);
  view.setUint16(offset + DESTINATION_PORT, to);
  view.setUint32(offset + SEQUENCE, sequenceNumber);
  view.setUint32(offset + ACKNOWLEDGEMENT, acknowledgementNumber);
  view.setUint8(offset + DATA_OFFSET, (header >>> 2) << 4);
  view.setUint8(offset + FLAGS, flagBits);
  view.setUint16(offset + WINDOW, windowField);
  view.setUint32(offset + CHECKSUM, 0);
}

/** The options of one segment; one object is reused for every segment. */
export class TcpOptions {
  /** 0 when absent. */
  mss = 0;
  /** -1 when absent. */
  windowScale = -1;
  sackPermitted = false;
  hasTimestamps = false;
  timestampValue = 0;
  timestampEcho = 0;
  sackBlocks = 0;
  /** Left and right edge of each block, alternating. */
  readonly sackEdges = new Uint32Array(2 * MAX_SACK_BLOCKS);

  clear(): void {
    this.mss = 0;
    this.windowScale = -1;
    this.sackPermitted = false;
    this.hasTimestamps = false;
    this.timestampValue = 0;
    this.timestampEcho = 0;
    this.sackBlocks = 0;
  }
}

/**
 * Reads the options of a checked header into `options`. Unknown options are skipped; false when a length runs past the
 * header (what stood before it has been read), and such a segment is dropped (RFC 9293 section 3.1, MUST-7).
 */
export function readOptions(view: DataView, offset: number, options: TcpOptions): boolean {
  options.clear();
  const end = offset + headerBytes(view, offset);
  let at = offset + HEADER_BYTES;
  if (end - at === TIMESTAMPS_BYTES && view.getUint32(at) === TIMESTAMPS_PREFIX) {
    readTimestamps(view, at + 4, options);
    return true;
  }
  while (at < end) {
    const kind = view.getUint8(at);
    if (kind === OPTION_END) return true;
    if (kind === OPTION_NOP) {
      at++;
      continue;
    }
    const size = at + 1 < end ? view.getUint8(at + 1) : 0;
    if (size < 2 || at + size > end) return false;
    readOption(view, at, kind, size, options);
    at += size;
  }
  return true;
}

function readTimestamps(view: DataView, at: number, options: TcpOptions): void {
  options.hasTimestamps = true;
  options.timestampValue = view.getUint32(at);
  options.timestampEcho = view.getUint32(at + 4);
}

function readOption(view: DataView, at: number, kind: number, size: number, options: TcpOptions): void {
  if (kind === OPTION_MSS && size === 4) options.mss = view.getUint16(at + 2);
  else if (kind === OPTION_WINDOW_SCALE && size === 3) options.windowScale = view.getUint8(at + 2);
  else if (kind === OPTION_SACK_PERMITTED && size === 2) options.sackPermitted = true;
  else if (kind === OPTION_TIMESTAMPS && size === 10) readTimestamps(view, at + 2, options);
  else if (kind === OPTION_SACK && size % 8 === 2) {
    options.sackBlocks = Math.min((size - 2) / 8, MAX_SACK_BLOCKS);
    for (let i = 0; i < 2 * options.sackBlocks; i++) options.sackEdges[i] = view.getUint32(at + 2 + 4 * i);
  }
}

/** Each writer puts one option, padded to a multiple of 4, at `at` and answers where the next one goes. */
export function writeMss(view: DataView, at: number, mss: number): number {
  view.setUint16(at, (OPTION_MSS << 8) | 4);
  view.setUint16(at + 2, mss);
  return at + 4;
}

export function writeWindowScale(view: DataView, at: number, shift: number): number {
  view.setUint32(at, (OPTION_NOP << 24) | (OPTION_WINDOW_SCALE << 16) | (3 << 8) | shift);
  return at + 4;
}

export function writeSackPermitted(view: DataView, at: number): number {
  view.setUint32(at, (OPTION_NOP << 24) | (OPTION_NOP << 16) | (OPTION_SACK_PERMITTED << 8) | 2);
  return at + 4;
}

export function writeTimestamps(view: DataView, at: number, value: number, echo: number): number {
  view.setUint32(at, TIMESTAMPS_PREFIX);
  view.setUint32(at + 4, value);
  view.setUint32(at + 8, echo);
  return at + TIMESTAMPS_BYTES;
}

/** `edges` alternates left and right; `blocks` of them are written. */
export function writeSack(view: DataView, at: number, edges: Uint32Array, blocks: number): number {
  view.setUint32(at, (OPTION_NOP << 24) | (OPTION_NOP << 16) | (OPTION_SACK << 8) | (2 + 8 * blocks));
  for (let i = 0; i < 2 * blocks; i++) view.setUint32(at + 4 + 4 * i, edges[i]!);
  return at + 4 + 8 * blocks;
}
