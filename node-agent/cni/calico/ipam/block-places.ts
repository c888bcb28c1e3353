/**
 * Where addresses are, as the blocks tell: a block leads to the node that has an affinity to it, and an address of it that
 * another node borrowed to that one.
 */
import { type IpPrefix, isInNetwork } from '../../../../shared/wire/ip-address.ts';
import { type Block, heldAddresses, nodeOf } from './block.ts';

export interface PlacedPrefix {
  readonly prefix: IpPrefix;
  readonly node: string;
}

export const IPV4_BITS = 32;

export function placesOf(blocks: Iterable<Block>): PlacedPrefix[] {
  return [...blocks].flatMap((block) => {
    const owner = nodeOf(block);
    const borrowed = heldAddresses(block).flatMap(({ address, holder }) => {
      const { node } = holder.secondary;
      return node === undefined || node === owner ? [] : [{ prefix: { address, prefixLength: IPV4_BITS }, node }];
    });
    return owner === undefined ? borrowed : [{ prefix: block.prefix, node: owner }, ...borrowed];
  });
}

/** The block that an address is of. */
export function blockAt(blocks: Iterable<Block>, address: number): Block | undefined {
  return [...blocks].find(({ prefix }) => isInNetwork(address, prefix.address, prefix.prefixLength));
}
