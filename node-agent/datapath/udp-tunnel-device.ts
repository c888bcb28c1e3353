/**
 * `flannel0`: packets in UDP datagrams, without a header between (flannel's backend `udp`). In the original it is a TUN device whose
 * packets a process sends; here too it has no link addresses, and knows behind which node a pod is. The datagrams are the node's own: they
 * pass OUTPUT and are routed to eth0.
 *
 *   10.244.1.5 > 10.244.2.7  ->  192.168.1.10.8285 > 192.168.1.11.8285: the packet as it is
 */
import * as drop from '../../shared/netstack/drop-reasons.ts';
import type { DropReason } from '../../shared/netstack/hooks.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ip from '../../shared/wire/ip.ts';
import type { IpPrefix } from '../../shared/wire/ip-address.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import * as udp from '../../shared/wire/udp.ts';
import { NodeTunnelDevice, type NodeTunnelOptions } from './node-tunnel-device.ts';
import { AllowedIps } from './wireguard/allowed-ips.ts';

export const UDP_TUNNEL_PORT = 8285;
export const UDP_TUNNEL_OVERHEAD_BYTES = ipv4.HEADER_BYTES + udp.HEADER_BYTES;

const NO_NODE: DropReason = Object.freeze({ code: 'udp-tunnel-no-node' });

export class UdpTunnelDevice extends NodeTunnelDevice {
  readonly kind = 'tun';
  /** InternalIPs of nodes by the networks of their pods. */
  private readonly nodes = new AllowedIps<number>();

  constructor(options: NodeTunnelOptions) {
    super(options);
    options.host.udp.bind({ port: UDP_TUNNEL_PORT }).onPacket = (packet) => this.decapsulate(packet);
  }

  setNode(internalIp: number, podCidrs: readonly IpPrefix[]): void {
    this.nodes.removePeer(internalIp);
    for (const podCidr of podCidrs) this.nodes.add(podCidr, internalIp);
  }

  removeNode(internalIp: number): void {
    this.nodes.removePeer(internalIp);
  }

  transmitNow(frame: Packet): void {
    const node = this.nodes.lookup(ip.destination(this.host.memory.view, frame.offset + ethernet.HEADER_BYTES));
    if (node === undefined) {
      this.refuse(frame, NO_NODE);
      return;
    }
    const nextHop = this.routeTo(node);
    if (nextHop === undefined) {
      this.refuse(frame, drop.NO_ROUTE);
      return;
    }
    this.depart(frame, node);
    frame.strip(ethernet.HEADER_BYTES);
    this.sendDatagram(frame, nextHop, node, UDP_TUNNEL_PORT, UDP_TUNNEL_PORT);
  }

  /** From the stack, at the UDP header, whose checksum is right. Takes ownership. */
  private decapsulate(packet: Packet): void {
    const { view } = this.host.memory;
    const from = ip.source(view, packet.networkOffset);
    packet.strip(udp.HEADER_BYTES);
    if (!ip.check(view, packet.offset, packet.length)) {
      this.lose(packet, drop.IP_MALFORMED);
      return;
    }
    packet.length = ip.totalLength(view, packet.offset);
    this.frameInner(packet, ip.etherType(view, packet.offset));
    this.arrive(packet, from);
  }
}
