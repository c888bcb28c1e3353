/**
 * ICMP (RFC 792): an 8-byte header; errors quote the IP header and the first bytes of the packet they are about.
 *
 *   0      1      2          4                     8
 *   | type | code | checksum | identifier sequence | data            echo
 *                            | unused     next MTU | quoted packet   error (RFC 1191)
 */

export const HEADER_BYTES = 8;
export const ECHO_REPLY = 0;
export const DESTINATION_UNREACHABLE = 3;
export const SOURCE_QUENCH = 4;
export const REDIRECT = 5;
export const ECHO_REQUEST = 8;
export const TIME_EXCEEDED = 11;
export const PARAMETER_PROBLEM = 12;

export const CODE_NET_UNREACHABLE = 0;
export const CODE_HOST_UNREACHABLE = 1;
export const CODE_PROTOCOL_UNREACHABLE = 2;
export const CODE_PORT_UNREACHABLE = 3;
export const CODE_FRAGMENTATION_NEEDED = 4;
export const CODE_SOURCE_ROUTE_FAILED = 5;
export const CODE_NET_UNKNOWN = 6;
export const CODE_NET_PROHIBITED = 9;
export const CODE_HOST_PROHIBITED = 10;
export const CODE_NET_UNREACHABLE_FOR_TOS = 11;
export const CODE_HOST_UNREACHABLE_FOR_TOS = 12;
export const CODE_ADMINISTRATIVELY_PROHIBITED = 13;
export const CODE_TTL_EXCEEDED = 0;
export const CODE_REASSEMBLY_TIME_EXCEEDED = 1;

const CODE = 1;
const CHECKSUM = 2;
const IDENTIFIER = 4;
const SEQUENCE = 6;
const NEXT_HOP_MTU = 6;

export function check(view: DataView, offset: number, length: number): boolean {
  return length >= HEADER_BYTES && offset + length <= view.byteLength;
}

export function type(view: DataView, offset: number): number {
  return view.getUint8(offset);
}

export function code(view: DataView, offset: number): number {
  return view.getUint8(offset + CODE);
}

export function checksum(view: DataView, offset: number): number {
  return view.getUint16(offset + CHECKSUM);
}

export function setChecksum(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + CHECKSUM, value);
}

/** Of an echo. */
export function identifier(view: DataView, offset: number): number {
  return view.getUint16(offset + IDENTIFIER);
}

/** Writes the field alone; the caller keeps the checksum right (`checksum.update16`). */
export function setIdentifier(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + IDENTIFIER, value);
}

/** Of an echo. */
export function sequence(view: DataView, offset: number): number {
  return view.getUint16(offset + SEQUENCE);
}

/** Of a "fragmentation needed" error (RFC 1191 section 4); 0 from a router that does not know of it. */
export function nextHopMtu(view: DataView, offset: number): number {
  return view.getUint16(offset + NEXT_HOP_MTU);
}

/** An error quotes a packet, and is never answered with another error (RFC 1122 section 3.2.2). */
export function isError(messageType: number): boolean {
  return (
    messageType === DESTINATION_UNREACHABLE ||
    messageType === TIME_EXCEEDED ||
    messageType === PARAMETER_PROBLEM ||
    messageType === SOURCE_QUENCH ||
    messageType === REDIRECT
  );
}

/** Writes the header with a checksum of 0. `rest` is the second word: identifier and sequence, or the next-hop MTU. */
export function encode(view: DataView, offset: number, messageType: number, messageCode: number, rest: number): void {
  view.setUint8(offset, messageType);
  view.setUint8(offset + CODE, messageCode);
  view.setUint16(offset + CHECKSUM, 0);
  view.setUint32(offset + IDENTIFIER, rest);
}
