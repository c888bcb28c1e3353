/**
 * VXLAN header (RFC 7348 section 5), between the outer UDP header and the inner Ethernet frame.
 *
 *   0       1          4     7          8
 *   | flags | reserved | VNI | reserved | inner frame ...
 */

export const HEADER_BYTES = 8;
export const PORT = 4789;
/** Outer IPv4, UDP and VXLAN headers and the inner Ethernet header: what the overlay's MTU is smaller by. */
export const OVERHEAD_BYTES = 50;
export const MAX_VNI = 0xff_ffff;

const FLAG_VNI_VALID = 0x08;
const VNI_WORD = 4;

/** The I flag is set; reserved bits are ignored on receipt. */
export function check(view: DataView, offset: number, length: number): boolean {
  return length >= HEADER_BYTES && offset + length <= view.byteLength && (view.getUint8(offset) & FLAG_VNI_VALID) !== 0;
}

export function vni(view: DataView, offset: number): number {
  return view.getUint32(offset + VNI_WORD) >>> 8;
}

/** The last byte, which the RFC leaves to senders as 0: weave's peers count hops there. */
export function lastByte(view: DataView, offset: number): number {
  return view.getUint8(offset + HEADER_BYTES - 1);
}

export function encode(view: DataView, offset: number, networkIdentifier: number, last = 0): void {
  view.setUint32(offset, FLAG_VNI_VALID << 24);
  view.setUint32(offset + VNI_WORD, (networkIdentifier << 8) | last);
}

/**
 * The outer UDP source port of an inner flow, from the dynamic range (RFC 7348 section 5: entropy for ECMP).
 * `flowHash` is any 32-bit hash of the inner addresses and ports.
 */
export function sourcePort(flowHash: number): number {
  return 49_152 + ((flowHash >>> 0) % 16_384);
}
