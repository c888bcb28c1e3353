/** IPv6 addresses made from IPv4 ones (RFC 6147), for clients behind a NAT64. */
import { isIP } from 'node:net';
import { CorefileError, type Directive } from '../../corefile.ts';
import { expectWords, unknownProperty } from '../../directive.ts';
import { canonicalAddress, ipv6Bytes } from '../../ip-text.ts';
import type { Reply, ResourceRecord } from '../../message.ts';
import type { PluginSetup } from '../../plugin.ts';

interface Prefix {
  readonly bytes: Uint8Array;
  readonly length: number;
}

/** The well-known prefix of RFC 6052. */
const WELL_KNOWN = '64:ff9b::/96';
const LENGTHS = [32, 40, 48, 56, 64, 96];
/** Bits 64 to 71 stay zero (RFC 6052 section 2.2). */
const RESERVED_BYTE = 8;
const LONGEST_TTL_SECONDS = 600;

export const setupDns64: PluginSetup = (directive) => {
  expectWords(directive, 0, 1, '[PREFIX]');
  let prefix = prefixOf(directive.words[0] ?? WELL_KNOWN, directive);
  let translateAll = false;
  let allowIpv4 = false;
  for (const property of directive.block ?? []) {
    if (property.name === 'prefix') {
      expectWords(property, 1, 1, 'PREFIX');
      prefix = prefixOf(property.words[0] ?? '', property);
    } else if (property.name === 'translate_all' || property.name === 'allow_ipv4') {
      expectWords(property, 0, 0, 'no argument');
      if (property.name === 'translate_all') translateAll = true;
      else allowIpv4 = true;
    } else throw unknownProperty(property, ['allow_ipv4', 'prefix', 'translate_all']);
  }
  return {
    handler: (next) => async (query) => {
      const { question, remote, edns } = query;
      const isConcerned = question.type === 'AAAA' && question.class === 'IN' && edns?.dnssecOk !== true;
      if (!isConcerned || (!allowIpv4 && isIP(remote.address) === 4)) return next(query);
      const native = translateAll ? undefined : await next(query);
      if (native !== undefined && !lacksAddresses(native)) return native;
      const plain = await next({ ...query, question: { ...question, type: 'A' } });
      if (!plain.answers.some(({ type }) => type === 'A')) return native ?? next(query);
      return translated(plain, prefix, negativeTtl(native));
    },
  };
};

function lacksAddresses({ rcode, answers }: Reply): boolean {
  return rcode !== 'NXDOMAIN' && !answers.some(({ type }) => type === 'AAAA');
}

/** A translation lives no longer than the denial that it stands for (RFC 6147 section 5.1.7). */
function negativeTtl(native: Reply | undefined): number {
  const soa = native?.authorities.find((record) => record.type === 'SOA');
  return soa === undefined ? LONGEST_TTL_SECONDS : (soa.ttl ?? 0);
}

function translated(plain: Reply, prefix: Prefix, mostSeconds: number): Reply {
  const answers = plain.answers.map((record): ResourceRecord => {
    if (record.type !== 'A') return record;
    const ttl = Math.min(record.ttl ?? 0, mostSeconds);
    return { type: 'AAAA', name: record.name, ttl, data: embedded(record.data, prefix) };
  });
  return { ...plain, answers, additionals: [] };
}

/** The address with the octets of an IPv4 address after the prefix. */
function embedded(address: string, { bytes, length }: Prefix): string {
  const result = Uint8Array.from(bytes);
  let at = length / 8;
  for (const octet of address.split('.')) {
    if (at === RESERVED_BYTE) at++;
    result[at++] = Number(octet);
  }
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((result[i * 2] ?? 0) << 8) | (result[i * 2 + 1] ?? 0)).toString(16),
  );
  return canonicalAddress(groups.join(':'));
}

function prefixOf(text: string, directive: Directive): Prefix {
  const [address = '', length = ''] = text.split('/');
  const bytes = ipv6Bytes(address);
  if (bytes === undefined || !LENGTHS.includes(Number(length))) {
    const expected = `an IPv6 prefix of ${LENGTHS.join(', ')} bits such as ${WELL_KNOWN}`;
    throw new CorefileError(directive, `'${text}' is not understood: expected ${expected}`);
  }
  return { bytes, length: Number(length) };
}
