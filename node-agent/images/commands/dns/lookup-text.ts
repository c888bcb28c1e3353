/** A record as both nslookups print it; bind's writes names with their final dot, busybox' without. */
import type { Answer } from 'dns-packet';
import { quoted, recordData, soaNumbers, textStrings, undotted } from './record-text.ts';
import { recordTypeText } from './record-type.ts';

export interface LookupStyle {
  /** Final dots of names, and all strings of a TXT record. */
  readonly full: boolean;
}

export function lookupText(record: Answer, { full }: LookupStyle): string {
  const data = full ? recordData(record) : undotted(recordData(record));
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return `Name:\t${record.name}\nAddress: ${data}`;
    case 'CNAME':
      return `${record.name}\tcanonical name = ${data}`;
    case 'PTR':
      return `${record.name}\tname = ${data}`;
    case 'SRV':
      return `${record.name}\tservice = ${data}`;
    case 'MX':
      return `${record.name}\tmail exchanger = ${data}`;
    case 'NS':
      return `${record.name}\tnameserver = ${data}`;
    case 'TXT':
      return `${record.name}\ttext = ${full ? data : quoted(textStrings(record.data)[0] ?? '')}`;
    case 'SOA': {
      const [serial, refresh, retry, expire, minimum] = soaNumbers(record.data);
      return [
        record.name,
        `origin = ${undotted(record.data.mname)}`,
        `mail addr = ${undotted(record.data.rname)}`,
        `serial = ${serial}`,
        `refresh = ${refresh}`,
        `retry = ${retry}`,
        `expire = ${expire}`,
        `minimum = ${minimum}`,
      ].join('\n\t');
    }
    default:
      return `${record.name}\trdata_${recordTypeText(record.type)} = ${data}`;
  }
}
