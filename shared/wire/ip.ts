/**
 * The IP header of either version (RFC 791, RFC 8200), for all that is the same above it. A packet has passed `check`;
 * IPv6's extension headers count as header.
 */
import { pseudoHeaderSum as ipv4PseudoHeaderSum, sumRangeScalar } from './checksum.ts';
import * as ethernet from './ethernet.ts';
import * as ipv4 from './ipv4.ts';
import * as ipv6 from './ipv6.ts';
import { isIpv6 as isIpv6Address } from './ipv6-table.ts';

export function isIpv6(view: DataView, offset: number): boolean {
  return view.getUint8(offset) >>> 4 === 6;
}

/** What `check` of the version that the packet says it is makes of `length` bytes at `offset`. */
export function check(view: DataView, offset: number, length: number): boolean {
  return length > 0 && isIpv6(view, offset) ? ipv6.check(view, offset, length) : ipv4.check(view, offset, length);
}

/** The EtherType of the version. */
export function etherType(view: DataView, offset: number): number {
  return isIpv6(view, offset) ? ethernet.TYPE_IPV6 : ethernet.TYPE_IPV4;
}

export function source(view: DataView, offset: number): number {
  return isIpv6(view, offset) ? ipv6.source(view, offset) : ipv4.source(view, offset);
}

export function destination(view: DataView, offset: number): number {
  return isIpv6(view, offset) ? ipv6.destination(view, offset) : ipv4.destination(view, offset);
}

/** Of the upper layer. */
export function protocol(view: DataView, offset: number): number {
  return isIpv6(view, offset) ? ipv6.protocol(view, offset) : ipv4.protocol(view, offset);
}

export function headerBytes(view: DataView, offset: number): number {
  return isIpv6(view, offset) ? ipv6.headerBytes(view, offset) : ipv4.headerBytes(view, offset);
}

export function totalLength(view: DataView, offset: number): number {
  return isIpv6(view, offset) ? ipv6.totalLength(view, offset) : ipv4.totalLength(view, offset);
}

/** TTL or hop limit. */
export function ttl(view: DataView, offset: number): number {
  return isIpv6(view, offset) ? ipv6.hopLimit(view, offset) : ipv4.ttl(view, offset);
}

export function decrementTtl(view: DataView, offset: number): void {
  if (isIpv6(view, offset)) ipv6.decrementHopLimit(view, offset);
  else ipv4.decrementTtl(view, offset);
}

export function isFragment(view: DataView, offset: number): boolean {
  return isIpv6(view, offset) ? ipv6.isFragment(view, offset) : ipv4.isFragment(view, offset);
}

/** In bytes. */
export function fragmentOffset(view: DataView, offset: number): number {
  return isIpv6(view, offset) ? ipv6.fragmentOffset(view, offset) : ipv4.fragmentOffset(view, offset);
}

export function moreFragments(view: DataView, offset: number): boolean {
  return isIpv6(view, offset) ? ipv6.moreFragments(view, offset) : ipv4.moreFragments(view, offset);
}

export function identification(view: DataView, offset: number): number {
  return isIpv6(view, offset) ? ipv6.identification(view, offset) : ipv4.identification(view, offset);
}

/** Whether a router must not cut it: IPv6 routers never do (RFC 8200 section 4.5). */
export function dontFragment(view: DataView, offset: number): boolean {
  return isIpv6(view, offset) || ipv4.dontFragment(view, offset);
}

/**
 * The header of the packet that an ICMP error quotes, which may be cut off behind it; -1 when it is malformed, when the
 * first 8 bytes of the upper layer are not there, or when no host can have sent it.
 */
export function quotedHeaderBytes(view: DataView, offset: number, length: number): number {
  if (length < ipv4.HEADER_BYTES || offset + length > view.byteLength) return -1;
  const header = isIpv6(view, offset) ? ipv6.quotedHeaderBytes(view, offset, length) : quotedIpv4(view, offset);
  return length >= header + 8 ? header : -1;
}

function quotedIpv4(view: DataView, offset: number): number {
  const header = ipv4.headerBytes(view, offset);
  if (view.getUint8(offset) >>> 4 !== 4 || header < ipv4.HEADER_BYTES) return -1;
  // The numbers of 240.0.0.0/4 mean something else here (ipv6-table.ts).
  const isReserved = isIpv6Address(ipv4.source(view, offset)) || isIpv6Address(ipv4.destination(view, offset));
  return isReserved ? -1 : header;
}

/** The fixed header of the version an address belongs to. */
export function fixedHeaderBytes(address: number): 20 | 40 {
  return isIpv6Address(address) ? ipv6.HEADER_BYTES : ipv4.HEADER_BYTES;
}

/** The sum of the pseudo header of the packet at `offset` (RFC 9293 section 3.1, RFC 8200 section 8.1). */
export function pseudoHeaderSum(view: DataView, offset: number, proto: number, length: number): number {
  if (!isIpv6(view, offset)) {
    return ipv4PseudoHeaderSum(ipv4.source(view, offset), ipv4.destination(view, offset), proto, length);
  }
  return sumRangeScalar(view, offset + ipv6.ADDRESSES_OFFSET, ipv6.ADDRESSES_BYTES) + proto + length;
}
