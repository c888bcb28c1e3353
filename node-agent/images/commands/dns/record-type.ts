/** Names of record types between people, dig and the codec, which calls what it does not know `UNKNOWN_65`. */
import type { RecordType } from 'dns-packet';

const KNOWN: readonly RecordType[] = [
  'A',
  'AAAA',
  'AFSDB',
  'AXFR',
  'CAA',
  'CDNSKEY',
  'CDS',
  'CERT',
  'CNAME',
  'DNAME',
  'DNSKEY',
  'DS',
  'HINFO',
  'IXFR',
  'LOC',
  'MX',
  'NAPTR',
  'NS',
  'NSEC',
  'NSEC3',
  'NSEC3PARAM',
  'PTR',
  'RP',
  'RRSIG',
  'SOA',
  'SRV',
  'SSHFP',
  'TLSA',
  'TXT',
];

/** Types that the codec has no name for. */
const NUMBERED: Readonly<Record<string, number>> = { SVCB: 64, HTTPS: 65, URI: 256 };

/** The codec's name of `a`, `SRV`, `any`, `HTTPS` or `TYPE65`; undefined for what is no type. */
export function parseRecordType(text: string): RecordType | undefined {
  const upper = text.toUpperCase();
  const known = KNOWN.find((type) => type === upper);
  if (known !== undefined) return known;
  // Codec's names that its types leave out; it encodes them all the same.
  if (upper === 'ANY') return upper as RecordType;
  const number = NUMBERED[upper] ?? /^TYPE(\d{1,5})$/.exec(upper)?.[1];
  return number === undefined ? undefined : (`UNKNOWN_${number}` as RecordType);
}

/** How dig shows a codec's type: `TYPE65` unless it has a name. */
export function recordTypeText(type: string): string {
  const number = /^UNKNOWN_(\d+)$/.exec(type)?.[1];
  if (number === undefined) return type;
  return Object.entries(NUMBERED).find(([, value]) => String(value) === number)?.[0] ?? `TYPE${number}`;
}
