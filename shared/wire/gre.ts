/**
 * Generic Routing Encapsulation (RFC 2784), with key and sequence number (RFC 2890); IP protocol 47.
 *
 *   0                     2        4                      8     12
 *   | C 0 K S 0 ... ver:3 | type | [checksum reserved] | [key] | [sequence] | payload ...
 */
import { finish, sumRangeScalar } from './checksum.ts';

export const HEADER_BYTES = 4;
export const PROTOCOL = 47;

const TYPE = 2;
const FLAG_CHECKSUM = 0x8000;
const FLAG_ROUTING = 0x4000;
const FLAG_KEY = 0x2000;
const FLAG_SEQUENCE = 0x1000;
/** Bits 1, 4 and 5: a receiver that does not know RFC 1701 discards the packet (RFC 2784 section 2.3). */
const MUST_BE_ZERO = FLAG_ROUTING | 0x0c00;
const VERSION_MASK = 0x0007;

export interface GreHeader {
  /** Ethertype of the payload. */
  readonly type: number;
  readonly key?: number;
  readonly sequence?: number;
}

/** Version 0, none of RFC 1701's routing, and all the fields that the flags announce are there. */
export function check(view: DataView, offset: number, length: number): boolean {
  if (length < HEADER_BYTES || offset + length > view.byteLength) return false;
  const flags = view.getUint16(offset);
  return (flags & (MUST_BE_ZERO | VERSION_MASK)) === 0 && headerBytes(view, offset) <= length;
}

export function headerBytes(view: DataView, offset: number): number {
  const flags = view.getUint16(offset);
  const fields = [FLAG_CHECKSUM, FLAG_KEY, FLAG_SEQUENCE].filter((flag) => (flags & flag) !== 0);
  return HEADER_BYTES + 4 * fields.length;
}

/** Ethertype of the payload. */
export function type(view: DataView, offset: number): number {
  return view.getUint16(offset + TYPE);
}

export function hasChecksum(view: DataView, offset: number): boolean {
  return (view.getUint16(offset) & FLAG_CHECKSUM) !== 0;
}

/** The checksum covers header and payload; a packet without one is good. */
export function checksumValid(view: DataView, offset: number, length: number): boolean {
  return !hasChecksum(view, offset) || sumRangeScalar(view, offset, length) === 0xffff;
}

/** undefined when the packet has none. */
export function key(view: DataView, offset: number): number | undefined {
  const flags = view.getUint16(offset);
  if ((flags & FLAG_KEY) === 0) return undefined;
  return view.getUint32(offset + HEADER_BYTES + (flags & FLAG_CHECKSUM ? 4 : 0));
}

/** undefined when the packet has none. */
export function sequence(view: DataView, offset: number): number | undefined {
  const flags = view.getUint16(offset);
  if ((flags & FLAG_SEQUENCE) === 0) return undefined;
  return view.getUint32(offset + HEADER_BYTES + (flags & FLAG_CHECKSUM ? 4 : 0) + (flags & FLAG_KEY ? 4 : 0));
}

/** How long the header will be. */
export function encodedBytes(header: GreHeader, withChecksum: boolean): number {
  const fields = [withChecksum, header.key !== undefined, header.sequence !== undefined];
  return HEADER_BYTES + 4 * fields.filter(Boolean).length;
}

/** Writes a header without a checksum; the number of its bytes. */
export function encode(view: DataView, offset: number, header: GreHeader): number {
  return write(view, offset, header, 0);
}

/** Writes a header whose checksum covers it and the `payloadBytes` that stand behind it already. */
export function encodeWithChecksum(view: DataView, offset: number, header: GreHeader, payloadBytes: number): number {
  const size = write(view, offset, header, FLAG_CHECKSUM);
  view.setUint16(offset + HEADER_BYTES, finish(sumRangeScalar(view, offset, size + payloadBytes)));
  return size;
}

function write(view: DataView, offset: number, header: GreHeader, checksumFlag: number): number {
  let flags = checksumFlag;
  let at = offset + HEADER_BYTES;
  const word = (value: number): void => {
    view.setUint32(at, value);
    at += 4;
  };
  if (checksumFlag !== 0) word(0);
  if (header.key !== undefined) {
    flags |= FLAG_KEY;
    word(header.key);
  }
  if (header.sequence !== undefined) {
    flags |= FLAG_SEQUENCE;
    word(header.sequence);
  }
  view.setUint16(offset, flags);
  view.setUint16(offset + TYPE, header.type);
  return at - offset;
}
