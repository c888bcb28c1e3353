/** The addresses of some blocks, each without its exceptions, as ranges of numbers. */
import { broadcastOf, networkOf, parseIpv4Prefix } from '../../shared/wire/address.ts';
import type { AddressBlock } from './policy-rule.ts';

interface Range {
  readonly first: number;
  readonly last: number;
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

  has(address: number): boolean {
    return this.blocks.some(
      (block) => isWithin(address, block) && !block.holes.some((hole) => isWithin(address, hole)),
    );
  }

  /** The addresses at which membership may change. */
  boundaries(): number[] {
    return this.blocks.flatMap((block) => [block, ...block.holes].flatMap(({ first, last }) => [first, last + 1]));
  }
}

function isWithin(address: number, { first, last }: Range): boolean {
  return first <= address && address <= last;
}

/** Undefined for a block of another family. */
function rangeOf(cidr: string): Range | undefined {
  const prefix = parseIpv4Prefix(cidr);
  if (prefix === undefined) return undefined;
  const first = networkOf(prefix.address, prefix.prefixLength);
  const last = prefix.prefixLength === 31 ? first + 1 : broadcastOf(first, prefix.prefixLength);
  return { first, last };
}
