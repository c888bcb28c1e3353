/** Record types as they are written in a Corefile, and as queries carry them. */

const KNOWN = new Set(
  'A AAAA ANY AXFR CAA CNAME DNAME DNSKEY DS HINFO IXFR MX NAPTR NS NSEC NSEC3 NULL PTR RP RRSIG SOA SPF SRV SSHFP TLSA TXT'.split(
    ' ',
  ),
);
/** Types without a decoder of their own travel by number. */
const NUMBERED: Readonly<Record<string, string>> = { SVCB: 'UNKNOWN_64', HTTPS: 'UNKNOWN_65' };

/** `a` is `A`, `TYPE65` and `HTTPS` are `UNKNOWN_65`; undefined for what is no type. */
export function recordTypeOf(word: string): string | undefined {
  const text = word.toUpperCase();
  const number = /^TYPE(\d{1,5})$/.exec(text)?.[1];
  if (number !== undefined) return `UNKNOWN_${Number(number)}`;
  return NUMBERED[text] ?? (KNOWN.has(text) ? text : undefined);
}
