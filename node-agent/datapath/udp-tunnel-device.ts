/**
 * `flannel0`: packets in UDP datagrams, without a header between (flannel's backend `udp`). In the original it is a TUN device whose
 * packets a process sends; here too it has no link addresses, and knows behind which node a pod is. The datagrams are the node's own: they
 * pass OUTPUT and are routed to eth0.
 *
 *   10.244.1.5 > 10.244.2.7  ->  192.168.1.10.8285 > 192.168.1.11.8285: the packet as it is
 */
import {
  type DeviceCounters,
  type FrameTap,
  type FrameUpcall,
  type NetDevice,
  zeroCounters,
} from '../../shared/netstack/device.ts';
import * as drop from '../../shared/netstack/drop-reasons.ts';
import type { DropReason } from '../../shared/netstack/hooks.ts';
import type { Host } from '../../shared/netstack/host.ts';
import { DEFAULT_TTL, routeError, sendIp } from '../../shared/netstack/ip-output.ts';
import { completeChecksums } from '../../shared/wire/complete-checksums.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ip from '../../shared/wire/ip.ts';
import type { IpPrefix } from '../../shared/wire/ip-address.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import * as udp from '../../shared/wire/udp.ts';
import type { FrameObserver } from './frame-observer.ts';
import { frameInner, receiveInner } from './leave-tunnel.ts';
import { AllowedIps } from './wireguard/allowed-ips.ts';

export const UDP_TUNNEL_PORT = 8285;
export const UDP_TUNNEL_OVERHEAD_BYTES = ipv4.HEADER_BYTES + udp.HEADER_BYTES;

const NO_NODE: DropReason = Object.freeze({ code: 'udp-tunnel-no-node' });

export interface UdpTunnelOptions {
  readonly host: Host;
  readonly name: string;
  readonly index: number;
  readonly mtuBytes: number;
  /** Of the outer packets. */
  readonly local: number;
}

export class UdpTunnelDevice implements NetDevice {
  readonly kind = 'tun';
  readonly name: string;
  readonly index: number;
  /** It has none. */
  readonly macAddress = 0;
  readonly superSegmentBytes = 0;
  readonly counters: DeviceCounters = zeroCounters();
  mtuBytes: number;
  up = true;
  upcall: FrameUpcall | null = null;
  tap: FrameTap | null = null;
  observer: FrameObserver | null = null;
  private readonly host: Host;
  private readonly local: number;
  /** InternalIPs of nodes by the networks of their pods. */
  private readonly nodes = new AllowedIps<number>();

  constructor({ host, name, index, mtuBytes, local }: UdpTunnelOptions) {
    this.host = host;
    this.name = name;
    this.index = index;
    this.mtuBytes = mtuBytes;
    this.local = local;
    host.udp.bind({ port: UDP_TUNNEL_PORT }).onPacket = (packet) => this.decapsulate(packet);
  }

  setNode(internalIp: number, podCidrs: readonly IpPrefix[]): void {
    this.nodes.removePeer(internalIp);
    for (const podCidr of podCidrs) this.nodes.add(podCidr, internalIp);
  }

  removeNode(internalIp: number): void {
    this.nodes.removePeer(internalIp);
  }

  transmit(frame: Packet): void {
    const { memory } = this.host;
    const node = this.nodes.lookup(ip.destination(memory.view, frame.offset + ethernet.HEADER_BYTES));
    if (node === undefined) {
      this.refuse(frame, NO_NODE);
      return;
    }
    const route = this.host.route(node);
    if (routeError(route) !== null || route!.device === this) {
      this.refuse(frame, drop.NO_ROUTE);
      return;
    }
    this.counters.txPackets++;
    this.counters.txBytes += frame.length - ethernet.HEADER_BYTES;
    this.observer?.frame('sent', this, frame, node);
    this.tap?.frame(this, frame, true);
    completeChecksums(memory, frame);
    frame.strip(ethernet.HEADER_BYTES);
    frame.prepend(udp.HEADER_BYTES);
    udp.encode(memory.view, frame.offset, UDP_TUNNEL_PORT, UDP_TUNNEL_PORT, frame.length);
    frame.connection = null;
    frame.mark = 0;
    frame.segmentBytes = 0;
    sendIp(this.host, frame, route!.nextHop, ipv4.PROTOCOL_UDP, this.local, node, DEFAULT_TTL, 0, true);
  }

  /** From the stack, at the UDP header, whose checksum is right. Takes ownership. */
  private decapsulate(packet: Packet): void {
    const { view } = this.host.memory;
    const from = ip.source(view, packet.networkOffset);
    packet.strip(udp.HEADER_BYTES);
    if (!ip.check(view, packet.offset, packet.length)) {
      this.counters.rxDropped++;
      this.host.drop(packet, drop.IP_MALFORMED, this.name);
      return;
    }
    packet.length = ip.totalLength(view, packet.offset);
    frameInner(this.host, packet, ip.etherType(view, packet.offset));
    this.receive(packet, from);
  }

  receive(frame: Packet, from?: number): void {
    receiveInner(this.host, this, frame, frame.length - ethernet.HEADER_BYTES, from);
  }

  private refuse(frame: Packet, reason: DropReason): void {
    this.counters.txDropped++;
    this.host.drop(frame, reason, this.name);
  }
}
