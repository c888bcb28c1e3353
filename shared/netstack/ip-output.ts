/**
 * Packets out of this host: the IP header, OUTPUT and POSTROUTING, fragmentation, and the next hop's link address.
 *
 *   socket -> sendIp -> OUTPUT hook -> (re)route -> transmitRouted -> POSTROUTING hook -> MTU -> neighbour -> device
 *                                          forward ------^
 */
import * as ethernet from '../wire/ethernet.ts';
import * as ip from '../wire/ip.ts';
import { isMulticast, multicastMacOf } from '../wire/ip-address.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { isIpv6 } from '../wire/ipv6-table.ts';
import type { Packet } from '../wire/packet-memory.ts';
import type { NetDevice } from './device.ts';
import * as drop from './drop-reasons.ts';
import { transmitFragments } from './fragment.ts';
import type { DropReason } from './hooks.ts';
import type { Host } from './host.ts';
import { transmitIp } from './neighbour.ts';
import type { NextHop } from './next-hop.ts';
import type { Route } from './route.ts';
import { cutSuperSegment, segmentedLength } from './super-segment.ts';

export const DEFAULT_TTL = 64;

/** Why a packet of ours could not be sent, as the socket call would say it. */
export type SendError = 'ENETUNREACH' | 'EHOSTUNREACH' | 'EACCES' | 'EINVAL' | 'EMSGSIZE' | 'ENOBUFS' | 'EPERM';

/** The error of a socket call for a destination without a usable route; null when there is one. */
export function routeError(route: Route | undefined): SendError | null {
  if (route === undefined) return 'ENETUNREACH';
  switch (route.type) {
    case 'unicast':
    case 'local':
      return null;
    case 'unreachable':
      return 'EHOSTUNREACH';
    case 'prohibit':
      return 'EACCES';
    case 'blackhole':
      return 'EINVAL';
  }
}

/**
 * Sends a transport packet (`packet.offset` at its header, checksum left to `completeChecksums`) under a header of the
 * destination's version; `protocol` is of that version (58 for ICMPv6). Takes ownership; the
 * answer is null or the error of the socket call, and then the packet is gone.
 */
export function sendIp(
  host: Host,
  packet: Packet,
  nextHop: NextHop,
  protocol: number,
  source: number,
  destination: number,
  ttl: number,
  tos: number,
  mayFragment: boolean,
): SendError | null {
  packet.transportOffset = packet.offset;
  const { view } = host.memory;
  if (isIpv6(destination)) {
    packet.prepend(ipv6.HEADER_BYTES);
    packet.mayFragment = mayFragment;
    ipv6.encode(view, packet.offset, packet.length, ttl, protocol, source, destination, tos);
  } else {
    packet.prepend(ipv4.HEADER_BYTES);
    const id = host.nextIdentification();
    ipv4.encode(view, packet.offset, packet.length, id, mayFragment, ttl, protocol, source, destination, tos);
  }
  packet.networkOffset = packet.offset;
  packet.checksumTrusted = true;
  host.counters.ipSent++;
  if (host.hooks === null) return transmitRouted(host, packet, nextHop);

  const verdict = host.hooks.output(packet);
  if (verdict !== null) {
    host.refuse(packet, verdict, 'output');
    return 'EPERM';
  }
  const rewritten = ip.destination(view, packet.networkOffset);
  if (rewritten === destination) return transmitRouted(host, packet, nextHop);
  return reroute(host, packet, rewritten);
}

/** OUTPUT changed the destination (a Service address became a pod's): the packet goes where that one is. */
function reroute(host: Host, packet: Packet, destination: number): SendError | null {
  const route = host.route(destination);
  const error = routeError(route);
  if (error === null) return transmitRouted(host, packet, route!.nextHop);
  host.drop(packet, drop.NO_ROUTE, 'output');
  return error;
}

/** The way out of packets of ours and of forwarded ones: POSTROUTING, the MTU, and the next hop. */
export function transmitRouted(host: Host, packet: Packet, by: NextHop): SendError | null {
  const device = by.device!;
  if (host.hooks !== null) {
    const verdict = host.hooks.postrouting(packet, device);
    if (verdict !== null) {
      host.refuse(packet, verdict, 'postrouting');
      return 'EPERM';
    }
  }
  if (!device.up) return fail(host, packet, drop.DEVICE_DOWN, 'ENETUNREACH');
  const destination = ip.destination(host.memory.view, packet.networkOffset);
  const mtuBytes = host.pathMtu.towards(destination, by);
  const neighbour = by.gateway === 0 ? destination : by.gateway;
  if (segmentedLength(host.memory.view, packet) <= mtuBytes) {
    if (packet.segmentBytes === 0 || device.superSegmentBytes > 0) transmitToNextHop(host, packet, device, neighbour);
    else cutAndTransmit(host, packet, device, neighbour);
    return null;
  }
  // A forwarded packet that may not be cut was answered in ip-forward.ts; this one is ours.
  if (!packet.mayFragment && ip.dontFragment(host.memory.view, packet.networkOffset)) {
    return fail(host, packet, drop.FRAGMENTATION_NEEDED, 'EMSGSIZE');
  }
  transmitFragments(host, packet, mtuBytes, (fragment) => transmitToNextHop(host, fragment, device, neighbour));
  return null;
}

/** The device takes no super-segments. */
function cutAndTransmit(host: Host, packet: Packet, device: NetDevice, nextHop: number): void {
  const { memory, segmentCutter } = host;
  const lost = cutSuperSegment(segmentCutter, memory, packet, packet.offset, (segment) =>
    transmitToNextHop(host, segment, device, nextHop),
  );
  for (let i = 0; i < lost; i++) host.countDrop(drop.NO_PACKET_MEMORY);
}

function transmitToNextHop(host: Host, packet: Packet, device: NetDevice, nextHop: number): void {
  const recent = host.neighbours.recentOf(device, nextHop);
  if (recent !== null) host.neighbours.sendTo(recent, packet);
  else if (hasNoLinkAddresses(device)) transmitIp(host, device, 0, packet);
  else if (host.isBroadcast(nextHop)) transmitIp(host, device, ethernet.BROADCAST, packet);
  else if (isMulticast(nextHop)) transmitIp(host, device, multicastMacOf(nextHop), packet);
  else host.neighbours.send(device, nextHop, packet);
}

function hasNoLinkAddresses(device: NetDevice): boolean {
  return device.kind === 'loopback' || device.kind === 'ipip' || device.kind === 'wireguard' || device.kind === 'tun';
}

function fail(host: Host, packet: Packet, reason: DropReason, error: SendError): SendError {
  host.drop(packet, reason, 'output');
  return error;
}
