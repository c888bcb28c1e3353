/** DNS messages: `4660+ A? web. (21)`, `4660* 1/0/0 A 10.96.12.3 (37)`. */
import dnsPacket, { type Answer, type DecodedPacket } from 'dns-packet';
import type { Piece, PrintContext } from './print-options.ts';

const OPCODES = ['', ' inv_q', ' stat', ' op3', ' notify', ' update'];
const RCODES = ['', ' FormErr', ' ServFail', ' NXDomain', ' NotImp', ' Refused', ' YXDomain', ' YXRRSet', ' NXRRSet'];
const HEADER_BYTES = 12;

export function printDns(context: PrintContext, { view, at, end }: Piece, messageBytes: number): string {
  if (at + HEADER_BYTES > end) return ' [|domain]';
  const flags = view.getUint16(at + 2);
  const isAnswer = (flags & 0x8000) !== 0;
  const bytes = Buffer.from(view.buffer, view.byteOffset + at, end - at);
  const message = decoded(bytes) ?? (isAnswer ? undefined : decoded(questionsOnly(bytes)));
  const text = isAnswer ? answerText(context, view, at, flags, message) : queryText(context, view, at, flags, message);
  return `${text} (${messageBytes})`;
}

/** A message over TCP has its length before it. */
export function printDnsOverTcp(context: PrintContext, { view, at, end }: Piece): string {
  if (at + 2 + HEADER_BYTES > end) return '';
  const length = view.getUint16(at);
  const inner = { view, at: at + 2, end: Math.min(end, at + 2 + length) };
  return ` ${printDns(context, inner, length)}`.trimEnd();
}

/** A copy that says it has no records: what is printed of a query stands before them. */
function questionsOnly(message: Buffer): Buffer {
  return Buffer.concat([message.subarray(0, 6), Buffer.alloc(6), message.subarray(HEADER_BYTES)]);
}

/** undefined for a message that is cut off or malformed. */
function decoded(bytes: Buffer): DecodedPacket | undefined {
  try {
    return dnsPacket.decode(bytes);
  } catch {
    // Whatever the decoder minds, the header is printed without the records.
    return undefined;
  }
}

function queryText(
  { options }: PrintContext,
  view: DataView,
  at: number,
  flags: number,
  message: DecodedPacket | undefined,
): string {
  const counts = [view.getUint16(at + 4), view.getUint16(at + 6), view.getUint16(at + 8), view.getUint16(at + 10)];
  const head = `${view.getUint16(at)}${OPCODES[(flags >>> 11) & 15] ?? ''}${flags & 0x0100 ? '+' : ''}${flags & 0x0010 ? '%' : ''}`;
  const extra = [
    counts[0] === 1 ? '' : ` [${counts[0]}q]`,
    counts[1] === 0 ? '' : ` [${counts[1]}a]`,
    counts[2] === 0 ? '' : ` [${counts[2]}n]`,
    counts[3] === 0 ? '' : ` [${counts[3]}au]`,
  ].join('');
  if (message === undefined) return `${head}${extra} [|domain]`;
  const asked = (message.questions ?? []).map(({ type, name }) => ` ${type}? ${dotted(name)}`).join('');
  return `${head}${extra}${asked}${options.verbosity > 1 ? sectionText(' ar:', message.additionals) : ''}`;
}

function sectionText(title: string, records: readonly Answer[] | undefined): string {
  if (records === undefined || records.length === 0) return '';
  return `${title}${records.map((record) => ` ${recordText(record, true)}`).join(',')}`;
}

function answerText(
  context: PrintContext,
  view: DataView,
  at: number,
  flags: number,
  message: DecodedPacket | undefined,
): string {
  const marks = `${flags & 0x0400 ? '*' : ''}${flags & 0x0080 ? '' : '-'}${flags & 0x0200 ? '|' : ''}${flags & 0x0020 ? '$' : ''}`;
  const head = `${view.getUint16(at)}${OPCODES[(flags >>> 11) & 15] ?? ''}${RCODES[flags & 15] ?? ` Resp${flags & 15}`}${marks}`;
  const counts = `${view.getUint16(at + 6)}/${view.getUint16(at + 8)}/${view.getUint16(at + 10)}`;
  if (message === undefined) return `${head} ${counts} [|domain]`;
  const { verbosity } = context.options;
  const questions = (message.questions ?? []).map(({ type, name }) => ` ${type}? ${dotted(name)}`).join('');
  const asked = verbosity > 1 ? ` q:${questions}` : '';
  const answers = (message.answers ?? []).map((answer) => ` ${recordText(answer, verbosity > 0)}`).join(',');
  const more = verbosity > 1 ? sectionText(' ns:', message.authorities) + sectionText(' ar:', message.additionals) : '';
  return `${head}${asked} ${counts}${answers}${more}`;
}

function recordText(record: Answer, named: boolean): string {
  const name = named ? `${dotted(record.name)} ` : '';
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return `${name}${record.type} ${record.data}`;
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return `${name}${record.type} ${dotted(record.data)}`;
    case 'SRV':
      return `${name}SRV ${dotted(record.data.target)}:${record.data.port} ${record.data.priority ?? 0} ${record.data.weight ?? 0}`;
    case 'MX':
      return `${name}MX ${dotted(record.data.exchange)} ${record.data.preference ?? 0}`;
    case 'TXT':
      return `${name}TXT ${[record.data]
        .flat()
        .map((part) => `"${String(part)}"`)
        .join(' ')}`;
    case 'OPT':
      return `. OPT UDPsize=${record.udpPayloadSize}`;
    default:
      return `${name}${record.type}`;
  }
}

function dotted(name: string): string {
  return name === '.' || name === '' ? '.' : `${name}.`;
}
