/** Resource records as dig, host and nslookup print them. */
import type { Answer } from 'dns-packet';

/** The data part in presentation form: `10.96.0.1`, `0 100 53 kube-dns.`, `"text"`. */
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
    case 'SOA': {
      const { mname, rname, serial = 0, refresh = 0, retry = 0, expire = 0, minimum = 0 } = record.data;
      return `${dotted(mname)} ${dotted(rname)} ${serial} ${refresh} ${retry} ${expire} ${minimum}`;
    }
    case 'TXT': {
      const parts = Array.isArray(record.data) ? record.data : [record.data];
      return parts.map((part) => `"${Buffer.from(part).toString('utf8')}"`).join(' ');
    }
    default:
      return 'data' in record ? String(record.data) : '';
  }
}

/** A name with its final dot. */
export function dotted(name: string): string {
  return name.endsWith('.') ? name : `${name}.`;
}

/** `5.0.0.10.in-addr.arpa` for `10.0.0.5`. */
export function reverseName(address: string): string {
  if (!address.includes(':')) return `${address.split('.').reverse().join('.')}.in-addr.arpa`;
  const [head = '', tail = ''] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const missing = 8 - groups(head).length - groups(tail).length;
  const full = address.includes('::')
    ? [...groups(head), ...new Array<string>(missing).fill('0'), ...groups(tail)]
    : groups(address);
  return `${full
    .map((group) => group.padStart(4, '0'))
    .join('')
    .split('')
    .reverse()
    .join('.')}.ip6.arpa`;
}
