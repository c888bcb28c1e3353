/** Record types (RFC 1035 section 3.2.2 and its successors) as they are written in a Corefile, and as queries carry them. */

/** Types that have a name here; the others travel as `UNKNOWN_n`. */
const NUMBERS: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  NULL: 10,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  RP: 17,
  AAAA: 28,
  SRV: 33,
  NAPTR: 35,
  DNAME: 39,
  OPT: 41,
  DS: 43,
  SSHFP: 44,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  NSEC3: 50,
  TLSA: 52,
  SPF: 99,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
  CAA: 257,
};
const NAMES = new Map(Object.entries(NUMBERS).map(([name, number]) => [number, name]));
/** Types without a decoder of their own travel by number. */
const NUMBERED: Readonly<Record<string, string>> = { SVCB: 'UNKNOWN_64', HTTPS: 'UNKNOWN_65' };

/** `a` is `A`, `TYPE65` and `HTTPS` are `UNKNOWN_65`; undefined for what is no type. */
export function recordTypeOf(word: string): string | undefined {
  const text = word.toUpperCase();
  const number = /^TYPE(\d{1,5})$/.exec(text)?.[1];
  if (number !== undefined) return recordTypeName(Number(number));
  if (text === 'OPT') return undefined;
  return NUMBERED[text] ?? (text in NUMBERS ? text : undefined);
}

/** Of a name as queries carry it. */
export function recordTypeNumber(type: string): number {
  return NUMBERS[type] ?? Number(type.replace('UNKNOWN_', ''));
}

export function recordTypeName(number: number): string {
  return NAMES.get(number) ?? `UNKNOWN_${number}`;
}

const SHOWN = new Map(Object.entries(NUMBERED).map(([name, carried]) => [carried, name]));

/** As a tool shows it: `A`, `HTTPS`, `TYPE1234`. */
export function shownType(type: string): string {
  return SHOWN.get(type) ?? type.replace('UNKNOWN_', 'TYPE');
}

const CLASS_NAMES: Readonly<Record<number, string>> = { 1: 'IN', 2: 'CS', 3: 'CH', 4: 'HS', 255: 'ANY' };

export function recordClassName(number: number): string {
  return CLASS_NAMES[number] ?? `UNKNOWN_${number}`;
}
