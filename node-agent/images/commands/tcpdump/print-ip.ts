/** IPv4 and IPv6 headers, and what they carry. */
import { formatIpv4 } from '../../../../shared/wire/address.ts';
import { finish, sumRangeScalar } from '../../../../shared/wire/checksum.ts';
import * as gre from '../../../../shared/wire/gre.ts';
import * as ipv4 from '../../../../shared/wire/ipv4.ts';
import * as ipv6 from '../../../../shared/wire/ipv6.ts';
import { formatIpv6 } from '../../../../shared/wire/ipv6-address.ts';
import { printGre } from './print-gre.ts';
import { printIcmp, printIcmpv6 } from './print-icmp.ts';
import { hex, type Piece, type PrintContext } from './print-options.ts';
import { printTcp } from './print-tcp.ts';
import { printUdp } from './print-udp.ts';

const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  [ipv4.PROTOCOL_ICMP]: 'ICMP',
  2: 'IGMP',
  [ipv4.PROTOCOL_IPIP]: 'IPIP',
  [ipv4.PROTOCOL_TCP]: 'TCP',
  [ipv4.PROTOCOL_UDP]: 'UDP',
  [gre.PROTOCOL]: 'GRE',
  [ipv6.PROTOCOL_ICMPV6]: 'ICMPv6',
  132: 'SCTP',
};

/** The IP packet that a transport belongs to: its ends, and the sum of its pseudo-header. */
export interface IpEnds {
  readonly source: string;
  readonly destination: string;
  /** Not folded; without the length of the transport, which the printer of the transport adds. */
  readonly pseudoSum: number;
  /** Of what the IP packet carries, by its own header. */
  readonly payloadBytes: number;
}

/** The name of the protocol is left out where a link header said it. */
export function printIp(context: PrintContext, piece: Piece): string {
  const { view, at, end } = piece;
  const named = !context.options.linkHeader;
  const version = at < end ? view.getUint8(at) >>> 4 : 0;
  if (version === 4) return `${named ? 'IP ' : ''}${printIpv4(context, piece)}`;
  if (version === 6) return `${named ? 'IP6 ' : ''}${printIpv6(context, piece)}`;
  return `${named ? 'IP ' : ''}[|ip]`;
}

function printIpv4(context: PrintContext, { view, at, end }: Piece): string {
  if (at + ipv4.HEADER_BYTES > end) return '[|ip]';
  const header = ipv4.headerBytes(view, at);
  if (header < ipv4.HEADER_BYTES) return `bad-hlen ${header}`;
  if (at + header > end) return '[|ip]';
  const total = ipv4.totalLength(view, at);
  if (total < header) return `bad-len ${total}`;
  const protocol = ipv4.protocol(view, at);
  const ends: IpEnds = {
    source: formatIpv4(ipv4.source(view, at)),
    destination: formatIpv4(ipv4.destination(view, at)),
    pseudoSum: sumRangeScalar(view, at + 12, 8) + protocol,
    payloadBytes: total - header,
  };
  const payload = { view, at: at + header, end: Math.min(end, at + total) };
  const head = context.options.verbosity > 0 ? `${ipv4Details(view, at, header)}\n    ` : '';
  if (ipv4.fragmentOffset(view, at) !== 0) return `${head}${ends.source} > ${ends.destination}: ip-proto-${protocol}`;
  return `${head}${printTransport(context, protocol, ends, payload)}`;
}

function ipv4Details(view: DataView, at: number, header: number): string {
  const flags = [ipv4.dontFragment(view, at) ? 'DF' : '', ipv4.moreFragments(view, at) ? '+' : ''];
  const protocol = ipv4.protocol(view, at);
  const sum = sumRangeScalar(view, at, header);
  const bad =
    sum % 0xffff === 0 ? '' : `, bad cksum ${ipv4.checksum(view, at).toString(16)} (->${rightSum(view, at, header)})!`;
  return (
    `(tos ${hex(ipv4.tos(view, at), 1)}, ttl ${ipv4.ttl(view, at)}, id ${ipv4.identification(view, at)}, ` +
    `offset ${ipv4.fragmentOffset(view, at)}, flags [${flags.join('') || 'none'}], ` +
    `proto ${protocolName(protocol)} (${protocol}), length ${ipv4.totalLength(view, at)}${header > 20 ? ', options' : ''}${bad})`
  );
}

function rightSum(view: DataView, at: number, header: number): string {
  const copy = new DataView(view.buffer.slice(view.byteOffset + at, view.byteOffset + at + header));
  copy.setUint16(10, 0);
  return finish(sumRangeScalar(copy, 0, header)).toString(16);
}

function printIpv6(context: PrintContext, { view, at, end }: Piece): string {
  if (at + ipv6.HEADER_BYTES > end) return '[|ip6]';
  const total = ipv6.totalLength(view, at);
  const next = ipv6.nextHeader(view, at);
  const whole = ipv6.check(view, at, end - at);
  const header = whole ? ipv6.headerBytes(view, at) : ipv6.HEADER_BYTES;
  const protocol = whole ? ipv6.protocol(view, at) : next;
  const ends: IpEnds = {
    source: formatIpv6(ipv6.source(view, at)),
    destination: formatIpv6(ipv6.destination(view, at)),
    pseudoSum: sumRangeScalar(view, at + 8, 32) + protocol,
    payloadBytes: total - header,
  };
  const payload = { view, at: at + header, end: Math.min(end, at + total) };
  const head =
    context.options.verbosity > 0
      ? `(hlim ${ipv6.hopLimit(view, at)}, next-header ${protocolName(next)} (${next}) payload length: ${total - ipv6.HEADER_BYTES}) `
      : '';
  return `${head}${printTransport(context, protocol, ends, payload)}`;
}

function protocolName(protocol: number): string {
  return PROTOCOL_NAMES[protocol] ?? 'unknown';
}

function printTransport(context: PrintContext, protocol: number, ends: IpEnds, payload: Piece): string {
  const { source, destination } = ends;
  switch (protocol) {
    case ipv4.PROTOCOL_TCP:
      return printTcp(context, ends, payload);
    case ipv4.PROTOCOL_UDP:
      return printUdp(context, ends, payload);
    case ipv4.PROTOCOL_ICMP:
      return `${source} > ${destination}: ${printIcmp(context, ends, payload)}`;
    case ipv6.PROTOCOL_ICMPV6:
      return `${source} > ${destination}: ${printIcmpv6(context, ends, payload)}`;
    case gre.PROTOCOL:
      return `${source} > ${destination}: ${printGre(context, payload)}`;
    case ipv4.PROTOCOL_IPIP:
      return `${source} > ${destination}: ${context.inside(() => printIp(context, payload))}`;
    default:
      return `${source} > ${destination}:  ip-proto-${protocol} ${ends.payloadBytes}`;
  }
}
