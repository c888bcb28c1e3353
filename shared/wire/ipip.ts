/**
 * IP within IP (RFC 2003): an outer IPv4 header with protocol 4 directly before the inner packet.
 *
 *   0                        20 (more with options)
 *   | outer header, proto 4 | inner header | payload ...
 */
import * as ipv4 from './ipv4.ts';

/** What the MTU of a tunnel is smaller by. */
export const OVERHEAD_BYTES = ipv4.HEADER_BYTES;

/** Two IPv4 headers, each whole, and the inner packet within the outer one; no fragment of an outer packet passes. */
export function check(view: DataView, offset: number, length: number): boolean {
  if (!ipv4.check(view, offset, length) || ipv4.protocol(view, offset) !== ipv4.PROTOCOL_IPIP) return false;
  if (ipv4.isFragment(view, offset)) return false;
  return ipv4.check(view, innerOffset(view, offset), ipv4.totalLength(view, offset) - ipv4.headerBytes(view, offset));
}

/** Of a checked packet. */
export function innerOffset(view: DataView, offset: number): number {
  return offset + ipv4.headerBytes(view, offset);
}

/**
 * Writes an outer header before the inner packet at `offset + 20`. Of the inner header it takes the type of service and
 * "don't fragment" (section 3.1), so that path MTU discovery goes on through the tunnel.
 */
export function encode(
  view: DataView,
  offset: number,
  id: number,
  timeToLive: number,
  source: number,
  destination: number,
): void {
  const inner = offset + ipv4.HEADER_BYTES;
  const total = ipv4.HEADER_BYTES + ipv4.totalLength(view, inner);
  const mayFragment = !ipv4.dontFragment(view, inner);
  const tos = ipv4.tos(view, inner);
  ipv4.encode(view, offset, total, id, mayFragment, timeToLive, ipv4.PROTOCOL_IPIP, source, destination, tos);
}
