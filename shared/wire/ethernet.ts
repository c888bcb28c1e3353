/**
 * Ethernet II frame header (IEEE 802.3): destination, source, type. A VLAN tag is a type of its own and passes through.
 *
 *   0            6            12      14
 *   | destination | source     | type  | payload ...
 */

export const HEADER_BYTES = 14;
export const TYPE_IPV4 = 0x0800;
export const TYPE_ARP = 0x0806;
export const TYPE_VLAN = 0x8100;
export const TYPE_IPV6 = 0x86dd;
export const BROADCAST = 0xffff_ffff_ffff;

const SOURCE = 6;
const TYPE = 12;
const TWO_32 = 2 ** 32;

/** Whether `length` bytes at `offset` hold a frame header. */
export function check(view: DataView, offset: number, length: number): boolean {
  return length >= HEADER_BYTES && offset + length <= view.byteLength;
}

export function destination(view: DataView, offset: number): number {
  return view.getUint16(offset) * TWO_32 + view.getUint32(offset + 2);
}

export function source(view: DataView, offset: number): number {
  return view.getUint16(offset + SOURCE) * TWO_32 + view.getUint32(offset + SOURCE + 2);
}

export function type(view: DataView, offset: number): number {
  return view.getUint16(offset + TYPE);
}

/** Writes any MAC field: DataView takes the low 16 and 32 bits by itself. */
export function writeMac(view: DataView, offset: number, mac: number): void {
  view.setUint16(offset, mac / TWO_32);
  view.setUint32(offset + 2, mac);
}

export function setDestination(view: DataView, offset: number, mac: number): void {
  writeMac(view, offset, mac);
}

export function setSource(view: DataView, offset: number, mac: number): void {
  writeMac(view, offset + SOURCE, mac);
}

export function encode(
  view: DataView,
  offset: number,
  destinationMac: number,
  sourceMac: number,
  etherType: number,
): void {
  writeMac(view, offset, destinationMac);
  writeMac(view, offset + SOURCE, sourceMac);
  view.setUint16(offset + TYPE, etherType);
}

/** The group bit: multicast and broadcast destinations. */
export function isGroup(mac: number): boolean {
  return ((mac / 2 ** 40) & 1) === 1;
}

/** The group address of an IPv4 multicast group (RFC 1112 section 6.4). */
export function multicastMac(group: number): number {
  return 0x0100_5e00_0000 + (group & 0x7f_ffff);
}
