/** A packet that is not for this host: TTL, route, MTU, the FORWARD hook, and out again (RFC 1812 section 5.2.1.2). */
import * as icmp from '../wire/icmp.ts';
import * as ipv4 from '../wire/ipv4.ts';
import type { Packet } from '../wire/packet-memory.ts';
import type { NetDevice } from './device.ts';
import * as drop from './drop-reasons.ts';
import type { DropReason } from './hooks.ts';
import type { Host } from './host.ts';
import { transmitRouted } from './ip-output.ts';
import type { Route } from './route.ts';

/** Takes ownership; `packet.offset` is at the IP header. */
export function ipForward(host: Host, packet: Packet, inDevice: NetDevice): void {
  const { view } = host.memory;
  if (!host.ipForward) {
    host.drop(packet, drop.NOT_FORWARDING, 'ip-forward');
    return;
  }
  const route = host.routes.lookup(ipv4.destination(view, packet.offset));
  if (route === undefined || route.device === null) {
    refuseUnroutable(host, packet, route);
    return;
  }
  if (ipv4.ttl(view, packet.offset) <= 1) {
    host.icmp.sendError(packet, icmp.TIME_EXCEEDED, icmp.CODE_TTL_EXCEEDED);
    host.drop(packet, drop.TTL_EXCEEDED, 'ip-forward');
    return;
  }
  const mtuBytes = route.device.mtuBytes;
  if (packet.length > mtuBytes && packet.segmentBytes === 0 && ipv4.dontFragment(view, packet.offset)) {
    host.icmp.sendError(packet, icmp.DESTINATION_UNREACHABLE, icmp.CODE_FRAGMENTATION_NEEDED, mtuBytes);
    host.drop(packet, drop.FRAGMENTATION_NEEDED, 'ip-forward');
    return;
  }
  ipv4.decrementTtl(view, packet.offset);
  if (host.hooks !== null) {
    const verdict = host.hooks.forward(packet, inDevice, route.device);
    if (verdict !== null) {
      host.refuse(packet, verdict, 'forward');
      return;
    }
  }
  host.counters.ipForwarded++;
  transmitRouted(host, packet, route);
}

function refuseUnroutable(host: Host, packet: Packet, route: Route | undefined): void {
  let reason: DropReason = drop.NO_ROUTE;
  let code = icmp.CODE_NET_UNREACHABLE;
  if (route?.type === 'blackhole') {
    host.drop(packet, drop.ROUTE_BLACKHOLE, 'ip-forward');
    return;
  }
  if (route?.type === 'unreachable') {
    reason = drop.ROUTE_UNREACHABLE;
    code = icmp.CODE_HOST_UNREACHABLE;
  } else if (route?.type === 'prohibit') {
    reason = drop.ROUTE_PROHIBIT;
    code = icmp.CODE_ADMINISTRATIVELY_PROHIBITED;
  }
  host.icmp.sendError(packet, icmp.DESTINATION_UNREACHABLE, code);
  host.drop(packet, reason, 'ip-forward');
}
