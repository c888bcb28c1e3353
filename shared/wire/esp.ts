/**
 * Encapsulating Security Payload (RFC 4303) with AES-GCM (RFC 4106), in transport mode: between the IP header and what was behind it.
 *
 *   0     4          8                16
 *   | SPI | sequence | initialization | payload, padding, its length, next header (sealed) | 16 bytes of tag |
 *                      vector: the counter
 *
 * SPI and sequence number are authenticated beside what is sealed. The counter is whole in the initialization vector; the sequence
 * number is its lower half.
 */

export const HEADER_BYTES = 16;
export const TRAILER_BYTES = 2;
export const TAG_BYTES = 16;
/** At the beginning of the header: what is authenticated and not sealed. */
export const AUTHENTICATED_BYTES = 8;
export const PROTOCOL = 50;

const SEQUENCE = 4;
const VECTOR = 8;
const WORD = 2 ** 32;
const ALIGNMENT_BYTES = 4;

/** Room for the header, the trailer and the tag, and a counter that is a safe integer. */
export function check(view: DataView, offset: number, length: number): boolean {
  if (length < HEADER_BYTES + TRAILER_BYTES + TAG_BYTES || offset + length > view.byteLength) return false;
  return view.getUint32(offset + VECTOR) < 2 ** 21;
}

/** Security parameters index: by which the receiver knows the session. */
export function spi(view: DataView, offset: number): number {
  return view.getUint32(offset);
}

export function counter(view: DataView, offset: number): number {
  return view.getUint32(offset + VECTOR) * WORD + view.getUint32(offset + VECTOR + 4);
}

export function encode(view: DataView, offset: number, index: number, count: number): void {
  view.setUint32(offset, index);
  view.setUint32(offset + SEQUENCE, count % WORD);
  view.setUint32(offset + VECTOR, Math.floor(count / WORD));
  view.setUint32(offset + VECTOR + 4, count % WORD);
}

/** Of padding, behind a payload of so many bytes. */
export function paddingBytes(payloadBytes: number): number {
  return (ALIGNMENT_BYTES - ((payloadBytes + TRAILER_BYTES) % ALIGNMENT_BYTES)) % ALIGNMENT_BYTES;
}

/** Behind a payload that ends at `offset`: padding of 1, 2, 3, ..., its length, and the protocol of the payload. */
export function encodeTrailer(view: DataView, offset: number, padding: number, nextHeader: number): void {
  for (let i = 0; i < padding; i++) view.setUint8(offset + i, i + 1);
  view.setUint8(offset + padding, padding);
  view.setUint8(offset + padding + 1, nextHeader);
}

/** Bytes of the payload within `length` bytes that were opened; -1 where it is not of that protocol, or the padding is wrong. */
export function payloadBytes(view: DataView, offset: number, length: number, nextHeader: number): number {
  const padding = view.getUint8(offset + length - TRAILER_BYTES);
  if (view.getUint8(offset + length - 1) !== nextHeader) return -1;
  return Math.max(-1, length - TRAILER_BYTES - padding);
}
