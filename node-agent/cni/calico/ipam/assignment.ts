/**
 * Which address a pod gets, as the original's IPAM decides it:
 *
 *   one that its handle holds already
 *   -> a free one of a block that its node has an affinity to
 *   -> the first of a block that the node claims
 *   -> borrowed: a free one of another node's block, unless strictAffinity
 *   -> none: AddressesExhaustedError
 *
 * Pure: what it makes of the blocks is written by compare-and-swap, or planned anew.
 */
import { formatPrefix, type IpPrefix, isInNetwork, isSubnetOf, networkOf } from '../../../../shared/wire/ip-address.ts';
import { AddressesExhaustedError } from '../../ipam/host-local.ts';
import { addressOf, type Block, blockName, give, type Holder, isFree, newBlock, nodeOf } from './block.ts';
import { type IpPool, isForNode } from './ip-pool.ts';

export interface AddressRequest {
  readonly holder: Holder;
  /** Names or CIDRs of pools, as the annotation of a pod or its namespace has them; undefined: those for the node. */
  readonly pools?: readonly string[];
  /** This one (the annotation `ipAddrs`). */
  readonly address?: number;
}

export interface IpamState {
  readonly node: string;
  readonly nodeLabels: Readonly<Record<string, string>>;
  readonly pools: readonly IpPool[];
  /** By name. */
  readonly blocks: ReadonlyMap<string, Block>;
  readonly strictAffinity: boolean;
  /** The node's pod CIDR: blocks of it are claimed first, so that a lab's addresses tell their node. */
  readonly preferred: IpPrefix | null;
  /** Pod CIDRs of other nodes: blocks of them are claimed last. */
  readonly avoided: readonly IpPrefix[];
}

export interface Assignment {
  readonly address: number;
  /** As it is to be written; undefined when nothing changed. */
  readonly block: Block | undefined;
}

/** Throws AddressesExhaustedError. */
export function assign(state: IpamState, request: AddressRequest): Assignment {
  const { holder } = request;
  for (const block of state.blocks.values()) {
    const address = addressOf(block, holder.handle_id);
    if (address !== undefined) return { address, block: undefined };
  }
  if (request.address !== undefined) return assignThis(state, holder, request.address);
  const pools = poolsFor(state, request);
  const present = [...state.blocks.values()].filter((block) => pools.some((pool) => isOf(block, pool)));
  const own = present.filter((block) => nodeOf(block) === state.node);
  const given =
    firstGiven(own, holder) ??
    firstGiven(claimable(state, pools), holder) ??
    (state.strictAffinity ? undefined : firstGiven(rotated(foreign(present, state.node), state.node), holder));
  if (given !== undefined) return given;
  const cidrs = pools.map(({ cidr }) => formatPrefix(cidr)).join(' ');
  const reason = state.strictAffinity
    ? 'No more free affine blocks and strict affinity enabled'
    : `No IPs available in pools: [${cidrs}]`;
  throw new AddressesExhaustedError(
    `failed to request IPv4 addresses: Assigned 0 out of 1 requested IPv4 addresses; ${reason}`,
  );
}

/** Also of a disabled pool, as in the original. */
function assignThis(state: IpamState, holder: Holder, address: number): Assignment {
  const pool = state.pools.find(({ cidr }) => isInNetwork(address, cidr.address, cidr.prefixLength));
  if (pool === undefined)
    throw new AddressesExhaustedError('the IP address that the pod asks for is in no configured pool');
  const prefix = { address: networkOf(address, pool.blockSize), prefixLength: pool.blockSize };
  const block = state.blocks.get(blockName(prefix)) ?? newBlock(prefix, state.node);
  const given = isFree(block, address) ? give(block, holder, address) : undefined;
  if (given === undefined)
    throw new AddressesExhaustedError('the IP address that the pod asks for is already assigned');
  return given;
}

function poolsFor({ pools, node, nodeLabels }: IpamState, { pools: asked }: AddressRequest): IpPool[] {
  if (asked === undefined) {
    const forNode = pools.filter((pool) => isForNode(pool, nodeLabels));
    if (forNode.length === 0) throw new AddressesExhaustedError(`no configured Calico pools for node ${node}`);
    return forNode;
  }
  const found = pools.filter(({ name, cidr, disabled }) => {
    const text = blockName(cidr);
    return !disabled && asked.some((one) => one === name || one.replaceAll(/[./]/g, '-') === text);
  });
  if (found.length < asked.length)
    throw new AddressesExhaustedError(`IP pool is not configured, or disabled: ${asked.join(', ')}`);
  return found;
}

function firstGiven(blocks: Iterable<Block>, holder: Holder): Assignment | undefined {
  for (const block of blocks) {
    const given = give(block, holder);
    if (given !== undefined) return given;
  }
  return undefined;
}

function foreign(blocks: readonly Block[], node: string): Block[] {
  return blocks.filter((block) => nodeOf(block) !== node && block.spec.unallocated.length > 0);
}

/** Nodes that borrow begin at different blocks. */
function rotated(blocks: readonly Block[], node: string): Block[] {
  const start = [...node].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % Math.max(1, blocks.length);
  return [...blocks.slice(start), ...blocks.slice(0, start)];
}

/** Blocks that are nobody's, in the order in which this node claims them; made as they are looked at. */
function* claimable(state: IpamState, pools: readonly IpPool[]): Generator<Block> {
  const isAvoided = (prefix: IpPrefix) => state.avoided.some((other) => isSubnetOf(prefix, other));
  const { preferred } = state;
  const isPreferred = (prefix: IpPrefix) => preferred !== null && isSubnetOf(prefix, preferred);
  const passes = [isPreferred, (prefix: IpPrefix) => !isAvoided(prefix), () => true];
  for (const wanted of passes) {
    for (const pool of pools) {
      for (const prefix of prefixesOf(pool)) {
        if (wanted(prefix) && !state.blocks.has(blockName(prefix))) yield newBlock(prefix, state.node);
      }
    }
  }
}

function* prefixesOf({ cidr, blockSize: prefixLength }: IpPool): Generator<IpPrefix> {
  const size = 2 ** (32 - prefixLength);
  const end = cidr.address + 2 ** (32 - cidr.prefixLength);
  for (let address = cidr.address; address < end; address += size) yield { address, prefixLength };
}

function isOf(block: Block, { cidr }: IpPool): boolean {
  return isSubnetOf(block.prefix, cidr);
}
