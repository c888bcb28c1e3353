import { finish, sumRangeScalar } from '../../../../shared/wire/checksum.ts';
import * as geneve from '../../../../shared/wire/geneve.ts';
import * as udp from '../../../../shared/wire/udp.ts';
import * as vxlan from '../../../../shared/wire/vxlan.ts';
import { portName } from './port-names.ts';
import { printDns } from './print-dns.ts';
import { printFrame, printPayload, typeText } from './print-frame.ts';
import type { IpEnds } from './print-ip.ts';
import { hex, type Piece, type PrintContext } from './print-options.ts';

const DNS_PORT = 53;
const MDNS_PORT = 5353;
const FLAG_VNI = 0x08;

export function printUdp(context: PrintContext, ends: IpEnds, { view, at, end }: Piece): string {
  if (at + udp.HEADER_BYTES > end) return `${ends.source} > ${ends.destination}: [|udp]`;
  const ports: [number, number] = [udp.sourcePort(view, at), udp.destinationPort(view, at)];
  const names = ports.map((port) => portName(context, port));
  const head = `${ends.source}.${names[0]} > ${ends.destination}.${names[1]}: `;
  const length = udp.length(view, at);
  if (length < udp.HEADER_BYTES) return `${head}truncated-udplength ${length}`;
  const dataBytes = length - udp.HEADER_BYTES;
  if (context.options.quiet) return `${head}UDP, length ${dataBytes}`;
  const sum = checksumText(context, ends, view, at, length, end);
  const data = { view, at: at + udp.HEADER_BYTES, end: Math.min(end, at + length) };
  return `${head}${sum}${dataText(context, ports, data, dataBytes)}`;
}

function dataText(context: PrintContext, ports: readonly [number, number], data: Piece, dataBytes: number): string {
  const [, to] = ports;
  if (ports.includes(DNS_PORT) || ports.includes(MDNS_PORT)) return printDns(context, data, dataBytes);
  if (to === vxlan.PORT) return printVxlan(context, data);
  if (to === geneve.PORT) return printGeneve(context, data);
  return `UDP, length ${dataBytes}`;
}

function checksumText(
  { options }: PrintContext,
  { pseudoSum }: IpEnds,
  view: DataView,
  at: number,
  length: number,
  end: number,
): string {
  if (options.verbosity < 2 || at + length > end) return '';
  const written = udp.checksum(view, at);
  if (written === 0) return '[no cksum] ';
  const sum = pseudoSum + length + sumRangeScalar(view, at, length);
  if (sum % 0xffff === 0) return '[udp sum ok] ';
  return `[bad udp cksum ${hex(written, 4)} -> ${hex(finish(sum + (0xffff - written)), 4)}!] `;
}

function printVxlan(context: PrintContext, { view, at, end }: Piece): string {
  if (at + vxlan.HEADER_BYTES > end) return 'VXLAN [|vxlan]';
  const flags = view.getUint8(at);
  const inner = { view, at: at + vxlan.HEADER_BYTES, end };
  const names = (flags & FLAG_VNI) !== 0 ? 'I' : '.';
  const head = `VXLAN, flags [${names}] (${hex(flags, 2)}), vni ${vxlan.vni(view, at)}`;
  return `${head}\n${context.inside(() => printFrame(context, inner, end - inner.at))}`;
}

function printGeneve(context: PrintContext, { view, at, end }: Piece): string {
  if (!geneve.check(view, at, end - at)) return 'Geneve [|geneve]';
  const flags = [geneve.isControl(view, at) ? 'O' : '', geneve.hasCriticalOptions(view, at) ? 'C' : ''].join('');
  const type = geneve.type(view, at);
  const isEthernet = type === geneve.TYPE_ETHERNET;
  const name = isEthernet ? 'TEB (0x6558)' : typeText(type);
  const protocol = isEthernet && !context.options.linkHeader ? '' : `, proto ${name}`;
  const inner = { view, at: at + geneve.headerBytes(view, at), end };
  const options = inner.at - at - geneve.HEADER_BYTES;
  const optionsText = options > 0 ? `, options [${options} bytes]` : '';
  const head = `Geneve, Flags [${flags || 'none'}], vni ${hex(geneve.vni(view, at), 1)}${protocol}${optionsText}`;
  const joint = context.options.verbosity > 0 ? '\n\t' : ': ';
  return `${head}${joint}${context.inside(() =>
    type === geneve.TYPE_ETHERNET ? printFrame(context, inner, end - inner.at) : printPayload(context, type, inner),
  )}`;
}
