/** Neighbour discovery for IPv6 (RFC 4861): what ARP is to IPv4. Hosts here are configured, so that router advertisements change nothing. */
import { transportChecksum } from '../wire/complete-checksums.ts';
import * as ethernet from '../wire/ethernet.ts';
import * as icmp from '../wire/icmp.ts';
import * as icmpv6 from '../wire/icmpv6.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { ALL_NODES, ANY_IPV6, isIpv6Multicast, multicastMacOf, solicitedNodeOf } from '../wire/ipv6-address.ts';
import type { Packet } from '../wire/packet-memory.ts';
import type { NetDevice } from './device.ts';
import * as drop from './drop-reasons.ts';
import type { Host } from './host.ts';

/** Asks who has `target`: everyone who may (`mac` undefined), or one neighbour whether it still has. */
export function sendSolicitation(host: Host, device: NetDevice, target: number, mac?: number): void {
  const source = host.sourceFor(device, target);
  const group = solicitedNodeOf(target);
  const [to, toMac] = mac === undefined ? [group, multicastMacOf(group)] : [target, mac];
  send(host, device, icmpv6.NEIGHBOUR_SOLICITATION, 0, target, source, to, toMac);
}

/** Tells the link of an address of ours without having been asked. */
export function sendAnnouncement(host: Host, device: NetDevice, address: number): void {
  const mac = multicastMacOf(ALL_NODES);
  send(host, device, icmpv6.NEIGHBOUR_ADVERTISEMENT, icmpv6.FLAG_OVERRIDE, address, address, ALL_NODES, mac);
}

/** A discovery message, `offset` at its ICMPv6 header, its checksum verified. Takes ownership. */
export function discoveryInput(host: Host, device: NetDevice, packet: Packet): void {
  const { view } = host.memory;
  const at = packet.offset;
  const forwarded = ipv6.hopLimit(view, packet.networkOffset) !== icmpv6.DISCOVERY_HOP_LIMIT;
  if (forwarded || icmp.code(view, at) !== 0 || !icmpv6.checkDiscovery(view, at, packet.length)) {
    host.drop(packet, drop.ICMP_MALFORMED, 'neighbour-discovery');
    return;
  }
  const type = icmp.type(view, at);
  if (type === icmpv6.NEIGHBOUR_SOLICITATION) receiveSolicitation(host, device, packet);
  else if (type === icmpv6.NEIGHBOUR_ADVERTISEMENT) receiveAdvertisement(host, device, packet);
  host.memory.free(packet);
}

/** Section 7.2.3 and 7.2.4. One from `::` asks whether an address is in use, and everyone hears the answer. */
function receiveSolicitation(host: Host, device: NetDevice, packet: Packet): void {
  const { view } = host.memory;
  const target = icmpv6.target(view, packet.offset);
  if (!host.answersFor(device, target)) return;
  const asker = ipv6.source(view, packet.networkOffset);
  if (asker === ANY_IPV6) {
    sendAnnouncement(host, device, target);
    return;
  }
  const mac = icmpv6.linkAddress(view, packet.offset, packet.length, icmpv6.OPTION_SOURCE_LINK_ADDRESS);
  if (mac < 0 || ethernet.isGroup(mac) || isIpv6Multicast(asker)) return;
  host.neighbours.heard(device, asker, mac, { mayCreate: true, solicited: false, overrides: true });
  const flags = icmpv6.FLAG_SOLICITED | icmpv6.FLAG_OVERRIDE | (host.ipForward ? icmpv6.FLAG_ROUTER : 0);
  send(host, device, icmpv6.NEIGHBOUR_ADVERTISEMENT, flags >>> 0, target, target, asker, mac);
}

/** Section 7.2.5: an advertisement makes no entry; it answers for one that is being resolved, or changes one. */
function receiveAdvertisement(host: Host, device: NetDevice, packet: Packet): void {
  const { view } = host.memory;
  const target = icmpv6.target(view, packet.offset);
  const mac = icmpv6.linkAddress(view, packet.offset, packet.length, icmpv6.OPTION_TARGET_LINK_ADDRESS);
  if (mac < 0 || ethernet.isGroup(mac) || isIpv6Multicast(target)) return;
  const flags = icmpv6.flags(view, packet.offset);
  const toGroup = isIpv6Multicast(ipv6.destination(view, packet.networkOffset));
  host.neighbours.heard(device, target, mac, {
    mayCreate: false,
    solicited: !toGroup && (flags & icmpv6.FLAG_SOLICITED) !== 0,
    overrides: (flags & icmpv6.FLAG_OVERRIDE) !== 0,
  });
}

function send(
  host: Host,
  device: NetDevice,
  type: number,
  flags: number,
  target: number,
  source: number,
  destination: number,
  mac: number,
): void {
  const { memory } = host;
  const frame = memory.allocate(ethernet.HEADER_BYTES + ipv6.HEADER_BYTES + icmpv6.NEIGHBOUR_MESSAGE_BYTES);
  if (frame === undefined) {
    host.countDrop(drop.NO_PACKET_MEMORY);
    return;
  }
  const { view } = memory;
  const network = frame.offset + ethernet.HEADER_BYTES;
  const message = network + ipv6.HEADER_BYTES;
  const total = ipv6.HEADER_BYTES + icmpv6.NEIGHBOUR_MESSAGE_BYTES;
  ethernet.encode(view, frame.offset, mac, device.macAddress, ethernet.TYPE_IPV6);
  ipv6.encode(view, network, total, icmpv6.DISCOVERY_HOP_LIMIT, ipv6.PROTOCOL_ICMPV6, source, destination);
  icmpv6.encodeNeighbour(view, message, type, flags, target, device.macAddress);
  icmp.setChecksum(view, message, transportChecksum(memory, network, message, icmpv6.NEIGHBOUR_MESSAGE_BYTES));
  device.transmit(frame);
}
