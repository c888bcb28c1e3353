/** The two ranges of Services: cluster IPs and node ports. */
import { IPADDRESSES } from '../../../shared/api/resources.ts';
import type { Random } from '../../../shared/runtime/random.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';
import { Allocator } from './allocator.ts';
import { Claims } from './claim.ts';
import { formatIpv4, hostRange } from './ipv4-number.ts';

export const NODE_PORTS = { first: 30_000, last: 32_767 } as const;

/** Not served: the API of the original has no such kind. */
const NODE_PORT_CLAIMS = {
  group: 'internal.podwire.dev',
  version: 'v1',
  resource: 'nodeports',
  kind: 'NodePort',
  namespaced: false,
};
const ADDRESS_LABELS = {
  'ipaddress.kubernetes.io/ip-family': 'IPv4',
  'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
};

export function clusterIpAllocator(storage: ObjectStorage, serviceCidr: string, random: Random): Allocator {
  const { first, last } = hostRange(serviceCidr);
  const claims = new Claims(storage, IPADDRESSES, ADDRESS_LABELS);
  return new Allocator(claims, { first, last, staticCount: staticPart(last - first + 1, 16, 256) }, formatIpv4, random);
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
