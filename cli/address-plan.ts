/**
 * The addresses of a cluster's nodes: InternalIPs 192.168.1.10 and up in the emulated underlay, and the real sockets behind
 * them. Where every address of 127.0.0.0/8 is the machine's own (Linux), each node has one, 127.0.<block>.10 and up, with the
 * standard VXLAN port; elsewhere all share 127.0.0.1 with a port each.
 */
import type { Claim } from './claims.ts';
import { type BindOutcome, tryUdpPort } from './ports.ts';
import { UserError } from './user-error.ts';

export interface NodeAddress {
  /** `worker-1` */
  readonly name: string;
  readonly internalIp: string;
  /** In a dual-stack cluster. */
  readonly internalIpv6: string;
  readonly bindAddress: string;
  readonly vxlanPort: number;
}

export const MAX_NODES = 200;
/** Stands for "only 127.0.0.1". */
export const SHARED_ADDRESS = 0;
const FIRST_BLOCK = 1;
const LAST_BLOCK = 254;
const FIRST_HOST = 10;
const VXLAN_PORT = 4789;
/** Where a port each is needed, and above the ports that the system hands out. */
const FIRST_SHARED_PORT = 14_789;

export type UdpProbe = (port: number, host: string) => Promise<BindOutcome>;

function bindAddress(block: number, index: number): string {
  return `127.0.${block}.${FIRST_HOST + index}`;
}

/** A block whose addresses are free for so many nodes, and no other cluster's: the preferred one if it is, else the first. */
export async function chooseAddressBlock(
  nodes: number,
  preferred: number | undefined,
  claim: Claim,
  probe: UdpProbe = tryUdpPort,
): Promise<number> {
  const candidates = Array.from({ length: LAST_BLOCK - FIRST_BLOCK + 1 }, (_, index) => FIRST_BLOCK + index);
  if (preferred !== undefined && preferred !== SHARED_ADDRESS) candidates.unshift(preferred);
  for (const block of candidates) {
    const outcome = await probeBlock(block, nodes, probe);
    if (outcome === 'free' && claim(`block-${block}`)) return block;
    if (outcome === 'no-such-address') return SHARED_ADDRESS;
    if (outcome === 'not-allowed') throw new UserError(`this user may not bind UDP port ${VXLAN_PORT} on loopback`);
  }
  throw new UserError(`UDP port ${VXLAN_PORT} is taken on every loopback block 127.0.1.x to 127.0.254.x`);
}

/** The first and the last node stand for all: blocks are taken as a whole. */
async function probeBlock(block: number, nodes: number, probe: UdpProbe): Promise<BindOutcome> {
  const outcomes = await Promise.all([
    probe(VXLAN_PORT, bindAddress(block, 0)),
    probe(VXLAN_PORT, bindAddress(block, nodes - 1)),
  ]);
  return outcomes.find((outcome) => outcome !== 'free') ?? 'free';
}

export async function planNodes(
  nodes: number,
  addressBlock: number,
  probe: UdpProbe = tryUdpPort,
): Promise<NodeAddress[]> {
  const plan: NodeAddress[] = [];
  let sharedPort = FIRST_SHARED_PORT;
  for (let index = 0; index < nodes; index++) {
    const host = FIRST_HOST + index;
    const addresses = { internalIp: `192.168.1.${host}`, internalIpv6: `fd00:192:168:1::${host}` };
    const identity = { name: `worker-${index + 1}`, ...addresses };
    if (addressBlock === SHARED_ADDRESS) {
      while ((await probe(sharedPort, '127.0.0.1')) !== 'free') sharedPort++;
      plan.push({ ...identity, bindAddress: '127.0.0.1', vxlanPort: sharedPort++ });
    } else {
      plan.push({ ...identity, bindAddress: bindAddress(addressBlock, index), vxlanPort: VXLAN_PORT });
    }
  }
  return plan;
}
