/**
 * WireGuard's transport data message (whitepaper, section 5.4.6), between the outer UDP header and the sealed inner packet.
 *
 *   0          1          4                8         16
 *   | type = 4 | reserved | receiver index | counter | sealed inner packet, padded | 16 bytes of tag |
 *
 * Numbers are little-endian. A message without an inner packet is a keepalive.
 */

export const HEADER_BYTES = 16;
export const TAG_BYTES = 16;
export const PORT = 51_820;
/** What the message has beyond the inner packet. */
export const OVERHEAD_BYTES = HEADER_BYTES + TAG_BYTES;
/** What a device's MTU is smaller by: an outer IPv6 header (40), UDP (8) and the message, so that either version may be outside. */
export const MTU_OVERHEAD_BYTES = 40 + 8 + OVERHEAD_BYTES;

const TYPE_DATA = 4;
const INDEX = 4;
const COUNTER = 8;
const PADDING_BYTES = 16;
const WORD = 2 ** 32;

/** A data message with room for its header and tag whose counter is a safe integer. */
export function check(view: DataView, offset: number, length: number): boolean {
  if (length < OVERHEAD_BYTES || offset + length > view.byteLength) return false;
  return view.getUint32(offset, true) === TYPE_DATA && view.getUint32(offset + COUNTER + 4, true) < 2 ** 21;
}

/** By which the receiver knows the session. */
export function receiverIndex(view: DataView, offset: number): number {
  return view.getUint32(offset + INDEX, true);
}

export function counter(view: DataView, offset: number): number {
  return view.getUint32(offset + COUNTER + 4, true) * WORD + view.getUint32(offset + COUNTER, true);
}

export function encode(view: DataView, offset: number, index: number, count: number): void {
  view.setUint32(offset, TYPE_DATA, true);
  view.setUint32(offset + INDEX, index, true);
  view.setUint32(offset + COUNTER, count % WORD, true);
  view.setUint32(offset + COUNTER + 4, Math.floor(count / WORD), true);
}

/** Bytes of an inner packet as it is sealed: rounded up, and no longer than the MTU lets it be. */
export function paddedBytes(length: number, mtuBytes: number): number {
  const padded = Math.ceil(length / PADDING_BYTES) * PADDING_BYTES;
  return Math.max(length, Math.min(padded, mtuBytes));
}
