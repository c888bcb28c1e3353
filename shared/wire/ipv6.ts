/**
 * IPv6 header (RFC 8200), 40 bytes, and the chain of extension headers after it.
 *
 *   0                 4          6      7      8            24                40
 *   | ver class label | payload  | next | hops | source     | destination     | extension headers ... upper layer
 *
 *   extension   0      1        2
 *               | next | length | ...        length in 8-byte units after the first 8
 *   fragment    0      1        2               4                8
 *               | next | 0      | offset   | M  | identification |
 */
import { readIpv6, writeIpv6 } from './ipv6-address.ts';

export const HEADER_BYTES = 40;
/** Of the payload, extension headers included: jumbograms (RFC 2675) are not taken. */
export const MAX_PAYLOAD_BYTES = 65_535;
/** What every link carries (RFC 8200 section 5). */
export const MIN_MTU_BYTES = 1280;
export const PROTOCOL_ICMPV6 = 58;
export const NO_NEXT_HEADER = 59;
export const FRAGMENT_HEADER_BYTES = 8;

const PAYLOAD_LENGTH = 4;
const NEXT_HEADER = 6;
const HOP_LIMIT = 7;
const SOURCE = 8;
const DESTINATION = 24;

const HOP_BY_HOP = 0;
const ROUTING = 43;
export const FRAGMENT = 44;
const DESTINATION_OPTIONS = 60;
/** Extension headers of one packet; nobody honest sends more than one of each (RFC 8200 section 4.1). */
const MAX_EXTENSION_HEADERS = 8;

const OPTION_PAD1 = 0;
const OPTION_PADN = 1;

/** Version, payload length and every extension header fit the `length` bytes there are. */
export function check(view: DataView, offset: number, length: number): boolean {
  if (length < HEADER_BYTES || offset + length > view.byteLength) return false;
  if (view.getUint8(offset) >>> 4 !== 6) return false;
  const total = totalLength(view, offset);
  return total <= length && (!hasExtensions(view, offset) || chainFits(view, offset, offset + total));
}

function hasExtensions(view: DataView, offset: number): boolean {
  return isExtension(view.getUint8(offset + NEXT_HEADER));
}

function isExtension(header: number): boolean {
  return header === HOP_BY_HOP || header === ROUTING || header === FRAGMENT || header === DESTINATION_OPTIONS;
}

function chainFits(view: DataView, offset: number, end: number): boolean {
  let header = view.getUint8(offset + NEXT_HEADER);
  let at = offset + HEADER_BYTES;
  for (let count = 0; isExtension(header); count++) {
    if (count === MAX_EXTENSION_HEADERS || at + 8 > end) return false;
    if (header === HOP_BY_HOP && count > 0) return false;
    const size = extensionBytes(view, at, header);
    if (at + size > end) return false;
    if (header === FRAGMENT && isLaterFragment(view, at)) return true;
    header = view.getUint8(at);
    at += size;
  }
  return true;
}

/** The header of a packet that is cut off after `length` bytes; -1 when the header itself is. */
export function quotedHeaderBytes(view: DataView, offset: number, length: number): number {
  if (length < HEADER_BYTES || !chainFits(view, offset, offset + length)) return -1;
  return headerBytes(view, offset);
}

function extensionBytes(view: DataView, at: number, header: number): number {
  return header === FRAGMENT ? FRAGMENT_HEADER_BYTES : 8 * (view.getUint8(at + 1) + 1);
}

/** Not the first fragment: what follows the fragment header is data, whatever its next header says. */
function isLaterFragment(view: DataView, at: number): boolean {
  return view.getUint16(at + 2) >>> 3 !== 0;
}

/** The extension header of a kind in a checked packet; -1 when there is none. */
function find(view: DataView, offset: number, wanted: number): number {
  let header = view.getUint8(offset + NEXT_HEADER);
  let at = offset + HEADER_BYTES;
  while (isExtension(header)) {
    if (header === wanted) return at;
    if (header === FRAGMENT && isLaterFragment(view, at)) return -1;
    const next = view.getUint8(at);
    at += extensionBytes(view, at, header);
    header = next;
  }
  return -1;
}

/** The header and its extensions, up to the upper layer. The packet passed `check`. */
export function headerBytes(view: DataView, offset: number): number {
  let header = view.getUint8(offset + NEXT_HEADER);
  let at = offset + HEADER_BYTES;
  while (isExtension(header)) {
    const size = extensionBytes(view, at, header);
    const last = header === FRAGMENT && isLaterFragment(view, at);
    header = view.getUint8(at);
    at += size;
    if (last) break;
  }
  return at - offset;
}

/** The upper layer's protocol, behind all extension headers. The packet passed `check`. */
export function protocol(view: DataView, offset: number): number {
  let header = view.getUint8(offset + NEXT_HEADER);
  let at = offset + HEADER_BYTES;
  while (isExtension(header)) {
    const last = header === FRAGMENT && isLaterFragment(view, at);
    const next = view.getUint8(at);
    at += extensionBytes(view, at, header);
    header = next;
    if (last) break;
  }
  return header;
}

/** The field of the fixed header itself. */
export function nextHeader(view: DataView, offset: number): number {
  return view.getUint8(offset + NEXT_HEADER);
}

/** DSCP in the upper six bits, ECN in the lower two. */
export function trafficClass(view: DataView, offset: number): number {
  return (view.getUint16(offset) >>> 4) & 0xff;
}

export function flowLabel(view: DataView, offset: number): number {
  return view.getUint32(offset) & 0xf_ffff;
}

/** Header and payload. */
export function totalLength(view: DataView, offset: number): number {
  return HEADER_BYTES + view.getUint16(offset + PAYLOAD_LENGTH);
}

export function hopLimit(view: DataView, offset: number): number {
  return view.getUint8(offset + HOP_LIMIT);
}

export function decrementHopLimit(view: DataView, offset: number): void {
  view.setUint8(offset + HOP_LIMIT, view.getUint8(offset + HOP_LIMIT) - 1);
}

export function source(view: DataView, offset: number): number {
  return readIpv6(view, offset + SOURCE);
}

export function destination(view: DataView, offset: number): number {
  return readIpv6(view, offset + DESTINATION);
}

/** Writes the field alone; the caller keeps the transport checksum right. */
export function setSource(view: DataView, offset: number, address: number): void {
  writeIpv6(view, offset + SOURCE, address);
}

/** Writes the field alone; the caller keeps the transport checksum right. */
export function setDestination(view: DataView, offset: number, address: number): void {
  writeIpv6(view, offset + DESTINATION, address);
}

/** Both addresses, which stand side by side, for pseudo headers. */
export const ADDRESSES_OFFSET = SOURCE;
export const ADDRESSES_BYTES = 32;

/** Where the fragment header stands; -1 for a packet that is whole. */
export function fragmentHeader(view: DataView, offset: number): number {
  return hasExtensions(view, offset) ? find(view, offset, FRAGMENT) : -1;
}

export function isFragment(view: DataView, offset: number): boolean {
  return fragmentHeader(view, offset) >= 0;
}

/** In bytes. */
export function fragmentOffset(view: DataView, offset: number): number {
  const at = fragmentHeader(view, offset);
  return at < 0 ? 0 : view.getUint16(at + 2) & 0xfff8;
}

export function moreFragments(view: DataView, offset: number): boolean {
  const at = fragmentHeader(view, offset);
  return at >= 0 && (view.getUint16(at + 2) & 1) === 1;
}

/** Of a fragment; 0 for a whole packet. */
export function identification(view: DataView, offset: number): number {
  const at = fragmentHeader(view, offset);
  return at < 0 ? 0 : view.getUint32(at + 4);
}

/** Writes a fragment header at `at`; `start` in bytes, a multiple of 8. */
export function encodeFragment(
  view: DataView,
  at: number,
  next: number,
  start: number,
  more: boolean,
  id: number,
): void {
  view.setUint8(at, next);
  view.setUint8(at + 1, 0);
  view.setUint16(at + 2, start | (more ? 1 : 0));
  view.setUint32(at + 4, id);
}

/** Writes a header without extensions. There is no header checksum. */
export function encode(
  view: DataView,
  offset: number,
  total: number,
  hops: number,
  next: number,
  from: number,
  to: number,
  classOfTraffic = 0,
  label = 0,
): void {
  view.setUint32(offset, (0x6000_0000 | (classOfTraffic << 20) | label) >>> 0);
  setTotalLength(view, offset, total);
  setNextHeader(view, offset, next);
  view.setUint8(offset + HOP_LIMIT, hops);
  writeIpv6(view, offset + SOURCE, from);
  writeIpv6(view, offset + DESTINATION, to);
}

/** Header and payload, at most 40 + 65,535. */
export function setTotalLength(view: DataView, offset: number, total: number): void {
  view.setUint16(offset + PAYLOAD_LENGTH, total - HEADER_BYTES);
}

export function setNextHeader(view: DataView, offset: number, next: number): void {
  view.setUint8(offset + NEXT_HEADER, next);
}

/** Sets the field that names what follows `before` bytes of header: the fixed header's, or that of the extension which ends there. */
export function setLastNextHeader(view: DataView, offset: number, before: number, next: number): void {
  let header = view.getUint8(offset + NEXT_HEADER);
  let field = offset + NEXT_HEADER;
  let at = offset + HEADER_BYTES;
  while (at < offset + before) {
    field = at;
    const size = extensionBytes(view, at, header);
    header = view.getUint8(at);
    at += size;
  }
  view.setUint8(field, next);
}

/**
 * How the extension headers of a checked packet read: `source-route` for a routing header that would still change the
 * way (RFC 5095 forbids type 0, no other is known here), `unknown` for an option that asks to be dropped by who does not
 * know it (RFC 8200 section 4.2).
 */
export function optionsKind(
  view: DataView,
  offset: number,
): 'none' | 'plain' | 'source-route' | 'unknown' | 'malformed' {
  let header = view.getUint8(offset + NEXT_HEADER);
  if (!isExtension(header)) return 'none';
  let at = offset + HEADER_BYTES;
  while (isExtension(header)) {
    const size = extensionBytes(view, at, header);
    if (header === ROUTING && view.getUint8(at + 3) !== 0) return 'source-route';
    if (header === HOP_BY_HOP || header === DESTINATION_OPTIONS) {
      const kind = optionListKind(view, at + 2, at + size);
      if (kind !== 'plain') return kind;
    }
    if (header === FRAGMENT && isLaterFragment(view, at)) break;
    header = view.getUint8(at);
    at += size;
  }
  return 'plain';
}

function optionListKind(view: DataView, start: number, end: number): 'plain' | 'unknown' | 'malformed' {
  let at = start;
  while (at < end) {
    const kind = view.getUint8(at);
    if (kind === OPTION_PAD1) {
      at++;
      continue;
    }
    if (at + 2 > end) return 'malformed';
    at += 2 + view.getUint8(at + 1);
    if (at > end) return 'malformed';
    if (kind !== OPTION_PADN && kind >>> 6 !== 0) return 'unknown';
  }
  return 'plain';
}
