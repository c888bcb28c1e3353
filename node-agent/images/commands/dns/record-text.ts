/** Resource records in presentation form (RFC 1035 section 5.1), as bind's programs print them. */
import type { Answer, SoaData, TxtData } from 'dns-packet';

/** The data part: `10.96.0.1`, `0 100 53 kube-dns.kube-system.svc.cluster.local.`, `"text"`. */
export function recordData(record: Answer): string {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return record.data;
    case 'CNAME':
    case 'NS':
    case 'PTR':
    case 'DNAME':
      return dotted(record.data);
    case 'MX':
      return `${record.data.preference ?? 0} ${dotted(record.data.exchange)}`;
    case 'SRV':
      return `${record.data.priority ?? 0} ${record.data.weight ?? 0} ${record.data.port} ${dotted(record.data.target)}`;
    case 'SOA':
      return `${dotted(record.data.mname)} ${dotted(record.data.rname)} ${soaNumbers(record.data).join(' ')}`;
    case 'TXT':
      return textStrings(record.data).map(quoted).join(' ');
    case 'CAA':
      return `${record.data.flags ?? 0} ${record.data.tag} ${quoted(record.data.value)}`;
    case 'HINFO':
      return `${quoted(record.data.cpu)} ${quoted(record.data.os)}`;
    case 'NAPTR': {
      const { order, preference, flags, services, regexp, replacement } = record.data;
      return `${order} ${preference} ${quoted(flags)} ${quoted(services)} ${quoted(regexp)} ${dotted(replacement)}`;
    }
    case 'RP':
      return `${dotted(record.data.mbox)} ${dotted(record.data.txt)}`;
    case 'DS': {
      const { keyTag, algorithm, digestType, digest } = record.data;
      return `${keyTag} ${algorithm} ${digestType} ${digest.toString('hex').toUpperCase()}`;
    }
    case 'DNSKEY':
      return `${record.data.flags} 3 ${record.data.algorithm} ${record.data.key.toString('base64')}`;
    default:
      return 'data' in record && Buffer.isBuffer(record.data) ? unknownData(record.data) : '';
  }
}

/** Serial, refresh, retry, expire, minimum. */
export function soaNumbers(data: SoaData): readonly [number, number, number, number, number] {
  const { serial = 0, refresh = 0, retry = 0, expire = 0, minimum = 0 } = data;
  return [serial, refresh, retry, expire, minimum];
}

export function textStrings(data: TxtData): string[] {
  const parts = Array.isArray(data) ? data : [data];
  return parts.map((part) => (typeof part === 'string' ? part : part.toString('latin1')));
}

/** A character string between quotes; what is not printable as `\DDD`. */
export function quoted(text: string): string {
  const escaped = text.replace(/["\\]/g, '\\$&').replace(/[^\x20-\x7e]/g, (character) => {
    const bytes = Buffer.from(character, character.charCodeAt(0) < 256 ? 'latin1' : 'utf8');
    return [...bytes].map((byte) => `\\${String(byte).padStart(3, '0')}`).join('');
  });
  return `"${escaped}"`;
}

/** A name with its final dot. */
export function dotted(name: string): string {
  return name.endsWith('.') ? name : `${name}.`;
}

/** A name without its final dot; the root stays `.`. */
export function undotted(name: string): string {
  return name.length > 1 && name.endsWith('.') ? name.slice(0, -1) : name;
}

/** RFC 3597 section 5. */
function unknownData(data: Buffer): string {
  return data.length === 0 ? '\\# 0' : `\\# ${data.length} ${data.toString('hex').toUpperCase()}`;
}
