/** Blocks of addresses within blocks: of two that meet, one holds the other. */
import { familyOf, type IpPrefix, isInNetwork, parsePrefix } from '../wire/ip-address.ts';
import type { AddressBlock } from './policy-rule.ts';

/** What `nets` and `blocks` have in common. */
export function innerOf(nets: readonly string[], blocks: readonly AddressBlock[]): AddressBlock[] {
  return nets.flatMap((net) =>
    blocks.flatMap(({ cidr, except }) => {
      const inner = smallerOf(net, cidr);
      return inner === undefined ? [] : [{ cidr: inner, except }];
    }),
  );
}

/** Undefined where they do not meet. */
function smallerOf(a: string, b: string): string | undefined {
  const [first, second] = [parsePrefix(a), parsePrefix(b)];
  if (first === undefined || second === undefined) return undefined;
  if (holds(second, first)) return a;
  return holds(first, second) ? b : undefined;
}

function holds(outer: IpPrefix, inner: IpPrefix): boolean {
  return (
    familyOf(outer.address) === familyOf(inner.address) &&
    outer.prefixLength <= inner.prefixLength &&
    isInNetwork(inner.address, outer.address, outer.prefixLength)
  );
}
