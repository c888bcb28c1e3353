/** One line (or, with `-v`, a few) about an Ethernet frame, in tcpdump's words. */
import { formatMac } from '../../../../shared/wire/address.ts';
import * as ethernet from '../../../../shared/wire/ethernet.ts';
import * as vlan from '../../../../shared/wire/vlan.ts';
import { hexLines } from './hex-dump.ts';
import { printArp } from './print-arp.ts';
import { printIp } from './print-ip.ts';
import { hex, type Piece, type PrintContext } from './print-options.ts';

const NAMES: Readonly<Record<number, string>> = {
  [ethernet.TYPE_IPV4]: 'IPv4',
  [ethernet.TYPE_ARP]: 'ARP',
  [ethernet.TYPE_IPV6]: 'IPv6',
  [ethernet.TYPE_VLAN]: '802.1Q',
  [vlan.TYPE_SERVICE_TAG]: '802.1Q-QinQ',
  32821: 'Reverse ARP',
  35020: 'LLDP',
};

/** `wireBytes` is the frame's length on the wire. */
export function printFrame(context: PrintContext, piece: Piece, wireBytes: number): string {
  const { view, at, end } = piece;
  if (!ethernet.check(view, at, end - at)) return `[|ether]`;
  const type = ethernet.type(view, at);
  const payload = { view, at: at + ethernet.HEADER_BYTES, end };
  if (!context.options.linkHeader) return printPayload(context, type, payload);
  const [from, to] = [formatMac(ethernet.source(view, at)), formatMac(ethernet.destination(view, at))];
  const kind = context.options.quiet ? (NAMES[type] ?? hex(type, 4)) : `ethertype ${typeText(type)}`;
  return `${from} > ${to}, ${kind}, length ${wireBytes}: ${printPayload(context, type, payload)}`;
}

/** The name of the network protocol is left out where the link header said it. */
export function printPayload(context: PrintContext, type: number, piece: Piece): string {
  const named = !context.options.linkHeader;
  switch (type) {
    case ethernet.TYPE_IPV4:
    case ethernet.TYPE_IPV6:
      return printIp(context, piece);
    case ethernet.TYPE_ARP:
      return `${named ? 'ARP, ' : ''}${printArp(context, piece)}`;
    case ethernet.TYPE_VLAN:
    case vlan.TYPE_SERVICE_TAG:
      return printTagged(context, piece);
    default:
      return `${named ? `ethertype ${typeText(type)}, length ${piece.end - piece.at}: ` : ''}${rawText(piece)}`;
  }
}

export function typeText(type: number): string {
  return `${NAMES[type] ?? 'Unknown'} (${hex(type, 4)})`;
}

function printTagged(context: PrintContext, { view, at, end }: Piece): string {
  const tag = at - 2;
  if (!vlan.check(view, tag, end - tag)) return '[|vlan]';
  const inner = vlan.innerType(view, tag);
  const payload = { view, at: tag + vlan.TAG_BYTES + 2, end };
  const dei = vlan.dropEligible(view, tag) ? ', DEI' : '';
  const text = `vlan ${vlan.id(view, tag)}, p ${vlan.priority(view, tag)}${dei}, `;
  if (context.options.linkHeader) {
    return `${text}ethertype ${typeText(inner)}, ${context.inside(() => printPayload(context, inner, payload))}`;
  }
  return context.inside(() => printPayload(context, inner, payload));
}

function rawText(piece: Piece): string {
  return `\n${hexLines(piece, false).join('\n')}`;
}
