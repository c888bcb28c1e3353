/** The addresses of some blocks of either family, each without its exceptions, as ranges of places. */
import { networkOf, parsePrefix } from '../wire/ip-address.ts';
import { type Place, placeOf } from './place.ts';
import type { AddressBlock } from './policy-rule.ts';

interface Range {
  readonly first: Place;
  readonly last: Place;
}

interface RangeWithHoles extends Range {
  readonly holes: readonly Range[];
}

export class AddressSet {
  private readonly blocks: readonly RangeWithHoles[];

  constructor(blocks: readonly AddressBlock[]) {
    this.blocks = blocks.flatMap(({ cidr, except }) => {
      const range = rangeOf(cidr);
      return range === undefined ? [] : [{ ...range, holes: except.flatMap((hole) => rangeOf(hole) ?? []) }];
    });
  }

  has(place: Place): boolean {
    return this.blocks.some((block) => isWithin(place, block) && !block.holes.some((hole) => isWithin(place, hole)));
  }

  /** The places at which membership may change. */
  boundaries(): Place[] {
    return this.blocks.flatMap((block) => [block, ...block.holes].flatMap(({ first, last }) => [first, after(last)]));
  }
}

function isWithin(place: Place, { first, last }: Range): boolean {
  return typeof place === typeof first && first <= place && place <= last;
}

function after(place: Place): Place {
  return typeof place === 'bigint' ? place + 1n : place + 1;
}

/** Undefined for what is no block. */
function rangeOf(cidr: string): Range | undefined {
  const prefix = parsePrefix(cidr);
  if (prefix === undefined) return undefined;
  // The text tells the family: a block of IPv4 may begin in 240.0.0.0/4, where numbers stand for IPv6.
  const { address, prefixLength } = prefix;
  if (cidr.includes(':')) {
    const first = placeOf(networkOf(address, prefixLength)) as bigint; // IPv6's places are
    return { first, last: first + (1n << BigInt(128 - prefixLength)) - 1n };
  }
  const size = 2 ** (32 - prefixLength);
  const first = address - (address % size);
  return { first, last: first + size - 1 };
}
