/** IPv4 addresses as numbers, so that a range of them can be allocated like a range of ports. */
import { IPv4, IPv4CidrRange, Validator } from 'ip-num';

/** Undefined when the text is no IPv4 address. */
export function parseIpv4(text: string): number | undefined {
  return Validator.isValidIPv4String(text)[0] ? Number(new IPv4(text).getValue()) : undefined;
}

export function formatIpv4(address: number): string {
  return new IPv4(BigInt(address)).toString();
}

export interface AddressRange {
  readonly first: number;
  readonly last: number;
}

/** The addresses of a block that a host can have: all but the network's own and the broadcast one. */
export function hostRange(cidr: string): AddressRange {
  const range = IPv4CidrRange.fromCidr(cidr);
  return { first: Number(range.getFirst().getValue()) + 1, last: Number(range.getLast().getValue()) - 1 };
}
