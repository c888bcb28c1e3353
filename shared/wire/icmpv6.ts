/**
 * ICMPv6 (RFC 4443) and neighbour discovery (RFC 4861): an 8-byte header; errors quote the packet they are about. The
 * checksum covers the pseudo header too.
 *
 *   0      1      2          4                     8
 *   | type | code | checksum | identifier sequence | data                     echo
 *                            | unused, or the MTU  | quoted packet            error
 *                            | flags               | target (16) | options    neighbour solicitation, advertisement
 *                            | hops flags lifetime | reachable, retransmit (4, 4) | options   router advertisement
 *   option   0      1        2
 *            | type | length | ...     length in 8-byte units
 */
import { writeMac } from './ethernet.ts';
import { readIpv6, writeIpv6 } from './ipv6-address.ts';

export const HEADER_BYTES = 8;
export const DESTINATION_UNREACHABLE = 1;
export const PACKET_TOO_BIG = 2;
export const TIME_EXCEEDED = 3;
export const PARAMETER_PROBLEM = 4;
export const ECHO_REQUEST = 128;
export const ECHO_REPLY = 129;
export const ROUTER_SOLICITATION = 133;
export const ROUTER_ADVERTISEMENT = 134;
export const NEIGHBOUR_SOLICITATION = 135;
export const NEIGHBOUR_ADVERTISEMENT = 136;
export const REDIRECT = 137;

export const CODE_NO_ROUTE = 0;
export const CODE_PROHIBITED = 1;
export const CODE_ADDRESS_UNREACHABLE = 3;
export const CODE_PORT_UNREACHABLE = 4;
export const CODE_HOP_LIMIT_EXCEEDED = 0;
export const CODE_REASSEMBLY_TIME_EXCEEDED = 1;
/** Of a parameter problem. */
export const CODE_UNKNOWN_NEXT_HEADER = 1;
export const CODE_UNKNOWN_OPTION = 2;

export const OPTION_SOURCE_LINK_ADDRESS = 1;
export const OPTION_TARGET_LINK_ADDRESS = 2;
export const OPTION_PREFIX_INFORMATION = 3;
export const OPTION_MTU = 5;

/** Of an advertisement (RFC 4861 section 4.4). */
export const FLAG_ROUTER = 0x8000_0000;
export const FLAG_SOLICITED = 0x4000_0000;
export const FLAG_OVERRIDE = 0x2000_0000;

/** The hop limit of neighbour discovery: a packet that has it was not forwarded (RFC 4861 section 3.1). */
export const DISCOVERY_HOP_LIMIT = 255;
/** A solicitation or advertisement with one link-layer address. */
export const NEIGHBOUR_MESSAGE_BYTES = 32;

const REST = 4;
const TARGET = 8;
const NEIGHBOUR_OPTIONS = 24;
const ROUTER_ADVERTISEMENT_OPTIONS = 16;
const LINK_ADDRESS_OPTION_BYTES = 8;
const PREFIX_OPTION_BYTES = 32;
const TWO_32 = 2 ** 32;

export function isError(messageType: number): boolean {
  return messageType < 128;
}

/** Types 133 to 137, which belong to one link and to no connection. */
export function isDiscovery(messageType: number): boolean {
  return messageType >= ROUTER_SOLICITATION && messageType <= REDIRECT;
}

/** Of a "packet too big" error (RFC 8201). */
export function mtu(view: DataView, offset: number): number {
  return view.getUint32(offset + REST);
}

/** A neighbour or router discovery message with its options: fixed part and every option fit, none has length 0. */
export function checkDiscovery(view: DataView, offset: number, length: number): boolean {
  if (length < 1 || offset >= view.byteLength) return false;
  const start = optionsOffset(view.getUint8(offset));
  if (start === 0 || length < start || offset + length > view.byteLength) return false;
  let at = offset + start;
  const end = offset + length;
  while (at < end) {
    const size = at + 2 <= end ? 8 * view.getUint8(at + 1) : 0;
    if (size === 0 || at + size > end) return false;
    at += size;
  }
  return true;
}

function optionsOffset(messageType: number): number {
  switch (messageType) {
    case NEIGHBOUR_SOLICITATION:
    case NEIGHBOUR_ADVERTISEMENT:
      return NEIGHBOUR_OPTIONS;
    case ROUTER_SOLICITATION:
      return HEADER_BYTES;
    case ROUTER_ADVERTISEMENT:
      return ROUTER_ADVERTISEMENT_OPTIONS;
    default:
      return 0;
  }
}

/** Of a neighbour solicitation or advertisement. */
export function target(view: DataView, offset: number): number {
  return readIpv6(view, offset + TARGET);
}

/** Of an advertisement, unsigned: `FLAG_ROUTER`, `FLAG_SOLICITED`, `FLAG_OVERRIDE`. */
export function flags(view: DataView, offset: number): number {
  return view.getUint32(offset + REST);
}

/** The first option of a kind in a checked message of `length` bytes; -1 when there is none. */
export function findOption(view: DataView, offset: number, length: number, kind: number): number {
  let at = offset + optionsOffset(view.getUint8(offset));
  const end = offset + length;
  while (at < end) {
    if (view.getUint8(at) === kind) return at;
    at += 8 * view.getUint8(at + 1);
  }
  return -1;
}

/** The MAC in a source or target link-layer address option; -1 when the message has none. */
export function linkAddress(view: DataView, offset: number, length: number, kind: number): number {
  const at = findOption(view, offset, length, kind);
  return at < 0 ? -1 : view.getUint16(at + 2) * TWO_32 + view.getUint32(at + 4);
}

/** Writes a neighbour solicitation or advertisement of 32 bytes with its link-layer address option; checksum 0. */
export function encodeNeighbour(
  view: DataView,
  offset: number,
  messageType: number,
  messageFlags: number,
  targetAddress: number,
  mac: number,
): void {
  view.setUint32(offset, messageType * 2 ** 24);
  view.setUint32(offset + REST, messageFlags);
  writeIpv6(view, offset + TARGET, targetAddress);
  const isSolicitation = messageType === NEIGHBOUR_SOLICITATION;
  const kind = isSolicitation ? OPTION_SOURCE_LINK_ADDRESS : OPTION_TARGET_LINK_ADDRESS;
  encodeLinkAddress(view, offset + NEIGHBOUR_OPTIONS, kind, mac);
}

function encodeLinkAddress(view: DataView, at: number, kind: number, mac: number): void {
  view.setUint8(at, kind);
  view.setUint8(at + 1, LINK_ADDRESS_OPTION_BYTES / 8);
  writeMac(view, at + 2, mac);
}

/** A router solicitation with its source's MAC: 16 bytes; checksum 0. */
export function encodeRouterSolicitation(view: DataView, offset: number, mac: number): number {
  view.setUint32(offset, ROUTER_SOLICITATION * 2 ** 24);
  view.setUint32(offset + REST, 0);
  encodeLinkAddress(view, offset + HEADER_BYTES, OPTION_SOURCE_LINK_ADDRESS, mac);
  return HEADER_BYTES + LINK_ADDRESS_OPTION_BYTES;
}

export interface RouterAdvertisement {
  readonly hopLimit: number;
  readonly lifetimeS: number;
  readonly mac: number;
  readonly mtuBytes: number;
  readonly prefix: number;
  readonly prefixLength: number;
}

/** Writes an advertisement with the three usual options; checksum 0; how many bytes it has. */
export function encodeRouterAdvertisement(view: DataView, offset: number, advertisement: RouterAdvertisement): number {
  view.setUint32(offset, ROUTER_ADVERTISEMENT * 2 ** 24);
  view.setUint8(offset + REST, advertisement.hopLimit);
  view.setUint8(offset + REST + 1, 0);
  view.setUint16(offset + REST + 2, advertisement.lifetimeS);
  view.setUint32(offset + 8, 0);
  view.setUint32(offset + 12, 0);
  let at = offset + ROUTER_ADVERTISEMENT_OPTIONS;
  encodeLinkAddress(view, at, OPTION_SOURCE_LINK_ADDRESS, advertisement.mac);
  at += LINK_ADDRESS_OPTION_BYTES;
  view.setUint32(at, (OPTION_MTU << 24) | (1 << 16));
  view.setUint32(at + 4, advertisement.mtuBytes);
  at += 8;
  view.setUint8(at, OPTION_PREFIX_INFORMATION);
  view.setUint8(at + 1, PREFIX_OPTION_BYTES / 8);
  view.setUint8(at + 2, advertisement.prefixLength);
  view.setUint8(at + 3, 0xc0); // on link, autonomous
  view.setUint32(at + 4, advertisement.lifetimeS);
  view.setUint32(at + 8, advertisement.lifetimeS);
  view.setUint32(at + 12, 0);
  writeIpv6(view, at + 16, advertisement.prefix);
  return at + PREFIX_OPTION_BYTES - offset;
}

/** Reads a checked advertisement; undefined when it lacks one of the three usual options. */
export function readRouterAdvertisement(
  view: DataView,
  offset: number,
  length: number,
): RouterAdvertisement | undefined {
  const mac = linkAddress(view, offset, length, OPTION_SOURCE_LINK_ADDRESS);
  const mtuOption = findOption(view, offset, length, OPTION_MTU);
  const prefixOption = findOption(view, offset, length, OPTION_PREFIX_INFORMATION);
  if (mac < 0 || mtuOption < 0 || prefixOption < 0 || view.getUint8(prefixOption + 1) !== 4) return undefined;
  return {
    hopLimit: view.getUint8(offset + REST),
    lifetimeS: view.getUint16(offset + REST + 2),
    mac,
    mtuBytes: view.getUint32(mtuOption + 4),
    prefix: readIpv6(view, prefixOption + 16),
    prefixLength: view.getUint8(prefixOption + 2),
  };
}
