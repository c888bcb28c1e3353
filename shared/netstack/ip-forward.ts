/** A packet that is not for this host: TTL, route, MTU, the FORWARD hook, and out again (RFC 1812 section 5.2.1.2, RFC 8200). */
import * as ip from '../wire/ip.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { isLinkLocal } from '../wire/ipv6-address.ts';
import type { Packet } from '../wire/packet-memory.ts';
import type { NetDevice } from './device.ts';
import * as drop from './drop-reasons.ts';
import type { DropReason, NetfilterHooks } from './hooks.ts';
import type { Host } from './host.ts';
import * as icmpError from './icmp-error.ts';
import { transmitRouted } from './ip-output.ts';
import { type NextHop, nextHopMtu } from './next-hop.ts';
import type { Route } from './route.ts';
import { segmentedLength } from './super-segment.ts';

/** Takes ownership; `packet.offset` is at the IP header. `hooks` is null for a packet that FORWARD is not asked about. */
export function ipForward(host: Host, packet: Packet, inDevice: NetDevice, hooks = host.hooks): void {
  const { view } = host.memory;
  if (!host.ipForward) {
    host.drop(packet, drop.NOT_FORWARDING, 'ip-forward');
    return;
  }
  const isIpv6 = ip.isIpv6(view, packet.offset);
  if (isIpv6 && staysOnLink(view, packet.offset)) {
    host.drop(packet, drop.BEYOND_SCOPE, 'ip-forward');
    return;
  }
  const destination = isIpv6 ? ipv6.destination(view, packet.offset) : ipv4.destination(view, packet.offset);
  const policy = isIpv6 ? null : host.routingPolicy;
  const route =
    policy === null
      ? host.routes.lookup(destination)
      : policy.lookup(ipv4.source(view, packet.offset), destination, packet.mark);
  if (route === undefined || route.device === null) {
    refuseUnroutable(host, packet, route);
    return;
  }
  const flow = hooks?.flowRoute(packet) ?? null;
  if (flow !== null) {
    flow.nextHop = route.nextHop;
    flow.routeGeneration = host.routes.generation;
    flow.routedFrom = inDevice;
    flow.routedTo = destination | 0;
  }
  forwardAlong(host, packet, inDevice, route.nextHop, hooks);
}

/** The same for a packet whose next hop is known; it has a device. */
export function forwardAlong(
  host: Host,
  packet: Packet,
  inDevice: NetDevice,
  nextHop: NextHop,
  hooks: NetfilterHooks | null,
): void {
  const { view } = host.memory;
  const isIpv6 = ip.isIpv6(view, packet.offset);
  const device = nextHop.device!;
  const ttl = isIpv6 ? ipv6.hopLimit(view, packet.offset) : ipv4.ttl(view, packet.offset);
  if (ttl <= 1) {
    host.icmp.sendError(packet, icmpError.TTL_EXCEEDED);
    host.drop(packet, drop.TTL_EXCEEDED, 'ip-forward');
    return;
  }
  const mtuBytes = nextHopMtu(nextHop, device);
  if (segmentedLength(view, packet) > mtuBytes && !packet.mayFragment && ip.dontFragment(view, packet.offset)) {
    host.icmp.sendError(packet, icmpError.PACKET_TOO_BIG, mtuBytes);
    host.drop(packet, drop.FRAGMENTATION_NEEDED, 'ip-forward');
    return;
  }
  if (isIpv6) ipv6.decrementHopLimit(view, packet.offset);
  else ipv4.decrementTtl(view, packet.offset);
  if (hooks !== null) {
    const verdict = hooks.forward(packet, inDevice, device);
    if (verdict !== null) {
      host.refuse(packet, verdict, 'forward');
      return;
    }
  }
  host.counters.ipForwarded++;
  transmitRouted(host, packet, nextHop);
}

function refuseUnroutable(host: Host, packet: Packet, route: Route | undefined): void {
  let reason: DropReason = drop.NO_ROUTE;
  let error = icmpError.NET_UNREACHABLE;
  if (route?.type === 'blackhole') {
    host.drop(packet, drop.ROUTE_BLACKHOLE, 'ip-forward');
    return;
  }
  if (route?.type === 'unreachable') {
    reason = drop.ROUTE_UNREACHABLE;
    error = icmpError.HOST_UNREACHABLE;
  } else if (route?.type === 'prohibit') {
    reason = drop.ROUTE_PROHIBIT;
    error = icmpError.PROHIBITED;
  }
  host.icmp.sendError(packet, error);
  host.drop(packet, reason, 'ip-forward');
}

/** RFC 4007 section 9: an address of one link alone is not carried to another. */
function staysOnLink(view: DataView, network: number): boolean {
  return isLinkLocal(ip.source(view, network)) || isLinkLocal(ip.destination(view, network));
}
