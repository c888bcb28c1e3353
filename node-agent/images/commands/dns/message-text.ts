/** A DNS message as dig prints it, which host does too when it is verbose: header, pseudo section, sections, columns. */
import type { Answer, OptAnswer, Question, SoaData } from 'dns-packet';
import type { DecodedDns } from '../../../../shared/podnet/decode-dns.ts';
import { dotted, recordData, soaNumbers } from './record-text.ts';
import { recordTypeText } from './record-type.ts';

export interface TextStyle {
  /** Section titles and the blank lines after sections. */
  readonly comments: boolean;
  readonly ttl: boolean;
  readonly recordClass: boolean;
  /** SOA over several lines, spaces between short columns. */
  readonly multiline: boolean;
}

export const PLAIN_STYLE: TextStyle = { comments: true, ttl: true, recordClass: true, multiline: false };

const TAB = 8;

/** The `->>HEADER<<-` lines. */
export function headerText(packet: DecodedDns): string {
  const flags = [
    packet.flag_qr && 'qr',
    packet.flag_aa && 'aa',
    packet.flag_tc && 'tc',
    packet.flag_rd && 'rd',
    packet.flag_ra && 'ra',
    packet.flag_ad && 'ad',
    packet.flag_cd && 'cd',
  ].filter((flag) => flag !== false);
  const count = (records: readonly unknown[] | undefined): number => records?.length ?? 0;
  return (
    `;; ->>HEADER<<- opcode: QUERY, status: ${packet.rcode}, id: ${packet.id ?? 0}\n` +
    `;; flags:${flags.map((flag) => ` ${flag}`).join('')}; QUERY: ${count(packet.questions)}, ` +
    `ANSWER: ${count(packet.answers)}, AUTHORITY: ${count(packet.authorities)}, ` +
    `ADDITIONAL: ${count(packet.additionals)}\n`
  );
}

/** The OPT record; empty when there is none. `cookie` is what the query carried. */
export function optText(packet: DecodedDns, cookie: Uint8Array | undefined): string {
  const option = packet.additionals?.find((record): record is OptAnswer => record.type === 'OPT');
  if (option === undefined) return '';
  const { ednsVersion, flag_do: dnssecOk, udpPayloadSize } = option;
  const lines = [
    ';; OPT PSEUDOSECTION:',
    `; EDNS: version: ${ednsVersion}, flags:${dnssecOk ? ' do' : ''}; udp: ${udpPayloadSize}`,
    ...option.options.map((entry) => optionText(entry, cookie)),
  ];
  return `${lines.join('\n')}\n`;
}

const COOKIE_CODE = 10;
const CLIENT_COOKIE_BYTES = 8;

function optionText(
  option: { readonly code: number; readonly data?: Uint8Array },
  cookie: Uint8Array | undefined,
): string {
  const data = Buffer.from(option.data ?? []);
  if (option.code !== COOKIE_CODE) return `; OPT=${option.code}: ${data.toString('hex').replace(/..\B/g, '$& ')}`;
  const sent = Buffer.from(cookie ?? []);
  const isOurs = sent.length > 0 && data.subarray(0, CLIENT_COOKIE_BYTES).equals(sent);
  const verdict = !isOurs ? ' (bad)' : data.length > CLIENT_COOKIE_BYTES ? ' (good)' : ' (echoed)';
  return `; COOKIE: ${data.toString('hex')}${cookie === undefined ? '' : verdict}`;
}

export function questionSection(questions: readonly Question[] | undefined, style: TextStyle): string {
  const columns = columnsOf(style);
  const lines = (questions ?? []).map((question) => {
    const line = new Columns(`;${dotted(question.name)}`, 1);
    line.put(columns.recordClass, question.class ?? 'IN');
    line.put(columns.type, recordTypeText(question.type));
    return line.text;
  });
  return section('QUESTION', lines, style);
}

/** Empty without records; OPT is left out, for it has its pseudo section. */
export function recordSection(title: string, records: readonly Answer[] | undefined, style: TextStyle): string {
  const lines = (records ?? []).filter(({ type }) => type !== 'OPT').map((record) => recordLine(record, style));
  return section(title, lines, style);
}

function section(title: string, lines: readonly string[], style: TextStyle): string {
  if (lines.length === 0) return '';
  const text = `${lines.join('\n')}\n`;
  return style.comments ? `;; ${title} SECTION:\n${text}\n` : text;
}

export function recordLine(record: Answer, style: TextStyle): string {
  const columns = columnsOf(style);
  const line = new Columns(dotted(record.name));
  if (style.ttl && 'ttl' in record) line.put(columns.ttl, String(record.ttl ?? 0));
  if (style.recordClass) line.put(columns.recordClass, ('class' in record && record.class) || 'IN');
  line.put(columns.type, recordTypeText(record.type));
  const long = style.multiline && record.type === 'SOA';
  line.put(columns.data, long ? multilineSoa(record.data) : recordData(record));
  return line.text;
}

interface ColumnStarts {
  readonly ttl: number;
  readonly recordClass: number;
  readonly type: number;
  readonly data: number;
}

function columnsOf({ ttl, recordClass, multiline }: TextStyle): ColumnStarts {
  if (multiline) return { ttl: 24, recordClass: 24, type: 24, data: 32 };
  if (ttl && recordClass) return { ttl: 24, recordClass: 32, type: 40, data: 48 };
  if (!ttl && !recordClass) return { ttl: 24, recordClass: 24, type: 24, data: 32 };
  return { ttl: 24, recordClass: 24, type: 32, data: 40 };
}

/** A line whose columns begin at tab stops where they can: tabs first, then spaces, at least one of either. */
class Columns {
  text: string;
  private column: number;

  /** `hidden` characters at the front do not count. */
  constructor(text: string, hidden = 0) {
    this.text = text;
    this.column = text.length - hidden;
  }

  put(start: number, text: string): void {
    const to = Math.max(start, this.column + 1);
    const tabs = Math.floor(to / TAB) - Math.floor(this.column / TAB);
    const reached = tabs > 0 ? Math.floor(to / TAB) * TAB : this.column;
    this.text += '\t'.repeat(tabs) + ' '.repeat(to - reached) + text;
    this.column = to + text.length;
  }
}

const INDENT = '\t\t\t\t';
const SOA_NUMBER_WIDTH = 10;

function multilineSoa(data: SoaData): string {
  const names = ['serial', 'refresh', 'retry', 'expire', 'minimum'];
  const lines = soaNumbers(data).map((value, index) => {
    const duration = index === 0 ? '' : ` (${durationText(value)})`;
    return `${INDENT}${String(value).padEnd(SOA_NUMBER_WIDTH)} ; ${names[index]}${duration}`;
  });
  return `${dotted(data.mname)} ${dotted(data.rname)} (\n${lines.join('\n')}\n${INDENT})`;
}

/** `1 day`, `2 hours 30 minutes`. */
function durationText(seconds: number): string {
  const units: readonly (readonly [string, number])[] = [
    ['week', 604_800],
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
    ['second', 1],
  ];
  const parts: string[] = [];
  let rest = seconds;
  for (const [name, size] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${name}${count === 1 ? '' : 's'}`);
  }
  return parts.length === 0 ? '0 seconds' : parts.join(' ');
}
