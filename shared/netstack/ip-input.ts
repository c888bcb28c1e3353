/**
 * Packets into this host: the checks of RFC 1812 section 5.2.2 and 5.3.7, PREROUTING, and then up or on.
 *
 *   device -> ipInput -> PREROUTING hook -> local? -> deliver -> INPUT hook -> ICMP | UDP | TCP
 *                                           else  -> forward (ip-forward.ts)
 */
import * as address from '../wire/address.ts';
import * as icmp from '../wire/icmp.ts';
import * as ipv4 from '../wire/ipv4.ts';
import type { Packet } from '../wire/packet-memory.ts';
import type { NetDevice } from './device.ts';
import * as drop from './drop-reasons.ts';
import type { DropReason } from './hooks.ts';
import type { Host } from './host.ts';
import { ipForward } from './ip-forward.ts';

/** Takes a packet whose IP header is at `packet.offset`; link padding may follow it. Takes ownership. */
export function ipInput(host: Host, received: Packet, device: NetDevice): void {
  const { view } = host.memory;
  host.counters.ipReceived++;
  const defect = headerDefect(host, received);
  if (defect !== null) {
    host.drop(received, defect, 'ip-input');
    return;
  }
  let packet = received;
  packet.length = ipv4.totalLength(view, packet.offset);
  // Whoever tracks connections must see ports in every packet, so fragments meet before the hooks (nf_defrag_ipv4).
  if (host.hooks !== null && ipv4.isFragment(view, packet.offset)) {
    const whole = host.reassembly.add(packet);
    if (whole === null) return;
    packet = whole;
  }
  packet.networkOffset = packet.offset;
  packet.transportOffset = packet.offset + ipv4.headerBytes(view, packet.offset);
  if (host.hooks !== null) {
    const verdict = host.hooks.prerouting(packet, device);
    if (verdict !== null) {
      host.refuse(packet, verdict, 'prerouting');
      return;
    }
  }
  routeInput(host, packet, device);
}

function headerDefect(host: Host, packet: Packet): DropReason | null {
  const { view } = host.memory;
  const at = packet.offset;
  if (!ipv4.check(view, at, packet.length)) return drop.IP_MALFORMED;
  if (!packet.checksumTrusted && !ipv4.checksumValid(view, at)) return drop.IP_CHECKSUM;
  if (ipv4.headerBytes(view, at) === ipv4.HEADER_BYTES) return null;
  const options = ipv4.optionsKind(view, at);
  if (options === 'malformed') return drop.IP_OPTIONS_MALFORMED;
  if (options === 'source-route') return drop.IP_SOURCE_ROUTE;
  return null;
}

function routeInput(host: Host, packet: Packet, device: NetDevice): void {
  const { view } = host.memory;
  const source = ipv4.source(view, packet.offset);
  const destination = ipv4.destination(view, packet.offset);
  const martian = martianReason(host, source, destination, device);
  if (martian !== null) {
    host.drop(packet, martian, 'ip-input');
    return;
  }
  if (host.isLocal(destination) || host.isBroadcast(destination)) deliver(host, packet, device);
  else if (address.isMulticast(destination)) host.drop(packet, drop.MULTICAST_NOT_JOINED, 'ip-input');
  else ipForward(host, packet, device);
}

/** RFC 1812 section 5.3.7, and the reverse path (section 5.3.8) where the host asks for it. */
function martianReason(host: Host, source: number, destination: number, device: NetDevice): DropReason | null {
  if (device.kind === 'loopback') return null;
  if (address.isLoopback(destination) || destination === address.ANY_ADDRESS) return drop.MARTIAN_DESTINATION;
  if (address.isLoopback(source) || address.isMulticast(source) || source === address.LIMITED_BROADCAST) {
    return drop.MARTIAN_SOURCE;
  }
  // A host that asks for its own address (DHCP) sends from 0.0.0.0 to everyone.
  if (source === address.ANY_ADDRESS) return destination === address.LIMITED_BROADCAST ? null : drop.MARTIAN_SOURCE;
  if (host.isLocal(source) || host.isBroadcast(source)) return drop.MARTIAN_SOURCE;
  if (host.reversePathFilter === 'off') return null;
  const back = host.routes.lookup(source);
  if (back === undefined || (host.reversePathFilter === 'strict' && back.device !== device)) return drop.REVERSE_PATH;
  return null;
}

function deliver(host: Host, arrived: Packet, device: NetDevice): void {
  const { view } = host.memory;
  let packet = arrived;
  if (ipv4.isFragment(view, packet.offset)) {
    const whole = host.reassembly.add(packet);
    if (whole === null) return;
    packet = whole;
    packet.transportOffset = packet.offset + ipv4.headerBytes(view, packet.offset);
  }
  if (host.hooks !== null) {
    const verdict = host.hooks.input(packet, device);
    if (verdict !== null) {
      host.refuse(packet, verdict, 'input');
      return;
    }
  }
  host.counters.ipDelivered++;
  const protocol = ipv4.protocol(view, packet.offset);
  packet.strip(packet.transportOffset - packet.offset);
  if (protocol === ipv4.PROTOCOL_TCP) host.tcp.input(packet);
  else if (protocol === ipv4.PROTOCOL_UDP) host.udp.input(packet);
  else if (protocol === ipv4.PROTOCOL_ICMP) host.icmp.input(packet);
  else {
    packet.prepend(packet.offset - packet.networkOffset);
    host.icmp.sendError(packet, icmp.DESTINATION_UNREACHABLE, icmp.CODE_PROTOCOL_UNREACHABLE);
    host.drop(packet, drop.PROTOCOL_UNKNOWN, 'ip-input');
  }
}
