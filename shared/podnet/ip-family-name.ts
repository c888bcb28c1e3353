/** The versions of IP as Node's sockets name them. */
export type IpFamilyName = 'IPv4' | 'IPv6';

export function familyName(address: string): IpFamilyName {
  return address.includes(':') ? 'IPv6' : 'IPv4';
}
