/** The ranges of Services: cluster IPs, one range for each address family of the cluster, and node ports. */
import { ipv6At, ipv6Offset, prefixLengthOf } from '../../../shared/api/ipv6-network.ts';
import { IPADDRESSES } from '../../../shared/api/resources.ts';
import { isIpv6 } from '../../../shared/api/validation/ip.ts';
import type { ServiceFamily } from '../../../shared/api/validation/service-families.ts';
import type { Random } from '../../../shared/runtime/random.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';
import { Allocator } from './allocator.ts';
import { Claims } from './claim.ts';
import { formatIpv4, hostRange, parseIpv4 } from './ipv4-number.ts';

export const NODE_PORTS = { first: 30_000, last: 32_767 } as const;

/** Not served: the API of the original has no such kind. */
const NODE_PORT_CLAIMS = {
  group: 'internal.podwire.dev',
  version: 'v1',
  resource: 'nodeports',
  kind: 'NodePort',
  namespaced: false,
};

export interface ClusterIpRange {
  readonly family: ServiceFamily;
  readonly cidr: string;
  readonly allocator: Allocator;
  /** The number that stands for an address; undefined for one that a Service cannot have here. */
  readonly numberOf: (address: string) => number | undefined;
}

export interface ServiceRanges {
  /** The first is the cluster's own family. */
  readonly clusterIps: readonly ClusterIpRange[];
  readonly nodePorts: Allocator;
}

export function ipv4ClusterIps(storage: ObjectStorage, cidr: string, random: Random): ClusterIpRange {
  const allocator = clusterIpAllocator(storage, 'IPv4', hostRange(cidr), formatIpv4, random);
  return { family: 'IPv4', cidr, allocator, numberOf: inRange(allocator, parseIpv4) };
}

/** Of at most 2^20 addresses, as in the original: the rest of a larger block stays unused. Numbers are places in the block. */
export function ipv6ClusterIps(storage: ObjectStorage, cidr: string, random: Random): ClusterIpRange {
  const last = 2 ** Math.min(MAX_IPV6_HOST_BITS, 128 - prefixLengthOf(cidr)) - 1;
  const nameOf = (place: number): string => ipv6At(cidr, BigInt(place));
  const allocator = clusterIpAllocator(storage, 'IPv6', { first: 1, last }, nameOf, random);
  const placeOf = (address: string): number | undefined => {
    const place = isIpv6(address) ? ipv6Offset(cidr, address) : undefined;
    return place === undefined ? undefined : Number(place);
  };
  return { family: 'IPv6', cidr, allocator, numberOf: inRange(allocator, placeOf) };
}

const MAX_IPV6_HOST_BITS = 20;

function inRange(allocator: Allocator, numberOf: ClusterIpRange['numberOf']): ClusterIpRange['numberOf'] {
  return (address) => {
    const number = numberOf(address);
    return number !== undefined && allocator.contains(number) ? number : undefined;
  };
}

function clusterIpAllocator(
  storage: ObjectStorage,
  family: ServiceFamily,
  { first, last }: { readonly first: number; readonly last: number },
  nameOf: (number: number) => string,
  random: Random,
): Allocator {
  const claims = new Claims(storage, IPADDRESSES, {
    'ipaddress.kubernetes.io/ip-family': family,
    'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
  });
  return new Allocator(claims, { first, last, staticCount: staticPart(last - first + 1, 16, 256) }, nameOf, random);
}

export function nodePortAllocator(storage: ObjectStorage, random: Random): Allocator {
  const { first, last } = NODE_PORTS;
  const claims = new Claims(storage, NODE_PORT_CLAIMS);
  return new Allocator(claims, { first, last, staticCount: staticPart(last - first + 1, 32, 128) }, String, random);
}

/** min(max(16, size / divisor), limit), as the original's. */
function staticPart(size: number, divisor: number, limit: number): number {
  if (size <= 16) return 0;
  return Math.min(Math.max(16, Math.floor(size / divisor)), limit);
}
