/**
 * UDP header (RFC 768).
 *
 *   0        2             4        6          8
 *   | source | destination | length | checksum | data ...
 */

export const HEADER_BYTES = 8;
export const MAX_DATA_BYTES = 65_507;

const DESTINATION_PORT = 2;
const LENGTH = 4;
const CHECKSUM = 6;

/** The length field holds at least the header and at most the `length` bytes there are. */
export function check(view: DataView, offset: number, length: number): boolean {
  if (length < HEADER_BYTES || offset + length > view.byteLength) return false;
  const udpLength = view.getUint16(offset + LENGTH);
  return udpLength >= HEADER_BYTES && udpLength <= length;
}

export function sourcePort(view: DataView, offset: number): number {
  return view.getUint16(offset);
}

export function destinationPort(view: DataView, offset: number): number {
  return view.getUint16(offset + DESTINATION_PORT);
}

/** Header and data. */
export function length(view: DataView, offset: number): number {
  return view.getUint16(offset + LENGTH);
}

/** 0 means that the sender computed none. */
export function checksum(view: DataView, offset: number): number {
  return view.getUint16(offset + CHECKSUM);
}

/** Writes the field alone; the caller keeps the checksum right (`checksum.update16`). */
export function setSourcePort(view: DataView, offset: number, port: number): void {
  view.setUint16(offset, port);
}

/** Writes the field alone; the caller keeps the checksum right (`checksum.update16`). */
export function setDestinationPort(view: DataView, offset: number, port: number): void {
  view.setUint16(offset + DESTINATION_PORT, port);
}

/** A computed checksum of 0 is written as 0xffff, because 0 means none. */
export function setChecksum(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + CHECKSUM, value === 0 ? 0xffff : value);
}

/** "None computed"; also what a sum over the datagram must find in the field. */
export function clearChecksum(view: DataView, offset: number): void {
  view.setUint16(offset + CHECKSUM, 0);
}

/** Writes the header with a checksum of 0; `udpLength` is header and data. */
export function encode(view: DataView, offset: number, from: number, to: number, udpLength: number): void {
  view.setUint16(offset, from);
  view.setUint16(offset + DESTINATION_PORT, to);
  view.setUint16(offset + LENGTH, udpLength);
  view.setUint16(offset + CHECKSUM, 0);
}
