/** The domain name under which an address' PTR record stands (RFC 1035 section 3.5, RFC 3596 section 2.5). */

/** `5.0.96.10.in-addr.arpa` for `10.96.0.5`; an IPv6 address gives its nibbles under `ip6.arpa`. */
export function reverseName(address: string): string {
  if (!address.includes(':')) return `${address.split('.').reverse().join('.')}.in-addr.arpa`;
  const nibbles = ipv6Groups(address)
    .map((group) => group.padStart(4, '0'))
    .join('');
  return `${[...nibbles].reverse().join('.')}.ip6.arpa`;
}

/** The eight groups, `::` filled with zeros. */
function ipv6Groups(address: string): string[] {
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const [head = '', tail] = address.split('::');
  if (tail === undefined) return groups(head);
  const missing = 8 - groups(head).length - groups(tail).length;
  return [...groups(head), ...new Array<string>(Math.max(0, missing)).fill('0'), ...groups(tail)];
}
