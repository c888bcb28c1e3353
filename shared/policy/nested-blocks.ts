/** Blocks of addresses within blocks: of two that meet, one holds the other. */
import { isSubnetOf, parsePrefix } from '../wire/ip-address.ts';
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
  if (isSubnetOf(first, second)) return a;
  return isSubnetOf(second, first) ? b : undefined;
}
