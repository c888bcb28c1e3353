/**
 * IPAMBlock (crd.projectcalico.org/v1): a run of addresses that one node has an affinity to, and whom each of them was given.
 * A block is one object of the API, so that two nodes never give out one address: who writes names the state he replaces.
 *
 *   allocations  [0, 1, null, ...]   of each address the place of its holder in `attributes`
 *   unallocated  [2, 3, ...]         the order in which free addresses are given out: what was freed comes last
 */
import { formatPrefix, type IpPrefix, parsePrefix } from '../../../../shared/wire/ip-address.ts';

/** Whom an address was given: a handle, and what `calicoctl ipam show --ip` tells of it. */
export interface Holder {
  readonly handle_id: string;
  readonly secondary: Readonly<Record<string, string>>;
}

export interface BlockSpec {
  readonly cidr: string;
  /** `host:worker-1`; none of a block whose node is gone. */
  readonly affinity?: string;
  readonly allocations: readonly (number | null)[];
  readonly attributes: readonly Holder[];
  readonly unallocated: readonly number[];
  readonly strictAffinity: boolean;
  readonly deleted: boolean;
}

export interface Block {
  readonly prefix: IpPrefix;
  readonly spec: BlockSpec;
  /** Of the state in the API; undefined for one that is not there yet. */
  readonly resourceVersion: string | undefined;
}

export interface HeldAddress {
  readonly address: number;
  readonly holder: Holder;
}

/** The name of its object: `10-244-1-0-26`. */
export function blockName(prefix: IpPrefix): string {
  return formatPrefix(prefix).replaceAll(/[./]/g, '-');
}

export function newBlock(prefix: IpPrefix, node: string): Block {
  const size = 2 ** (32 - prefix.prefixLength);
  const spec: BlockSpec = {
    cidr: formatPrefix(prefix),
    affinity: affinityTo(node),
    allocations: Array.from({ length: size }, () => null),
    attributes: [],
    unallocated: Array.from({ length: size }, (_, place) => place),
    strictAffinity: false,
    deleted: false,
  };
  return { prefix, spec, resourceVersion: undefined };
}

/** Undefined for what is no block of IPv4: it came from outside. */
export function blockOf(spec: unknown, resourceVersion: string | undefined): Block | undefined {
  if (typeof spec !== 'object' || spec === null) return undefined;
  const { cidr, affinity, allocations, attributes, unallocated } = spec as Partial<Record<keyof BlockSpec, unknown>>;
  const prefix = typeof cidr === 'string' && !cidr.includes(':') ? parsePrefix(cidr) : undefined;
  if (prefix === undefined || !isPlaces(unallocated) || !Array.isArray(allocations)) return undefined;
  const size = 2 ** (32 - prefix.prefixLength);
  const holders = (Array.isArray(attributes) ? attributes : []).filter(isHolder);
  const isKnown = (place: unknown) => place === null || (Number.isInteger(place) && holders[place as number]);
  if (allocations.length !== size || !allocations.every(isKnown)) return undefined;
  const checked: BlockSpec = {
    cidr: formatPrefix(prefix),
    ...(typeof affinity === 'string' ? { affinity } : {}),
    allocations,
    attributes: holders,
    unallocated: unallocated.filter((place) => allocations[place] === null),
    strictAffinity: false,
    deleted: false,
  };
  return { prefix, spec: checked, resourceVersion };
}

/** The node that has an affinity to the block. */
export function nodeOf({ spec }: Block): string | undefined {
  return spec.affinity?.startsWith('host:') ? spec.affinity.slice('host:'.length) : undefined;
}

export function heldAddresses({ prefix, spec }: Block): HeldAddress[] {
  return spec.allocations.flatMap((index, place) => {
    const holder = index === null ? undefined : spec.attributes[index];
    return holder === undefined ? [] : [{ address: prefix.address + place, holder }];
  });
}

export function isEmpty({ spec }: Block): boolean {
  return spec.allocations.every((index) => index === null);
}

export function isFree({ prefix, spec }: Block, address: number): boolean {
  return spec.allocations[address - prefix.address] === null;
}

export function addressOf(block: Block, handle: string): number | undefined {
  return heldAddresses(block).find(({ holder }) => holder.handle_id === handle)?.address;
}

/** The next free address, or `wanted`, which is free. */
export function give(block: Block, holder: Holder, wanted?: number): { block: Block; address: number } | undefined {
  const { prefix, spec } = block;
  const place = wanted === undefined ? spec.unallocated[0] : wanted - prefix.address;
  if (place === undefined) return undefined;
  const allocations = spec.allocations.with(place, spec.attributes.length);
  const unallocated = spec.unallocated.filter((other) => other !== place);
  const given = { ...spec, allocations, attributes: [...spec.attributes, holder], unallocated };
  return { block: { ...block, spec: given }, address: prefix.address + place };
}

/** Frees what `isGone` holders hold; the block itself when that is nothing. */
export function free(block: Block, isGone: (holder: Holder) => boolean): Block {
  const { prefix, spec } = block;
  const held = heldAddresses(block);
  const kept = held.filter(({ holder }) => !isGone(holder));
  if (kept.length === held.length) return block;
  const indexOf = new Map(kept.map(({ address }, index) => [address - prefix.address, index] as const));
  const freed = held.map(({ address }) => address - prefix.address).filter((place) => !indexOf.has(place));
  const allocations = spec.allocations.map((_, place) => indexOf.get(place) ?? null);
  const attributes = kept.map(({ holder }) => holder);
  return { ...block, spec: { ...spec, allocations, attributes, unallocated: [...spec.unallocated, ...freed] } };
}

/** Nobody's, for anybody to borrow from until it is empty. */
export function withoutAffinity(block: Block): Block {
  const { affinity: _, ...spec } = block.spec;
  return { ...block, spec };
}

function affinityTo(node: string): string {
  return `host:${node}`;
}

function isPlaces(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(Number.isInteger);
}

function isHolder(value: unknown): value is Holder {
  if (typeof value !== 'object' || value === null) return false;
  const { handle_id: handle, secondary } = value as Record<string, unknown>;
  return typeof handle === 'string' && typeof secondary === 'object' && secondary !== null;
}
