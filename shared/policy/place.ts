/**
 * Where an address stands among those of its family, for ranges of addresses: IPv4's is the number itself, IPv6's the
 * 128 bits as a bigint. So the type tells the family, and both are compared with `<=`.
 */
import { ipv6Table, isIpv6 } from '../wire/ipv6-table.ts';

export type Place = number | bigint;

export function placeOf(address: number): Place {
  if (!isIpv6(address)) return address;
  let place = 0n;
  for (let i = 0; i < 4; i++) place = (place << 32n) | BigInt(ipv6Table.word(address, i) >>> 0);
  return place;
}
