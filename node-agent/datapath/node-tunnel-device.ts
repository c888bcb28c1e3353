/**
 * What tunnels have in common whose outer packets are the node's own: those pass OUTPUT and are routed to eth0, and what comes in
 * them enters the node by the tunnel's device.
 *
 *   transmitNow: choose an end -> `routeTo` it -> `depart` -> encapsulate -> `sendDatagram`, or as the tunnel does
 *   from the stack: decapsulate -> `forgetOuter`, `frameInner` -> `arrive`
 */
import type { QueueDiscipline } from '../../shared/netstack/device.ts';
import * as drop from '../../shared/netstack/drop-reasons.ts';
import type { DropReason } from '../../shared/netstack/hooks.ts';
import type { Host } from '../../shared/netstack/host.ts';
import { DEFAULT_TTL, routeError, sendIp } from '../../shared/netstack/ip-output.ts';
import type { NextHop } from '../../shared/netstack/next-hop.ts';
import { WiredDevice } from '../../shared/netstack/wired-device.ts';
import { completeChecksums } from '../../shared/wire/complete-checksums.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import * as udp from '../../shared/wire/udp.ts';
import type { FrameObserver } from './frame-observer.ts';

export interface NodeTunnelOptions {
  readonly host: Host;
  readonly name: string;
  readonly index: number;
  readonly mtuBytes: number;
  /** Source of the outer packets. */
  readonly local: number;
}

export abstract class NodeTunnelDevice extends WiredDevice {
  readonly local: number;
  observer: FrameObserver | null = null;
  /** As `qdisc`, for what arrives; its output is `receive`. */
  ingress: QueueDiscipline | null = null;
  protected readonly host: Host;
  /** Of each frame, that the counters leave out: a device without link addresses counts packets. */
  private readonly uncountedBytes: number;

  /** A MAC address of 0: it has none, and carries packets instead of frames. */
  constructor(options: NodeTunnelOptions, macAddress = 0) {
    super({ ...options, macAddress });
    this.host = options.host;
    this.local = options.local;
    this.uncountedBytes = macAddress === 0 ? ethernet.HEADER_BYTES : 0;
  }

  override get superSegmentBytes(): number {
    return 0;
  }

  /** `peer`: the node's address at the other end. */
  protected arrive(frame: Packet, peer: number): void {
    this.observer?.frame('received', this, frame, peer);
    if (this.ingress === null) this.receive(frame);
    else this.ingress.enqueue(frame);
  }

  receive(frame: Packet): void {
    const { counters } = this;
    if (!this.up || this.upcall === null) {
      this.lose(frame, drop.DEVICE_DOWN);
      return;
    }
    counters.rxPackets++;
    counters.rxBytes += frame.length - this.uncountedBytes;
    this.tap?.frame(this, frame, false);
    this.upcall.input(this, frame);
  }

  /** The way to a tunnel's end; undefined where there is none, or it leads into the tunnel itself. */
  protected routeTo(end: number): NextHop | undefined {
    const route = this.host.route(end);
    if (route === undefined || routeError(route) !== null || route.device === null || route.device === this)
      return undefined;
    return route.nextHop;
  }

  /** The frame is on its way; `peer` is the node at the other end, by address or name. */
  protected depart(frame: Packet, peer: number | string): void {
    this.counters.txPackets++;
    this.counters.txBytes += frame.length - this.uncountedBytes;
    this.observer?.frame('sent', this, frame, peer);
    this.tap?.frame(this, frame, true);
    completeChecksums(this.host.memory, frame);
  }

  /** What the tunnel made of a packet, in a UDP datagram to another node. */
  protected sendDatagram(payload: Packet, nextHop: NextHop, to: number, sourcePort: number, port: number): void {
    payload.prepend(udp.HEADER_BYTES);
    udp.encode(this.host.memory.view, payload.offset, sourcePort, port, payload.length);
    forgetInner(payload);
    sendIp(this.host, payload, nextHop, ipv4.PROTOCOL_UDP, this.local, to, DEFAULT_TTL, 0, true);
  }

  protected refuse(frame: Packet, reason: DropReason): void {
    this.counters.txDropped++;
    this.host.drop(frame, reason, this.name);
  }

  protected lose(packet: Packet, reason: DropReason): void {
    this.counters.rxDropped++;
    this.host.drop(packet, reason, this.name);
  }

  /** An IP packet gets the empty header that frames of a device without link addresses have. */
  protected frameInner(packet: Packet, etherType: number): void {
    forgetOuter(packet);
    packet.prepend(ethernet.HEADER_BYTES);
    ethernet.encode(this.host.memory.view, packet.offset, 0, 0, etherType);
  }
}

/** What the node knew of the inner packet is not true of the outer one. */
export function forgetInner(packet: Packet): void {
  packet.connection = null;
  packet.mark = 0;
  packet.segmentBytes = 0;
}

/** What the node knew of the outer packet is not true of the inner one. */
export function forgetOuter(packet: Packet): void {
  packet.connection = null;
  packet.mark = 0;
  packet.checksumTrusted = false;
}
