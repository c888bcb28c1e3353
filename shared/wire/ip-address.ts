/** IP addresses of both families, as the packet path keeps them: IPv4 by value, IPv6 by its place in `ipv6-table.ts`. */
import * as ipv4 from './address.ts';
import { multicastMac } from './ethernet.ts';
import * as ipv6 from './ipv6-address.ts';
import { ipv6Table, isIpv6, mix } from './ipv6-table.ts';

export type IpFamily = 'ipv4' | 'ipv6';

export function familyOf(address: number): IpFamily {
  return isIpv6(address) ? 'ipv6' : 'ipv4';
}

/** `10.244.1.5` or `fd00:10:244:1::5`; undefined for anything else, and for 240.0.0.0/4, which no host may have. */
export function parseAddress(text: string): number | undefined {
  if (text.includes(':')) return ipv6.parseIpv6(text);
  const address = ipv4.parseIpv4(text);
  return address === undefined || isIpv6(address) ? undefined : address;
}

export function formatAddress(address: number): string {
  return isIpv6(address) ? ipv6.formatIpv6(address) : ipv4.formatIpv4(address);
}

/** `10.244.1.5:80` or `[fd00:10:244:1::5]:80`. */
export function formatEndpoint(address: number, port: number): string {
  return isIpv6(address) ? `[${ipv6.formatIpv6(address)}]:${port}` : `${ipv4.formatIpv4(address)}:${port}`;
}

export interface IpPrefix {
  /** The address as written; host bits may be set (`10.244.1.5/24`). */
  readonly address: number;
  /** 0 to 32, or 0 to 128. */
  readonly prefixLength: number;
}

/** `10.244.1.0/24` or `fd00:10:244:1::/64`; undefined for anything else, and for what is in 240.0.0.0/4. */
export function parsePrefix(text: string): IpPrefix | undefined {
  if (!text.includes(':')) {
    const prefix = ipv4.parseIpv4Prefix(text);
    return prefix !== undefined && isIpv6(prefix.address) ? undefined : prefix;
  }
  const match = /^([0-9a-fA-F:.]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  if (match === null) return undefined;
  const address = ipv6.parseIpv6(match[1]!);
  const prefixLength = Number(match[2]);
  return address === undefined || prefixLength > 128 ? undefined : { address, prefixLength };
}

export function formatPrefix(prefix: IpPrefix): string {
  return `${formatAddress(prefix.address)}/${prefix.prefixLength}`;
}

/** Bits of an address: the prefix length of a single host. */
export function addressBits(address: number): 32 | 128 {
  return isIpv6(address) ? 128 : 32;
}

/** A single host as a network. */
export function hostPrefix(address: number): IpPrefix {
  return { address, prefixLength: addressBits(address) };
}

export function networkOf(address: number, prefixLength: number): number {
  return isIpv6(address) ? ipv6.ipv6NetworkOf(address, prefixLength) : ipv4.networkOf(address, prefixLength);
}

/** Whether an address is in a network; never in one of the other family. */
export function isInNetwork(address: number, network: number, prefixLength: number): boolean {
  if (isIpv6(address) !== isIpv6(network)) return false;
  return networkOf(address, prefixLength) === networkOf(network, prefixLength);
}

/** Whether all of a network is in another one, as it is in itself. */
export function isSubnetOf(inner: IpPrefix, outer: IpPrefix): boolean {
  return inner.prefixLength >= outer.prefixLength && isInNetwork(inner.address, outer.address, outer.prefixLength);
}

/** The address so many places after another. */
export function addressPlus(address: number, offset: number): number {
  return isIpv6(address) ? ipv6.ipv6Plus(address, offset) : (address + offset) >>> 0;
}

/** 224.0.0.0/4, ff00::/8 */
export function isMulticast(address: number): boolean {
  return isIpv6(address) ? ipv6.isIpv6Multicast(address) : ipv4.isMulticast(address);
}

/** 127.0.0.0/8, ::1 */
export function isLoopback(address: number): boolean {
  return isIpv6(address) ? address === ipv6.LOOPBACK_IPV6 : ipv4.isLoopback(address);
}

/** 0.0.0.0, `::` */
export function isUnspecified(address: number): boolean {
  return address === ipv4.ANY_ADDRESS || address === ipv6.ANY_IPV6;
}

/** Whether what is bound to `bound` hears what is for `local`: 0.0.0.0 all of IPv4, `::` all of both, or of IPv6 only (IPV6_V6ONLY). */
export function bindingCovers(bound: number, local: number, ipv6Only = false): boolean {
  if (bound === local) return true;
  if (bound === ipv6.ANY_IPV6) return !ipv6Only || isIpv6(local);
  return bound === ipv4.ANY_ADDRESS && !isIpv6(local);
}

/** Where one socket is bound. */
export interface Binding {
  readonly localAddress: number;
  /** Of `::`. */
  readonly ipv6Only: boolean;
}

/** Whether two sockets of one port hear the same. */
export function bindingsClash(a: Binding, b: Binding): boolean {
  return (
    bindingCovers(a.localAddress, b.localAddress, a.ipv6Only) ||
    bindingCovers(b.localAddress, a.localAddress, b.ipv6Only)
  );
}

/** The group's MAC (RFC 1112 section 6.4, RFC 2464 section 7). */
export function multicastMacOf(group: number): number {
  return isIpv6(group) ? ipv6.multicastMacOf(group) : multicastMac(group);
}

/** The order of `ip route`: IPv4 before IPv6, and by value. */
export function compareAddresses(a: number, b: number): number {
  if (!isIpv6(a) || !isIpv6(b)) return a - b;
  for (let i = 0; i < 4; i++) {
    const difference = (ipv6Table.word(a, i) >>> 0) - (ipv6Table.word(b, i) >>> 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** 32 bits that depend on all of an address and on nothing else: what keyed hashes of endpoints take in. */
export function addressDigest(address: number): number {
  if (!isIpv6(address)) return address;
  const word = (index: number): number => ipv6Table.word(address, index);
  return mix(word(0), word(1), word(2), word(3), 0) >>> 0;
}

/** The one's complement sum of an address's 16-bit words, folded: what it adds to a checksum. */
export function addressSum(address: number): number {
  if (isIpv6(address)) return ipv6Table.sum(address);
  const sum = (address >>> 16) + (address & 0xffff);
  return (sum >>> 16) + (sum & 0xffff);
}
