import { finish, sumRangeScalar } from '../../../../shared/wire/checksum.ts';
import * as tcp from '../../../../shared/wire/tcp.ts';
import { portName } from './port-names.ts';
import { printDnsOverTcp } from './print-dns.ts';
import { printHttp } from './print-http.ts';
import type { IpEnds } from './print-ip.ts';
import { hex, type Piece, type PrintContext } from './print-options.ts';

const FLAGS: readonly (readonly [bit: number, letter: string])[] = [
  [tcp.FIN, 'F'],
  [tcp.SYN, 'S'],
  [tcp.RST, 'R'],
  [tcp.PSH, 'P'],
  [tcp.ACK, '.'],
  [tcp.URG, 'U'],
  [0x40, 'E'],
  [0x80, 'W'],
];

const HTTP_PORTS = new Set([80, 3128, 8080]);
const DNS_PORT = 53;

export function printTcp(context: PrintContext, ends: IpEnds, piece: Piece): string {
  const { view, at, end } = piece;
  if (at + 4 > end) return `${ends.source} > ${ends.destination}: [|tcp]`;
  const ports: [number, number] = [tcp.sourcePort(view, at), tcp.destinationPort(view, at)];
  const names = ports.map((port) => portName(context, port));
  const head = `${ends.source}.${names[0]} > ${ends.destination}.${names[1]}: `;
  if (at + tcp.HEADER_BYTES > end) return `${head} [|tcp]`;
  const header = tcp.headerBytes(view, at);
  const dataBytes = ends.payloadBytes - header;
  if (header < tcp.HEADER_BYTES || dataBytes < 0)
    return `${head}tcp ${dataBytes} [bad hdr length ${header} - too ${header < 20 ? 'short, < 20' : 'long'}]`;
  if (context.options.quiet) return `${head}tcp ${dataBytes}`;
  return `${head}${segmentText(context, ends, piece, ports, header, dataBytes)}`;
}

function segmentText(
  context: PrintContext,
  ends: IpEnds,
  { view, at, end }: Piece,
  ports: readonly [number, number],
  header: number,
  dataBytes: number,
): string {
  const flags = tcp.flags(view, at);
  const [sequence, acknowledgement] = relativeNumbers(context, ends, ports, view, at, flags);
  const parts = [`Flags [${flagsText(flags)}]`];
  if (context.options.verbosity > 0 && at + ends.payloadBytes <= end) parts.push(checksumText(ends, view, at));
  if (dataBytes > 0 || (flags & (tcp.SYN | tcp.FIN | tcp.RST)) !== 0) {
    parts.push(`seq ${sequence}${dataBytes > 0 ? `:${(sequence + dataBytes) >>> 0}` : ''}`);
  }
  if ((flags & tcp.ACK) !== 0) parts.push(`ack ${acknowledgement}`);
  parts.push(`win ${tcp.window(view, at)}`);
  if ((flags & tcp.URG) !== 0) parts.push(`urg ${tcp.urgentPointer(view, at)}`);
  const options = optionsText(view, at + tcp.HEADER_BYTES, Math.min(end, at + header));
  if (options !== '') parts.push(`options [${options}]`);
  parts.push(`length ${dataBytes}`);
  const data = { view, at: Math.min(end, at + header), end };
  return `${parts.join(', ')}${dataBytes > 0 ? dataText(context, ports, data) : ''}`;
}

function flagsText(flags: number): string {
  return (
    FLAGS.filter(([bit]) => (flags & bit) !== 0)
      .map(([, letter]) => letter)
      .join('') || 'none'
  );
}

/** Counted from the first acknowledging segment of the conversation that was seen, which is printed as it is. */
function relativeNumbers(
  context: PrintContext,
  { source, destination }: IpEnds,
  [from, to]: readonly [number, number],
  view: DataView,
  at: number,
  flags: number,
): [sequence: number, acknowledgement: number] {
  const sequence = tcp.sequence(view, at);
  const acknowledgement = tcp.acknowledgement(view, at);
  if (context.options.absoluteSequence || (flags & tcp.ACK) === 0) return [sequence, acknowledgement];
  const [one, other] = [`${source}.${from}`, `${destination}.${to}`];
  const reversed = one > other;
  const key = reversed ? `${other} ${one}` : `${one} ${other}`;
  const known = context.conversation(key);
  if (known === undefined || (flags & tcp.SYN) !== 0) {
    const first = reversed
      ? { sequence: acknowledgement - 1, acknowledgement: sequence }
      : { sequence, acknowledgement: acknowledgement - 1 };
    context.remember(key, first);
    return [sequence, acknowledgement];
  }
  const [own, peers] = reversed ? [known.acknowledgement, known.sequence] : [known.sequence, known.acknowledgement];
  return [(sequence - own) >>> 0, (acknowledgement - peers) >>> 0];
}

function checksumText(ends: IpEnds, view: DataView, at: number): string {
  const { payloadBytes: size, pseudoSum } = ends;
  const written = tcp.checksum(view, at);
  const sum = pseudoSum + size + sumRangeScalar(view, at, size);
  if (sum % 0xffff === 0) return `cksum ${hex(written, 4)} (correct)`;
  return `cksum ${hex(written, 4)} (incorrect -> ${hex(finish(sum + (0xffff - written)), 4)})`;
}

function optionsText(view: DataView, start: number, end: number): string {
  const parts: string[] = [];
  for (let at = start; at < end; ) {
    const kind = view.getUint8(at);
    if (kind === 0) {
      parts.push('eol');
      break;
    }
    if (kind === 1) {
      parts.push('nop');
      at++;
      continue;
    }
    const size = at + 1 < end ? view.getUint8(at + 1) : 0;
    if (size < 2 || at + size > end) {
      parts.push('[|tcp]');
      break;
    }
    parts.push(optionText(view, at, kind, size));
    at += size;
  }
  return parts.join(',');
}

function optionText(view: DataView, at: number, kind: number, size: number): string {
  if (kind === 2 && size === 4) return `mss ${view.getUint16(at + 2)}`;
  if (kind === 3 && size === 3) return `wscale ${view.getUint8(at + 2)}`;
  if (kind === 4) return 'sackOK';
  if (kind === 8 && size === 10) return `TS val ${view.getUint32(at + 2)} ecr ${view.getUint32(at + 6)}`;
  if (kind === 5 && size % 8 === 2) {
    const blocks: string[] = [];
    for (let edge = at + 2; edge < at + size; edge += 8) {
      blocks.push(`{${view.getUint32(edge)}:${view.getUint32(edge + 4)}}`);
    }
    return `sack ${blocks.length} ${blocks.join('')}`;
  }
  return `unknown-${kind}`;
}

function dataText(context: PrintContext, ports: readonly [number, number], data: Piece): string {
  if (ports.some((port) => HTTP_PORTS.has(port))) return printHttp(context, data);
  return ports.includes(DNS_PORT) ? printDnsOverTcp(context, data) : '';
}
