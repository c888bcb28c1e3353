/**
 * Network address translation: what a connection's packets are rewritten to (decided once, on its first packet), and the
 * rewriting itself, in place, with checksums updated by the difference.
 *
 *   a packet of one flow, once translated, is the other flow turned round:
 *     original 10.244.1.5:4000 -> 10.96.0.10:53     leaves as   10.244.1.5:4000 -> 10.244.2.7:53
 *     reply    10.244.2.7:53 -> 10.244.1.5:4000     leaves as   10.96.0.10:53 -> 10.244.1.5:4000
 *
 * Destinations change where a packet comes in (PREROUTING, OUTPUT), sources where it goes out (POSTROUTING, INPUT).
 */
import type { DropReason } from '../../shared/netstack/hooks.ts';
import * as checksum from '../../shared/wire/checksum.ts';
import { transportChecksum } from '../../shared/wire/complete-checksums.ts';
import * as icmp from '../../shared/wire/icmp.ts';
import * as ip from '../../shared/wire/ip.ts';
import { addressSum } from '../../shared/wire/ip-address.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import * as ipv6 from '../../shared/wire/ipv6.ts';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import * as tcp from '../../shared/wire/tcp.ts';
import * as udp from '../../shared/wire/udp.ts';
import type { Conntrack } from './conntrack.ts';
import type { Connection, Flow } from './flow.ts';
import { isIcmp, Tuple } from './tuple.ts';

export type NatSide = 'source' | 'destination';

export const NAT_PORTS_EXHAUSTED: DropReason = Object.freeze({ code: 'nat-ports-exhausted' });

/** Ports tried before a connection is refused; a search through all of them would stall the node under attack. */
const MAX_PORT_TRIES = 2048;
const ICMP_TYPE_MASK = 0xffff;

const scratch = new Tuple();

/** DNAT: answers come from `address`; `port` 0 keeps the port. */
export function bindDestination(connection: Connection, address: number, port: number): void {
  const { reply } = connection;
  const same = reply.source === (address | 0) && (port === 0 || reply.sourcePort === port);
  if (same) return;
  reply.source = address | 0;
  if (port !== 0) reply.ports = (port << 16) | (reply.ports & 0xffff);
  connection.destinationNat = true;
}

/**
 * SNAT: answers go to `address`, at the connection's own port if that is free and `randomly` does not ask for another.
 * With the connection's own source address this only makes the answers' tuple unique (two connections that DNAT led to
 * one backend). A reason when no port is free.
 */
export function bindSource(
  conntrack: Conntrack,
  connection: Connection,
  address: number,
  randomly: boolean,
  random: () => number,
): DropReason | null {
  scratch.copyFrom(connection.reply);
  scratch.destination = address | 0;
  const mayChangePort = hasPorts(connection.protocol);
  const keepPort = !randomly || !mayChangePort;
  if (!(keepPort && !conntrack.taken(scratch, connection)) && mayChangePort) {
    if (!findFreePort(conntrack, connection, random)) return NAT_PORTS_EXHAUSTED;
  }
  const { reply } = connection;
  if (reply.destination === scratch.destination && reply.ports === scratch.ports) return null;
  reply.destination = scratch.destination;
  reply.ports = scratch.ports;
  connection.sourceNat = true;
  return null;
}

function hasPorts(protocol: number): boolean {
  return protocol === ipv4.PROTOCOL_TCP || protocol === ipv4.PROTOCOL_UDP || isIcmp(protocol);
}

/** Sets `scratch.ports` to a free one, from the range of the source port's kind on (as Linux keeps low ports low). */
function findFreePort(conntrack: Conntrack, connection: Connection, random: () => number): boolean {
  const isEcho = isIcmp(connection.protocol);
  const wanted = connection.original.sourcePort;
  const [first, last] = isEcho ? [0, 65_535] : portRange(wanted);
  const size = last - first + 1;
  let port = first + Math.floor(random() * size);
  for (let i = 0; i < Math.min(size, MAX_PORT_TRIES); i++) {
    scratch.ports = isEcho ? (port << 16) | (scratch.ports & ICMP_TYPE_MASK) : (scratch.ports & 0xffff_0000) | port;
    if (!conntrack.taken(scratch, connection)) return true;
    port = port === last ? first : port + 1;
  }
  return false;
}

function portRange(port: number): [first: number, last: number] {
  if (port < 512) return [1, 511];
  if (port < 1024) return [600, 1023];
  return [1024, 65_535];
}

/** Whether packets of a flow are rewritten on this side. */
export function isTranslated(flow: Flow, side: NatSide): boolean {
  const { connection } = flow;
  return (side === 'destination') === flow.isReply ? connection.sourceNat : connection.destinationNat;
}

/** Rewrites one side of a packet that belongs (or is related) to `flow`; the caller asked `isTranslated`. */
export function translate(memory: PacketMemory, packet: Packet, flow: Flow, side: NatSide): void {
  if (flow.relatedTo !== null) translateError(memory, packet, flow.relatedTo, side);
  else if (side === 'destination') translateDestination(memory, packet, flow.opposite);
  else translateSource(memory, packet, flow.opposite);
}

function translateDestination(memory: PacketMemory, packet: Packet, opposite: Flow): void {
  const { view } = memory;
  const { networkOffset, transportOffset } = packet;
  const before = ip.destination(view, networkOffset);
  const after = opposite.source >>> 0;
  if (before !== after) {
    writeDestination(view, networkOffset, before, after);
    updateAddress(view, packet, before, after);
  }
  switch (opposite.connection.protocol) {
    case ipv4.PROTOCOL_TCP:
    case ipv4.PROTOCOL_UDP: {
      const port = udp.destinationPort(view, transportOffset);
      if (port === opposite.sourcePort) return;
      udp.setDestinationPort(view, transportOffset, opposite.sourcePort);
      updatePort(view, packet, port, opposite.sourcePort);
      return;
    }
    case ipv4.PROTOCOL_ICMP:
    case ipv6.PROTOCOL_ICMPV6:
      updateEcho(view, packet, opposite.sourcePort);
  }
}

function translateSource(memory: PacketMemory, packet: Packet, opposite: Flow): void {
  const { view } = memory;
  const { networkOffset, transportOffset } = packet;
  const before = ip.source(view, networkOffset);
  const after = opposite.destination >>> 0;
  if (before !== after) {
    writeSource(view, networkOffset, before, after);
    updateAddress(view, packet, before, after);
  }
  switch (opposite.connection.protocol) {
    case ipv4.PROTOCOL_TCP:
    case ipv4.PROTOCOL_UDP: {
      const port = udp.sourcePort(view, transportOffset);
      if (port === opposite.destinationPort) return;
      udp.setSourcePort(view, transportOffset, opposite.destinationPort);
      updatePort(view, packet, port, opposite.destinationPort);
      return;
    }
    case ipv4.PROTOCOL_ICMP:
    case ipv6.PROTOCOL_ICMPV6:
      updateEcho(view, packet, opposite.sourcePort);
  }
}

/** The field, and IPv4's header checksum; IPv6 has none. */
function writeDestination(view: DataView, network: number, before: number, after: number): void {
  if (ip.isIpv6(view, network)) {
    ipv6.setDestination(view, network, after);
    return;
  }
  ipv4.setDestination(view, network, after);
  ipv4.setChecksum(view, network, checksum.update32(ipv4.checksum(view, network), before, after));
}

function writeSource(view: DataView, network: number, before: number, after: number): void {
  if (ip.isIpv6(view, network)) {
    ipv6.setSource(view, network, after);
    return;
  }
  ipv4.setSource(view, network, after);
  ipv4.setChecksum(view, network, checksum.update32(ipv4.checksum(view, network), before, after));
}

/** The transport's checksum, whose pseudo header has the address (ICMPv4 has none). What differs is a sum of words. */
function updateAddress(view: DataView, packet: Packet, before: number, after: number): void {
  if (packet.checksumTrusted) return;
  const { networkOffset, transportOffset } = packet;
  const [was, is] = [addressSum(before), addressSum(after)];
  switch (ip.protocol(view, networkOffset)) {
    case ipv4.PROTOCOL_TCP:
      tcp.setChecksum(view, transportOffset, checksum.update16(tcp.checksum(view, transportOffset), was, is));
      return;
    case ipv4.PROTOCOL_UDP: {
      const present = udp.checksum(view, transportOffset);
      if (present !== 0) udp.setChecksum(view, transportOffset, checksum.update16(present, was, is));
      return;
    }
    case ipv6.PROTOCOL_ICMPV6:
      icmp.setChecksum(view, transportOffset, checksum.update16(icmp.checksum(view, transportOffset), was, is));
  }
}

function updatePort(view: DataView, packet: Packet, before: number, after: number): void {
  if (packet.checksumTrusted) return;
  const { transportOffset } = packet;
  if (ip.protocol(view, packet.networkOffset) === ipv4.PROTOCOL_TCP) {
    tcp.setChecksum(view, transportOffset, checksum.update16(tcp.checksum(view, transportOffset), before, after));
    return;
  }
  const present = udp.checksum(view, transportOffset);
  if (present !== 0) udp.setChecksum(view, transportOffset, checksum.update16(present, before, after));
}

function updateEcho(view: DataView, packet: Packet, identifier: number): void {
  const { transportOffset } = packet;
  const before = icmp.identifier(view, transportOffset);
  if (before === identifier) return;
  icmp.setIdentifier(view, transportOffset, identifier);
  if (packet.checksumTrusted) return;
  icmp.setChecksum(view, transportOffset, checksum.update16(icmp.checksum(view, transportOffset), before, identifier));
}

/**
 * An ICMP error: its own address on this side, and the other side of the packet it quotes, which travelled the other way;
 * so that whoever gets the error finds in it the packet he sent (RFC 5508 section 4.2).
 */
function translateError(memory: PacketMemory, packet: Packet, flow: Flow, side: NatSide): void {
  const { view } = memory;
  const { networkOffset, transportOffset } = packet;
  const { opposite } = flow;
  const quoted = transportOffset + icmp.HEADER_BYTES;
  if (side === 'destination') {
    const after = opposite.source >>> 0;
    writeDestination(view, networkOffset, ip.destination(view, networkOffset), after);
    writeSource(view, quoted, ip.source(view, quoted), after);
  } else {
    const after = opposite.destination >>> 0;
    writeSource(view, networkOffset, ip.source(view, networkOffset), after);
    writeDestination(view, quoted, ip.destination(view, quoted), after);
  }
  rewriteQuotedPorts(view, quoted, opposite, side);
  const size = networkOffset + ip.totalLength(view, networkOffset) - transportOffset;
  icmp.setChecksum(view, transportOffset, 0);
  const sum = ip.isIpv6(view, networkOffset)
    ? transportChecksum(memory, networkOffset, transportOffset, size)
    : checksum.finish(memory.sum(transportOffset, size));
  icmp.setChecksum(view, transportOffset, sum);
}

/** The quoted transport checksum stays stale: only its first 8 bytes need be there, and nobody verifies a part. */
function rewriteQuotedPorts(view: DataView, quoted: number, opposite: Flow, side: NatSide): void {
  const transport = quoted + ip.headerBytes(view, quoted);
  switch (opposite.connection.protocol) {
    case ipv4.PROTOCOL_TCP:
    case ipv4.PROTOCOL_UDP:
      if (side === 'destination') udp.setSourcePort(view, transport, opposite.sourcePort);
      else udp.setDestinationPort(view, transport, opposite.destinationPort);
      return;
    case ipv4.PROTOCOL_ICMP:
    case ipv6.PROTOCOL_ICMPV6:
      icmp.setIdentifier(view, transport, opposite.sourcePort);
  }
}
