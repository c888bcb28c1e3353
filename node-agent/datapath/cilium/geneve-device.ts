/**
 * `cilium_geneve`: frames for pods of other nodes within Geneve (RFC 8926) over the nodes' own network, UDP port 6081. The outer
 * packets are the node's: they pass OUTPUT and are routed to eth0. The network identifier is the identity of who sends.
 *
 *   outer IPv4 20 | UDP 8 | Geneve 8 | Ethernet 14 | the pod's packet
 */
import {
  type DeviceCounters,
  type FrameTap,
  type FrameUpcall,
  type NetDevice,
  zeroCounters,
} from '../../../shared/netstack/device.ts';
import type { DropReason } from '../../../shared/netstack/hooks.ts';
import type { Host } from '../../../shared/netstack/host.ts';
import { sendIp } from '../../../shared/netstack/ip-output.ts';
import { completeChecksums } from '../../../shared/wire/complete-checksums.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import * as geneve from '../../../shared/wire/geneve.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import type { Packet } from '../../../shared/wire/packet-memory.ts';
import * as udp from '../../../shared/wire/udp.ts';
import * as vxlan from '../../../shared/wire/vxlan.ts';
import type { FrameObserver } from '../frame-observer.ts';
import { forgetOuter, receiveInner } from '../leave-tunnel.ts';
import { NO_FDB_ENTRY } from '../tunnel-device.ts';
import { destinationOf } from './cilium-host-device.ts';
import { sourceOf } from './cilium-vxlan-device.ts';
import type { IpCache } from './ip-cache.ts';
import type { TunnelMap } from './tunnel-map.ts';

const GENEVE_MALFORMED: DropReason = Object.freeze({ code: 'geneve-malformed' });

export interface GeneveOptions {
  readonly host: Host;
  readonly name: string;
  readonly index: number;
  readonly macAddress: number;
  readonly mtuBytes: number;
  /** Of the outer packets. */
  readonly local: number;
  readonly map: TunnelMap;
  readonly ipCache: IpCache;
}

export class GeneveDevice implements NetDevice {
  readonly kind = 'geneve';
  readonly name: string;
  readonly index: number;
  readonly macAddress: number;
  readonly superSegmentBytes = 0;
  readonly counters: DeviceCounters = zeroCounters();
  mtuBytes: number;
  up = true;
  upcall: FrameUpcall | null = null;
  tap: FrameTap | null = null;
  observer: FrameObserver | null = null;
  private readonly options: GeneveOptions;

  constructor(options: GeneveOptions) {
    this.options = options;
    this.name = options.name;
    this.index = options.index;
    this.macAddress = options.macAddress;
    this.mtuBytes = options.mtuBytes;
    options.host.udp.bind({ port: geneve.PORT }).onPacket = (packet) => this.decapsulate(packet);
  }

  transmit(frame: Packet): void {
    const { host, map, ipCache, local } = this.options;
    const { view } = host.memory;
    const known = map.lookup(destinationOf(view, frame));
    const route = known === undefined ? undefined : host.route(known.options.internalIp);
    if (known === undefined || route === undefined || route.device === null || route.device === this) {
      this.counters.txDropped++;
      host.drop(frame, NO_FDB_ENTRY, this.name);
      return;
    }
    this.counters.txPackets++;
    this.counters.txBytes += frame.length;
    this.observer?.frame('sent', this, frame, known.options.nodeName);
    this.tap?.frame(this, frame, true);
    completeChecksums(host.memory, frame);
    const source = sourceOf(view, frame);
    const destination = destinationOf(view, frame);
    frame.prepend(geneve.HEADER_BYTES);
    geneve.encode(view, frame.offset, { vni: ipCache.identityOf(source) });
    frame.prepend(udp.HEADER_BYTES);
    // The inner flow in the port, so that what spreads flows over paths spreads them (RFC 8926 section 3.3).
    const port = vxlan.sourcePort(Math.imul(source ^ (destination >>> 1), 0x9e37_79b1) >>> 8);
    udp.encode(view, frame.offset, port, geneve.PORT, frame.length);
    frame.connection = null;
    sendIp(host, frame, route.nextHop, ipv4.PROTOCOL_UDP, local, known.options.internalIp, 64, 0, true);
  }

  /** From the stack, at the UDP header, whose checksum is right. Takes ownership. */
  private decapsulate(packet: Packet): void {
    const { host } = this.options;
    const { view } = host.memory;
    packet.strip(udp.HEADER_BYTES);
    const { offset, length } = packet;
    const inner = geneve.check(view, offset, length) ? offset + geneve.headerBytes(view, offset) : undefined;
    const isFrame = inner !== undefined && geneve.type(view, offset) === geneve.TYPE_ETHERNET;
    if (!isFrame || !ethernet.check(view, inner, offset + length - inner)) {
      host.drop(packet, GENEVE_MALFORMED, this.name);
      return;
    }
    const from = ipv4.source(view, packet.networkOffset);
    packet.strip(inner - offset);
    forgetOuter(packet);
    ethernet.setDestination(view, packet.offset, this.macAddress);
    this.receive(packet, from);
  }

  receive(frame: Packet, from?: number): void {
    receiveInner(this.options.host, this, frame, frame.length, from);
  }
}
