/** Addresses that a benchmark writes as text, as the data path takes them. Throws for text that is none. */
import { type Ipv4Prefix, parseIpv4, parseIpv4Prefix } from '../shared/wire/address.ts';

export function address(text: string): number {
  const parsed = parseIpv4(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

export function cidr(text: string): Ipv4Prefix {
  const parsed = parseIpv4Prefix(text);
  if (parsed === undefined) throw new Error(`${text} is no block of addresses`);
  return parsed;
}
