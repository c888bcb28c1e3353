/**
 * `cilium_geneve`: frames for pods of other nodes within Geneve (RFC 8926) over the nodes' own network, UDP port 6081. The outer
 * packets are the node's: they pass OUTPUT and are routed to eth0. The network identifier is the identity of who sends.
 *
 *   outer IPv4 20 | UDP 8 | Geneve 8 | Ethernet 14 | the pod's packet
 */
import type { DropReason } from '../../../shared/netstack/hooks.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import * as geneve from '../../../shared/wire/geneve.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import type { Packet } from '../../../shared/wire/packet-memory.ts';
import * as udp from '../../../shared/wire/udp.ts';
import * as vxlan from '../../../shared/wire/vxlan.ts';
import { forgetOuter, NodeTunnelDevice, type NodeTunnelOptions } from '../node-tunnel-device.ts';
import { NO_FDB_ENTRY } from '../tunnel-device.ts';
import { destinationOf } from './cilium-host-device.ts';
import { sourceOf } from './cilium-vxlan-device.ts';
import type { IpCache } from './ip-cache.ts';
import type { TunnelMap } from './tunnel-map.ts';

const GENEVE_MALFORMED: DropReason = Object.freeze({ code: 'geneve-malformed' });

export interface GeneveOptions extends NodeTunnelOptions {
  readonly macAddress: number;
  readonly map: TunnelMap;
  readonly ipCache: IpCache;
}

export class GeneveDevice extends NodeTunnelDevice {
  readonly kind = 'geneve';
  private readonly map: TunnelMap;
  private readonly ipCache: IpCache;

  constructor(options: GeneveOptions) {
    super(options, options.macAddress);
    this.map = options.map;
    this.ipCache = options.ipCache;
    options.host.udp.bind({ port: geneve.PORT }).onPacket = (packet) => this.decapsulate(packet);
  }

  transmitNow(frame: Packet): void {
    const { view } = this.host.memory;
    const known = this.map.lookup(destinationOf(view, frame));
    const nextHop = known === undefined ? undefined : this.routeTo(known.options.internalIp);
    if (known === undefined || nextHop === undefined) {
      this.refuse(frame, NO_FDB_ENTRY);
      return;
    }
    const { nodeName, internalIp } = known.options;
    this.depart(frame, nodeName);
    const source = sourceOf(view, frame);
    const destination = destinationOf(view, frame);
    frame.prepend(geneve.HEADER_BYTES);
    geneve.encode(view, frame.offset, { vni: this.ipCache.identityOf(source) });
    // The inner flow in the port, so that what spreads flows over paths spreads them (RFC 8926 section 3.3).
    const port = vxlan.sourcePort(Math.imul(source ^ (destination >>> 1), 0x9e37_79b1) >>> 8);
    this.sendDatagram(frame, nextHop, internalIp, port, geneve.PORT);
  }

  /** From the stack, at the UDP header, whose checksum is right. Takes ownership. */
  private decapsulate(packet: Packet): void {
    const { view } = this.host.memory;
    packet.strip(udp.HEADER_BYTES);
    const { offset, length } = packet;
    const inner = geneve.check(view, offset, length) ? offset + geneve.headerBytes(view, offset) : undefined;
    const isFrame = inner !== undefined && geneve.type(view, offset) === geneve.TYPE_ETHERNET;
    if (!isFrame || !ethernet.check(view, inner, offset + length - inner)) {
      this.lose(packet, GENEVE_MALFORMED);
      return;
    }
    const from = ipv4.source(view, packet.networkOffset);
    packet.strip(inner - offset);
    forgetOuter(packet);
    ethernet.setDestination(view, packet.offset, this.macAddress);
    this.arrive(packet, from);
  }
}
