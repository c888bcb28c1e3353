/** The addresses that load balancers may have: `192.168.1.240-192.168.1.250`, or one address. Addresses are uint32 here. */
import { formatIpv4, parseIpv4 } from '../../shared/wire/address.ts';

export interface AddressPool {
  readonly first: number;
  readonly last: number;
}

/** Undefined for a text that is no range of IPv4 addresses. */
export function parsePool(text: string): AddressPool | undefined {
  const [from = '', to = from, ...rest] = text.split('-').map((part) => part.trim());
  const [first, last] = [parseIpv4(from), parseIpv4(to)];
  if (first === undefined || last === undefined || rest.length > 0 || last < first) return undefined;
  return { first, last };
}

export function formatPool({ first, last }: AddressPool): string {
  return `${formatIpv4(first)}-${formatIpv4(last)}`;
}

/** The wanted address if it is free and in the pool, else the lowest free one; undefined when there is none. */
export function takeAddress(pool: AddressPool, used: ReadonlySet<string>, wanted: string): string | undefined {
  const asked = parseIpv4(wanted);
  if (asked !== undefined) {
    const isFree = asked >= pool.first && asked <= pool.last && !used.has(formatIpv4(asked));
    return isFree ? formatIpv4(asked) : undefined;
  }
  for (let address = pool.first; address <= pool.last; address++) {
    if (!used.has(formatIpv4(address))) return formatIpv4(address);
  }
  return undefined;
}
