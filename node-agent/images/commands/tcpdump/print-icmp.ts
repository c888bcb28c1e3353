/** ICMP and ICMPv6 messages. */
import { formatIpv4 } from '../../../../shared/wire/address.ts';
import { finish, sumRangeScalar } from '../../../../shared/wire/checksum.ts';
import * as icmp from '../../../../shared/wire/icmp.ts';
import * as icmpv6 from '../../../../shared/wire/icmpv6.ts';
import * as ipv4 from '../../../../shared/wire/ipv4.ts';
import { formatIpv6 } from '../../../../shared/wire/ipv6-address.ts';
import { portName } from './port-names.ts';
import { type IpEnds, printIp } from './print-ip.ts';
import { hex, type Piece, type PrintContext } from './print-options.ts';

export function printIcmp(context: PrintContext, ends: IpEnds, piece: Piece): string {
  const { view, at, end } = piece;
  if (!icmp.check(view, at, end - at)) return 'ICMP [|icmp]';
  const { verbosity } = context.options;
  const whole = at + ends.payloadBytes <= end;
  const sum = verbosity > 0 && whole ? sumRangeScalar(view, at, ends.payloadBytes) : 0;
  const written = icmp.checksum(view, at);
  const right = finish(sum + (0xffff - written));
  const wrong = sum % 0xffff === 0 ? '' : ` (wrong icmp cksum ${written.toString(16)} (->${right.toString(16)})!)`;
  const text = `ICMP ${icmpText(context, piece)}, length ${ends.payloadBytes}${wrong}`;
  if (verbosity === 0 || !icmp.isError(icmp.type(view, at))) return text;
  return `${text}\n\t${context.inside(() => printIp(context, { view, at: at + icmp.HEADER_BYTES, end }))}`;
}

function icmpText(context: PrintContext, { view, at, end }: Piece): string {
  const type = icmp.type(view, at);
  const echo = `id ${icmp.identifier(view, at)}, seq ${icmp.sequence(view, at)}`;
  switch (type) {
    case icmp.ECHO_REQUEST:
      return `echo request, ${echo}`;
    case icmp.ECHO_REPLY:
      return `echo reply, ${echo}`;
    case icmp.DESTINATION_UNREACHABLE:
      return unreachableText(context, { view, at, end });
    case icmp.TIME_EXCEEDED:
      return icmp.code(view, at) === 0 ? 'time exceeded in-transit' : 'ip reassembly time exceeded';
    case icmp.PARAMETER_PROBLEM:
      return `parameter problem - octet ${view.getUint8(at + 4)}`;
    case icmp.SOURCE_QUENCH:
      return 'source quench';
    case icmp.REDIRECT:
      return redirectText({ view, at, end });
    default:
      return `type-#${type}`;
  }
}

function redirectText({ view, at, end }: Piece): string {
  if (at + icmp.HEADER_BYTES + ipv4.HEADER_BYTES > end) return 'redirect [|icmp]';
  const destination = formatIpv4(ipv4.destination(view, at + icmp.HEADER_BYTES));
  return `redirect ${destination} to host ${formatIpv4(view.getUint32(at + 4))}`;
}

/** The packet that could not be delivered is quoted behind the header. */
function unreachableText(context: PrintContext, { view, at, end }: Piece): string {
  const quoted = at + icmp.HEADER_BYTES;
  if (quoted + ipv4.HEADER_BYTES > end) return 'unreachable [|icmp]';
  const destination = formatIpv4(ipv4.destination(view, quoted));
  const code = icmp.code(view, at);
  switch (code) {
    case icmp.CODE_NET_UNREACHABLE:
      return `net ${destination} unreachable`;
    case icmp.CODE_HOST_UNREACHABLE:
      return `host ${destination} unreachable`;
    case icmp.CODE_PROTOCOL_UNREACHABLE:
      return `${destination} protocol ${ipv4.protocol(view, quoted)} unreachable`;
    case icmp.CODE_PORT_UNREACHABLE:
      return portText(context, view, quoted, end, destination);
    case icmp.CODE_FRAGMENTATION_NEEDED: {
      const mtu = icmp.nextHopMtu(view, at);
      return `${destination} unreachable - need to frag${mtu === 0 ? '' : ` (mtu ${mtu})`}`;
    }
    case icmp.CODE_NET_PROHIBITED:
      return `net ${destination} unreachable - admin prohibited`;
    case icmp.CODE_HOST_PROHIBITED:
      return `host ${destination} unreachable - admin prohibited`;
    case icmp.CODE_ADMINISTRATIVELY_PROHIBITED:
      return `host ${destination} unreachable - admin prohibited filter`;
    default:
      return `${destination} unreachable - #${code}`;
  }
}

function portText(context: PrintContext, view: DataView, quoted: number, end: number, destination: string): string {
  const protocol = ipv4.protocol(view, quoted);
  const transport = quoted + Math.max(ipv4.HEADER_BYTES, ipv4.headerBytes(view, quoted));
  if (transport + 4 > end) return `${destination} port unreachable`;
  const port = portName(context, view.getUint16(transport + 2));
  if (protocol === ipv4.PROTOCOL_TCP) return `${destination} tcp port ${port} unreachable`;
  if (protocol === ipv4.PROTOCOL_UDP) return `${destination} udp port ${port} unreachable`;
  return `${destination} protocol ${protocol} port ${port} unreachable`;
}

const ICMPV6_TEXTS: Readonly<Record<number, string>> = {
  [icmpv6.DESTINATION_UNREACHABLE]: 'destination unreachable',
  [icmpv6.TIME_EXCEEDED]: 'time exceeded in-transit',
  [icmpv6.PARAMETER_PROBLEM]: 'parameter problem',
  [icmpv6.ROUTER_SOLICITATION]: 'router solicitation',
  [icmpv6.ROUTER_ADVERTISEMENT]: 'router advertisement',
  143: 'multicast listener report v2',
};

/** With `-v` the length is in the header's line and not repeated. */
export function printIcmpv6(context: PrintContext, ends: IpEnds, { view, at, end }: Piece): string {
  if (at + icmpv6.HEADER_BYTES > end) return 'ICMP6 [|icmp6]';
  const type = view.getUint8(at);
  const length = context.options.verbosity > 0 && type >= 128 && type <= 129 ? '' : `, length ${ends.payloadBytes}`;
  return `${icmpv6Checksum(context, ends, { view, at, end })}ICMP6, ${icmpv6Text(view, at, end, type)}${length}`;
}

function icmpv6Checksum({ options }: PrintContext, ends: IpEnds, { view, at, end }: Piece): string {
  const { payloadBytes: size, pseudoSum } = ends;
  if (options.verbosity === 0 || at + size > end) return '';
  const written = icmp.checksum(view, at);
  const sum = pseudoSum + size + sumRangeScalar(view, at, size);
  if (sum % 0xffff === 0) return '[icmp6 sum ok] ';
  return `[bad icmp6 cksum ${hex(written, 4)} -> ${hex(finish(sum + (0xffff - written)), 4)}!] `;
}

function icmpv6Text(view: DataView, at: number, end: number, type: number): string {
  const hasTarget = at + 24 <= end;
  switch (type) {
    case icmpv6.ECHO_REQUEST:
    case icmpv6.ECHO_REPLY: {
      const kind = type === icmpv6.ECHO_REQUEST ? 'request' : 'reply';
      return `echo ${kind}, id ${view.getUint16(at + 4)}, seq ${view.getUint16(at + 6)}`;
    }
    case icmpv6.PACKET_TOO_BIG:
      return `packet too big, mtu ${view.getUint32(at + 4)}`;
    case icmpv6.NEIGHBOUR_SOLICITATION:
      return `neighbor solicitation${hasTarget ? `, who has ${formatIpv6(icmpv6.target(view, at))}` : ''}`;
    case icmpv6.NEIGHBOUR_ADVERTISEMENT:
      return `neighbor advertisement${hasTarget ? `, tgt is ${formatIpv6(icmpv6.target(view, at))}` : ''}`;
    default:
      return ICMPV6_TEXTS[type] ?? `type-#${type}`;
  }
}
