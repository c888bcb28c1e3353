/** Response codes by number (RFC 1035 section 4.1.1, RFC 2136 section 2.2). */

const NAMES: readonly string[] = [
  'NOERROR',
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'YXDOMAIN',
  'YXRRSET',
  'NXRRSET',
  'NOTAUTH',
  'NOTZONE',
];

export function rcodeNumber(name: string): number {
  const index = NAMES.indexOf(name);
  return index >= 0 ? index : Number(/\d+$/.exec(name)?.[0] ?? 0);
}
