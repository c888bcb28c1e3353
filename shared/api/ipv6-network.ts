/** Places in an IPv6 network, as text: what node IPAM and the allocation of cluster IPs count with. */
import { IPv6 } from 'ip-num';

const GROUPS = 8;

/** The address so many places after the network's first: `fd00:10:96::a` for `fd00:10:96::/108` and 10. */
export function ipv6At(network: string, offset: bigint): string {
  return formatIpv6(baseOf(network) + offset);
}

/** How many places an address is after the network's first; undefined for one that is not in it. */
export function ipv6Offset(network: string, address: string): bigint | undefined {
  const offset = IPv6.fromString(address).getValue() - baseOf(network);
  const size = 1n << BigInt(128 - prefixLengthOf(network));
  return offset >= 0n && offset < size ? offset : undefined;
}

/** 56 for `fd00:10:244::/56`. */
export function prefixLengthOf(network: string): number {
  return Number(network.split('/')[1] ?? 128);
}

function baseOf(network: string): bigint {
  const hostBits = BigInt(128 - prefixLengthOf(network));
  return (IPv6.fromString(network.split('/')[0] ?? '').getValue() >> hostBits) << hostBits;
}

/** RFC 5952: the first longest run of two zero groups or more is `::`. */
function formatIpv6(value: bigint): string {
  const groups = Array.from({ length: GROUPS }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn));
  for (let length = GROUPS; length >= 2; length--) {
    const at = groups.findIndex(
      (_, i) => i + length <= GROUPS && groups.slice(i, i + length).every((one) => one === 0),
    );
    if (at >= 0) return `${hex(groups.slice(0, at))}::${hex(groups.slice(at + length))}`;
  }
  return hex(groups);
}

function hex(groups: readonly number[]): string {
  return groups.map((group) => group.toString(16)).join(':');
}
