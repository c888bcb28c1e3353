/**
 * Packets of either version into this host: the checks of RFC 1812 section 5.2.2 and 5.3.7, PREROUTING, and then up or on.
 *
 *   device -> ipInput -> PREROUTING hook -> local? -> deliver -> INPUT hook -> ICMP | UDP | TCP
 *                                           else  -> forward (ip-forward.ts)
 */
import * as address from '../wire/address.ts';
import * as ip from '../wire/ip.ts';
import { isMulticast } from '../wire/ip-address.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { ANY_IPV6, isIpv6Multicast, LOOPBACK_IPV6 } from '../wire/ipv6-address.ts';
import { isIpv6 } from '../wire/ipv6-table.ts';
import type { Packet } from '../wire/packet-memory.ts';
import type { NetDevice } from './device.ts';
import * as drop from './drop-reasons.ts';
import { type DropReason, REDIRECTED } from './hooks.ts';
import type { Host } from './host.ts';
import * as icmpError from './icmp-error.ts';
import { forwardAlong, ipForward } from './ip-forward.ts';
import { prepareReceived } from './received-packet.ts';

/** Takes a packet whose IP header is at `packet.offset`; link padding may follow it. Takes ownership. */
export function ipInput(host: Host, received: Packet, device: NetDevice): void {
  const { view } = host.memory;
  host.counters.ipReceived++;
  const defect = prepareReceived(view, received);
  if (defect !== null) {
    host.drop(received, defect, 'ip-input');
    return;
  }
  let packet = received;
  // Whoever tracks connections must see ports in every packet, so fragments meet before the hooks (nf_defrag_ipv4).
  if (host.hooks !== null && ip.isFragment(view, packet.offset)) {
    const whole = host.reassembly.add(packet);
    if (whole === null) return;
    packet = whole;
  }
  if (host.hooks !== null) {
    const verdict = host.hooks.prerouting(packet, device);
    if (verdict !== null) {
      host.refuse(packet, verdict, 'prerouting');
      return;
    }
  }
  routeInput(host, packet, device);
}

function routeInput(host: Host, packet: Packet, device: NetDevice): void {
  const { view } = host.memory;
  const isIpv6Packet = ip.isIpv6(view, packet.offset);
  const source = isIpv6Packet ? ipv6.source(view, packet.offset) : ipv4.source(view, packet.offset);
  const destination = isIpv6Packet ? ipv6.destination(view, packet.offset) : ipv4.destination(view, packet.offset);
  const remembered = host.hooks?.flowRoute(packet);
  if (remembered?.routeGeneration === host.routes.generation && host.ipForward) {
    // All that is asked below was asked for the flow's last packet.
    if (remembered.routedTo === (destination | 0) && remembered.routedFrom === device) {
      forwardAlong(host, packet, device, remembered.nextHop!, host.hooks);
      return;
    }
  }
  const { lastDelivery } = host;
  if (lastDelivery.isAlike(source, destination, device)) {
    deliver(host, packet, device);
    return;
  }
  const martian = martianReason(host, source, destination, device);
  if (martian !== null) {
    host.drop(packet, martian, 'ip-input');
    return;
  }
  const isOurs = host.isLocal(destination) || host.isBroadcast(destination) || host.hasJoined(destination);
  if (isOurs || host.transparentPort !== null) {
    lastDelivery.note(source, destination, device);
    deliver(host, packet, device);
  } else if (isMulticast(destination)) host.drop(packet, drop.MULTICAST_NOT_JOINED, 'ip-input');
  else ipForward(host, packet, device);
}

/** RFC 1812 section 5.3.7, and the reverse path (section 5.3.8) where the host asks for it. */
function martianReason(host: Host, source: number, destination: number, device: NetDevice): DropReason | null {
  if (device.kind === 'loopback') return null;
  const misplaced = isIpv6(destination) ? martianIpv6(source, destination) : martianIpv4(source, destination);
  if (misplaced !== null) return misplaced;
  // Who asks for its own address (DHCP) sends from 0.0.0.0 to everyone; who asks whether it is free, from :: to a group.
  if (source === address.ANY_ADDRESS || source === ANY_IPV6) {
    const mayAsk = destination === address.LIMITED_BROADCAST || host.hasJoined(destination);
    return mayAsk ? null : drop.MARTIAN_SOURCE;
  }
  if (host.isLocal(source) || host.isBroadcast(source)) return drop.MARTIAN_SOURCE;
  if (host.reversePathFilter === 'off') return null;
  const back = host.routeThrough(source);
  if (back === undefined || (host.reversePathFilter === 'strict' && back.device !== device)) return drop.REVERSE_PATH;
  return null;
}

function martianIpv4(source: number, destination: number): DropReason | null {
  if (address.isLoopback(destination) || destination === address.ANY_ADDRESS) return drop.MARTIAN_DESTINATION;
  const isGroup = address.isMulticast(source) || source === address.LIMITED_BROADCAST;
  return isGroup || address.isLoopback(source) ? drop.MARTIAN_SOURCE : null;
}

function martianIpv6(source: number, destination: number): DropReason | null {
  if (destination === LOOPBACK_IPV6 || destination === ANY_IPV6) return drop.MARTIAN_DESTINATION;
  return source === LOOPBACK_IPV6 || isIpv6Multicast(source) ? drop.MARTIAN_SOURCE : null;
}

function deliver(host: Host, arrived: Packet, device: NetDevice): void {
  const { view } = host.memory;
  let packet = arrived;
  if (ip.isFragment(view, packet.offset)) {
    const whole = host.reassembly.add(packet);
    if (whole === null) return;
    packet = whole;
  }
  if (host.hooks !== null) {
    const verdict = host.hooks.input(packet, device);
    if (verdict === REDIRECTED) {
      ipForward(host, packet, device, null);
      return;
    }
    if (verdict !== null) {
      host.refuse(packet, verdict, 'input');
      return;
    }
  }
  host.counters.ipDelivered++;
  const protocol = ip.protocol(view, packet.offset);
  packet.strip(packet.transportOffset - packet.offset);
  if (protocol === ipv4.PROTOCOL_TCP) host.tcp.input(packet);
  else if (protocol === ipv4.PROTOCOL_UDP) host.udp.input(packet);
  else if (protocol === ipv4.PROTOCOL_ICMP || protocol === ipv6.PROTOCOL_ICMPV6) host.icmp.input(packet, device);
  else if (host.tunnels.has(protocol)) host.tunnels.get(protocol)!(packet);
  else {
    packet.prepend(packet.offset - packet.networkOffset);
    host.icmp.sendError(packet, icmpError.PROTOCOL_UNREACHABLE);
    host.drop(packet, drop.PROTOCOL_UNKNOWN, 'ip-input');
  }
}
