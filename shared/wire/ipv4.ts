/**
 * IPv4 header (RFC 791), 20 bytes and up to 40 of options.
 *
 *   0     1     2       4      6       8     9       10         12       16            20
 *   | ver | tos | total | id   | frag  | ttl | proto | checksum | source | destination | options ...
 */
import { finish, sumRangeScalar, update16 } from './checksum.ts';

export const HEADER_BYTES = 20;
export const MAX_PACKET_BYTES = 65_535;
export const PROTOCOL_ICMP = 1;
export const PROTOCOL_IPIP = 4;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

const TOS = 1;
const TOTAL_LENGTH = 2;
const IDENTIFICATION = 4;
const FRAGMENT = 6;
const TTL = 8;
const PROTOCOL = 9;
const CHECKSUM = 10;
const SOURCE = 12;
const DESTINATION = 16;

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET_MASK = 0x1fff;

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_LOOSE_SOURCE_ROUTE = 131;
const OPTION_STRICT_SOURCE_ROUTE = 137;

/** Version, header length and total length fit the `length` bytes there are (RFC 1812 section 5.2.2, tests 1 and 3 to 5). */
export function check(view: DataView, offset: number, length: number): boolean {
  if (length < HEADER_BYTES || offset + length > view.byteLength) return false;
  const versionAndLength = view.getUint8(offset);
  if (versionAndLength >>> 4 !== 4) return false;
  const header = (versionAndLength & 15) * 4;
  const total = view.getUint16(offset + TOTAL_LENGTH);
  return header >= HEADER_BYTES && total >= header && total <= length;
}

/** RFC 1812 section 5.2.2, test 2; the header passed `check`. */
export function checksumValid(view: DataView, offset: number): boolean {
  return sumRangeScalar(view, offset, headerBytes(view, offset)) === 0xffff;
}

export function headerBytes(view: DataView, offset: number): number {
  return (view.getUint8(offset) & 15) * 4;
}

/** Type of service: DSCP in the upper six bits, ECN in the lower two. */
export function tos(view: DataView, offset: number): number {
  return view.getUint8(offset + TOS);
}

export function totalLength(view: DataView, offset: number): number {
  return view.getUint16(offset + TOTAL_LENGTH);
}

export function identification(view: DataView, offset: number): number {
  return view.getUint16(offset + IDENTIFICATION);
}

export function dontFragment(view: DataView, offset: number): boolean {
  return (view.getUint16(offset + FRAGMENT) & DONT_FRAGMENT) !== 0;
}

export function moreFragments(view: DataView, offset: number): boolean {
  return (view.getUint16(offset + FRAGMENT) & MORE_FRAGMENTS) !== 0;
}

/** In bytes. */
export function fragmentOffset(view: DataView, offset: number): number {
  return (view.getUint16(offset + FRAGMENT) & FRAGMENT_OFFSET_MASK) * 8;
}

/** A part of a datagram: more fragments follow, or this is not the first. */
export function isFragment(view: DataView, offset: number): boolean {
  return (view.getUint16(offset + FRAGMENT) & (MORE_FRAGMENTS | FRAGMENT_OFFSET_MASK)) !== 0;
}

export function ttl(view: DataView, offset: number): number {
  return view.getUint8(offset + TTL);
}

export function protocol(view: DataView, offset: number): number {
  return view.getUint8(offset + PROTOCOL);
}

export function checksum(view: DataView, offset: number): number {
  return view.getUint16(offset + CHECKSUM);
}

export function source(view: DataView, offset: number): number {
  return view.getUint32(offset + SOURCE);
}

export function destination(view: DataView, offset: number): number {
  return view.getUint32(offset + DESTINATION);
}

/** Writes the field alone; the caller keeps the checksums right (`checksum.update32`). */
export function setSource(view: DataView, offset: number, address: number): void {
  view.setUint32(offset + SOURCE, address);
}

/** Writes the field alone; the caller keeps the checksums right (`checksum.update32`). */
export function setDestination(view: DataView, offset: number, address: number): void {
  view.setUint32(offset + DESTINATION, address);
}

export function setChecksum(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + CHECKSUM, value);
}

/** Computes the header checksum anew. */
export function writeChecksum(view: DataView, offset: number): void {
  view.setUint16(offset + CHECKSUM, 0);
  view.setUint16(offset + CHECKSUM, finish(sumRangeScalar(view, offset, headerBytes(view, offset))));
}

/** Takes one from the TTL and keeps the checksum right (RFC 1624). */
export function decrementTtl(view: DataView, offset: number): void {
  const before = view.getUint16(offset + TTL);
  view.setUint16(offset + TTL, before - 0x100);
  view.setUint16(offset + CHECKSUM, update16(view.getUint16(offset + CHECKSUM), before, before - 0x100));
}

/** Sets total length, fragment offset (bytes, a multiple of 8) and flags of a fragment, and its checksum. */
export function setFragment(view: DataView, offset: number, total: number, at: number, more: boolean): void {
  view.setUint16(offset + TOTAL_LENGTH, total);
  view.setUint16(offset + FRAGMENT, (more ? MORE_FRAGMENTS : 0) | (at >>> 3));
  writeChecksum(view, offset);
}

/** The header's checksum with it. */
export function setTotalLength(view: DataView, offset: number, total: number): void {
  view.setUint16(offset + TOTAL_LENGTH, total);
  writeChecksum(view, offset);
}

/** Makes the header that of one segment of a super-segment; the caller summed it. */
export function setSegment(view: DataView, offset: number, total: number, id: number, checksumField: number): void {
  view.setUint16(offset + TOTAL_LENGTH, total);
  view.setUint16(offset + IDENTIFICATION, id);
  view.setUint16(offset + CHECKSUM, checksumField);
}

/** Writes a header without options and its checksum. */
export function encode(
  view: DataView,
  offset: number,
  total: number,
  id: number,
  mayFragment: boolean,
  timeToLive: number,
  proto: number,
  from: number,
  to: number,
  typeOfService = 0,
): void {
  const fragment = mayFragment ? 0 : DONT_FRAGMENT;
  view.setUint16(offset, 0x4500 | typeOfService);
  view.setUint16(offset + TOTAL_LENGTH, total);
  view.setUint16(offset + IDENTIFICATION, id);
  view.setUint16(offset + FRAGMENT, fragment);
  view.setUint16(offset + TTL, (timeToLive << 8) | proto);
  view.setUint32(offset + SOURCE, from);
  view.setUint32(offset + DESTINATION, to);
  let sum = 0x4500 + typeOfService + total + id + fragment + ((timeToLive << 8) | proto);
  sum += (from >>> 16) + (from & 0xffff) + (to >>> 16) + (to & 0xffff);
  view.setUint16(offset + CHECKSUM, finish(sum));
}

/** How the options of a checked header read: `malformed` when a length runs past the header (RFC 1812 section 4.2.2.1). */
export function optionsKind(view: DataView, offset: number): 'none' | 'plain' | 'source-route' | 'malformed' {
  const end = offset + headerBytes(view, offset);
  let at = offset + HEADER_BYTES;
  if (at === end) return 'none';
  let sourceRoute = false;
  while (at < end) {
    const kind = view.getUint8(at);
    if (kind === OPTION_END) break;
    if (kind === OPTION_NOP) {
      at++;
      continue;
    }
    const size = at + 1 < end ? view.getUint8(at + 1) : 0;
    if (size < 2 || at + size > end) return 'malformed';
    if (kind === OPTION_LOOSE_SOURCE_ROUTE || kind === OPTION_STRICT_SOURCE_ROUTE) sourceRoute = true;
    at += size;
  }
  return sourceRoute ? 'source-route' : 'plain';
}
