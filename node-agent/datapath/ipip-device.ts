/**
 * `tunl0`: IP in IP (RFC 2003). It has no link addresses; a packet goes within another to the device's remote end or, where it
 * has none, to the gateway of its route, and what comes in protocol 4 appears here. The outer packets are the node's own: they pass OUTPUT and are routed to eth0.
 *
 *   route 10.244.2.0/26 via 192.168.1.11 dev tunl0 onlink -> outer header 192.168.1.10 > 192.168.1.11
 */
import * as drop from '../../shared/netstack/drop-reasons.ts';
import type { Host } from '../../shared/netstack/host.ts';
import { DEFAULT_TTL, transmitRouted } from '../../shared/netstack/ip-output.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ipip from '../../shared/wire/ipip.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import { forgetInner, NodeTunnelDevice, type NodeTunnelOptions } from './node-tunnel-device.ts';

export interface IpipOptions extends NodeTunnelOptions {
  /** Where all outer packets go; null for a device with many ends. */
  readonly remote: number | null;
}

/** A host's packets in protocol 4, each for the device whose remote end sent it, or for the one with many. */
export class IpipInput {
  private readonly host: Host;
  private readonly byRemote = new Map<number | null, IpipDevice>();

  constructor(host: Host) {
    this.host = host;
    host.tunnels.set(ipv4.PROTOCOL_IPIP, (packet) => this.take(packet));
  }

  add(device: IpipDevice): void {
    this.byRemote.set(device.remote, device);
  }

  /** From the stack, at the inner header; the outer one was checked. Takes ownership. */
  private take(packet: Packet): void {
    const { view } = this.host.memory;
    const device = this.byRemote.get(ipv4.source(view, packet.networkOffset)) ?? this.byRemote.get(null);
    if (device === undefined) this.host.drop(packet, drop.PROTOCOL_UNKNOWN, 'ipip');
    else device.decapsulate(packet);
  }
}

export class IpipDevice extends NodeTunnelDevice {
  readonly kind = 'ipip';
  readonly remote: number | null;

  constructor(options: IpipOptions) {
    super(options);
    this.remote = options.remote;
  }

  transmitNow(frame: Packet): void {
    const { view } = this.host.memory;
    if (ethernet.type(view, frame.offset) !== ethernet.TYPE_IPV4) {
      this.refuse(frame, drop.ETHERTYPE_UNKNOWN);
      return;
    }
    const end = this.remote ?? this.gatewayOf(ipv4.destination(view, frame.offset + ethernet.HEADER_BYTES));
    const nextHop = end === 0 ? undefined : this.routeTo(end);
    if (nextHop === undefined) {
      this.refuse(frame, drop.NO_ROUTE);
      return;
    }
    this.depart(frame, end);
    this.encapsulate(frame, end);
    const verdict = this.host.hooks?.output(frame) ?? null;
    if (verdict === null) transmitRouted(this.host, frame, nextHop);
    else this.host.refuse(frame, verdict, 'output');
  }

  private gatewayOf(destination: number): number {
    return this.host.routes.lookup(destination)?.gateway ?? 0;
  }

  /** As `IpipInput` has it from the stack. */
  decapsulate(packet: Packet): void {
    const { view } = this.host.memory;
    if (!ipip.check(view, packet.networkOffset, packet.length + packet.offset - packet.networkOffset)) {
      this.lose(packet, drop.IP_MALFORMED);
      return;
    }
    const from = ipv4.source(view, packet.networkOffset);
    this.frameInner(packet, ethernet.TYPE_IPV4);
    this.arrive(packet, from);
  }

  private encapsulate(frame: Packet, end: number): void {
    frame.strip(ethernet.HEADER_BYTES);
    frame.prepend(ipip.OVERHEAD_BYTES);
    ipip.encode(this.host.memory.view, frame.offset, this.host.nextIdentification(), DEFAULT_TTL, this.local, end);
    frame.networkOffset = frame.offset;
    frame.transportOffset = frame.offset + ipip.OVERHEAD_BYTES;
    forgetInner(frame);
  }
}
