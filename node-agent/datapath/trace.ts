/**
 * A packet's journey through one node, hop by hop. A trace names addresses, ports or a protocol; every packet that fits
 * leaves a line at each device and stage, and so does everything of the connections such packets belong to, however NAT
 * rewrites it. While no trace runs, the stages have no observer and pay for a null check.
 */
import type { NetDevice } from '../../shared/netstack/device.ts';
import type { DropObserver, DropReason } from '../../shared/netstack/hooks.ts';
import type { BuiltInChain } from '../../shared/rules/table.ts';
import * as arp from '../../shared/wire/arp.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ip from '../../shared/wire/ip.ts';
import { formatAddress, formatEndpoint } from '../../shared/wire/ip-address.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import * as tcp from '../../shared/wire/tcp.ts';
import { type Conntrack, flowOf } from './conntrack.ts';
import type { FrameObserver } from './frame-observer.ts';
import type { NatSide } from './nat.ts';
import type { StageObserver } from './netfilter.ts';
import { packetSummary } from './packet-summary.ts';
import { isIcmp } from './tuple.ts';

export interface TraceFilter {
  /** Either address of the packet is one of these; none named fits every packet. */
  readonly addresses?: readonly number[];
  /** Either port. */
  readonly ports?: readonly number[];
  /** IANA number. */
  readonly protocol?: number;
}

export interface TraceHop {
  /** Of the data path's trace clock: monotonic, comparable between the processes of one machine. */
  readonly timeUs: number;
  readonly node: string;
  /** `veth1a2b3c4d`, `cni0`, `PREROUTING`, `nat PREROUTING`, `flannel.1`. */
  readonly stage: string;
  /** What happened: `received`, `DNAT 10.96.12.3:80 -> 10.244.2.5:8080`, `encapsulated for worker-2`. */
  readonly event: string;
  /** The packet as it is now. */
  readonly packet: string;
}

/** Hops one trace keeps; the oldest go first. */
export const MAX_HOPS = 4096;
/** Traces that run at once: one bit each on a connection. */
export const MAX_TRACES = 16;

export class Trace {
  readonly filter: TraceFilter;
  readonly bit: number;
  /** Called with every hop as it happens. */
  onHop: ((hop: TraceHop) => void) | null = null;
  private readonly ring: TraceHop[] = [];
  private readonly release: (trace: Trace) => void;

  constructor(filter: TraceFilter, bit: number, release: (trace: Trace) => void) {
    this.filter = filter;
    this.bit = bit;
    this.release = release;
  }

  /** Oldest first. */
  get hops(): readonly TraceHop[] {
    return this.ring;
  }

  stop(): void {
    this.release(this);
  }

  record(hop: TraceHop): void {
    if (this.ring.length >= MAX_HOPS) this.ring.shift();
    this.ring.push(hop);
    this.onHop?.(hop);
  }
}

export interface TracerOptions {
  readonly nodeName: string;
  readonly view: DataView;
  readonly conntrack: Conntrack;
  readonly clockUs: () => number;
  /** `via 10.244.2.0 dev flannel.1`: how the node would send to an address now. */
  readonly describeRoute: (destination: number) => string;
  /** The node that has this address; the address as text where none has. */
  readonly nodeNameOf: (address: number) => string;
  /** Puts the tracer into the stages, or takes it out of them. */
  readonly attach: (tracer: Tracer | null) => void;
}

export class Tracer implements FrameObserver, StageObserver, DropObserver {
  private readonly options: TracerOptions;
  private traces: Trace[] = [];

  constructor(options: TracerOptions) {
    this.options = options;
  }

  /** Throws when MAX_TRACES run already. */
  start(filter: TraceFilter): Trace {
    const used = this.traces.reduce((bits, trace) => bits | trace.bit, 0);
    for (let i = 0; i < MAX_TRACES; i++) {
      const bit = 1 << i;
      if (used & bit) continue;
      const trace = new Trace(filter, bit, (stopped) => this.stop(stopped));
      if (this.traces.length === 0) this.options.attach(this);
      this.traces.push(trace);
      return trace;
    }
    throw new Error(`${this.options.nodeName} runs ${MAX_TRACES} traces already: stop one first`);
  }

  frame(direction: 'received' | 'sent', device: NetDevice, frame: Packet, peer?: string | number): void {
    const { view, nodeNameOf } = this.options;
    if (!ethernet.check(view, frame.offset, frame.length)) return;
    const at = frame.offset + ethernet.HEADER_BYTES;
    const length = frame.length - ethernet.HEADER_BYTES;
    const name = typeof peer === 'number' ? nodeNameOf(peer) : peer;
    const event = name === undefined ? direction : tunnelEvent(direction, device, name);
    switch (ethernet.type(view, frame.offset)) {
      case ethernet.TYPE_IPV4:
      case ethernet.TYPE_IPV6:
        if (ip.check(view, at, length)) this.note(frame, at, at + ip.headerBytes(view, at), device.name, event);
        return;
      case ethernet.TYPE_ARP:
        if (arp.check(view, at, length)) this.noteArp(at, device.name, event);
    }
  }

  passed(stage: BuiltInChain, packet: Packet, inDevice: NetDevice | null, outDevice: NetDevice | null): void {
    const where = [inDevice && `in ${inDevice.name}`, outDevice && `out ${outDevice.name}`].filter(Boolean).join(' ');
    let event = where === '' ? 'local' : where;
    if (stage === 'FORWARD' && inDevice !== outDevice) {
      event += `, routed ${this.options.describeRoute(ip.destination(this.options.view, packet.networkOffset))}`;
    }
    this.note(packet, packet.networkOffset, packet.transportOffset, stage, event);
  }

  translated(stage: BuiltInChain, packet: Packet, side: NatSide, address: number, port: number): void {
    const { view } = this.options;
    const at = packet.networkOffset;
    const flow = flowOf(packet);
    const now = side === 'source' ? ip.source(view, at) : ip.destination(view, at);
    const hasPorts = !isIcmp(ip.protocol(view, at));
    const nowPort = view.getUint16(packet.transportOffset + (side === 'source' ? 0 : 2));
    const text = (a: number, p: number) => (hasPorts ? formatEndpoint(a, p) : formatAddress(a));
    const kind = side === 'source' ? 'SNAT' : 'DNAT';
    const name = flow?.isReply ? `un-${side === 'source' ? 'DNAT' : 'SNAT'}` : kind;
    const event = `${name} ${text(address, port)} -> ${text(now, nowPort)}`;
    this.note(packet, at, packet.transportOffset, `nat ${stage}`, event);
  }

  /** A rule that the packet matched. */
  matched(packet: Packet, table: string, chain: string, rule: string): void {
    this.note(packet, packet.networkOffset, packet.transportOffset, `${table} ${chain}`, rule);
  }

  dropped(packet: Packet, reason: DropReason, where: string): void {
    const cause = reason.cause === undefined ? '' : ` by ${reason.cause}`;
    this.noteAnywhere(packet, where, `dropped: ${reason.code}${cause}`);
  }

  /** A faulty link did something to the packet. */
  impaired(packet: Packet, where: string, what: string): void {
    this.noteAnywhere(packet, where, what);
  }

  private noteAnywhere(packet: Packet, where: string, event: string): void {
    const { view } = this.options;
    // Wherever the packet is, its IP header is where it stands, where the network layer noted it, or behind Ethernet's.
    const at = [packet.offset, packet.networkOffset, packet.offset + ethernet.HEADER_BYTES].find(
      (offset) => offset >= packet.slotStart && ip.check(view, offset, packet.slotEnd - offset),
    );
    if (at === undefined) return;
    this.note(packet, at, at + ip.headerBytes(view, at), where, event);
  }

  private stop(stopped: Trace): void {
    const running = this.traces.filter((trace) => trace !== stopped);
    if (running.length === this.traces.length) return;
    this.traces = running;
    for (const connection of this.options.conntrack.table.connections()) connection.traceBits &= ~stopped.bit;
    if (running.length === 0) this.options.attach(null);
  }

  private note(packet: Packet, network: number, transport: number, stage: string, event: string): void {
    if (transport + tcp.HEADER_BYTES > packet.slotEnd) return;
    const flow = flowOf(packet) ?? this.options.conntrack.peek(this.options.view, network, transport);
    for (const trace of this.traces) {
      const followed = flow !== null && (flow.connection.traceBits & trace.bit) !== 0;
      if (!followed && !this.fits(trace.filter, network, transport)) continue;
      if (flow !== null) flow.connection.traceBits |= trace.bit;
      trace.record(this.hop(stage, event, packetSummary(this.options.view, network, transport)));
    }
  }

  private noteArp(at: number, stage: string, event: string): void {
    const { view } = this.options;
    const sender = arp.senderIp(view, at);
    const target = arp.targetIp(view, at);
    const asks = arp.operation(view, at) === arp.REQUEST;
    const summary = asks
      ? `ARP who has ${formatAddress(target)}, says ${formatAddress(sender)}`
      : `ARP ${formatAddress(sender)} is at its MAC, to ${formatAddress(target)}`;
    for (const trace of this.traces) {
      const { addresses } = trace.filter;
      if (addresses?.includes(sender) || addresses?.includes(target)) trace.record(this.hop(stage, event, summary));
    }
  }

  private hop(stage: string, event: string, packet: string): TraceHop {
    return { timeUs: this.options.clockUs(), node: this.options.nodeName, stage, event, packet };
  }

  private fits(filter: TraceFilter, network: number, transport: number): boolean {
    const { view } = this.options;
    const protocol = ip.protocol(view, network);
    if (filter.protocol !== undefined && protocol !== filter.protocol) return false;
    const { addresses, ports } = filter;
    if (addresses !== undefined && addresses.length > 0) {
      if (!addresses.includes(ip.source(view, network)) && !addresses.includes(ip.destination(view, network))) {
        return false;
      }
    }
    if (ports === undefined || ports.length === 0) return true;
    if (protocol !== ipv4.PROTOCOL_TCP && protocol !== ipv4.PROTOCOL_UDP) return false;
    return ports.includes(view.getUint16(transport)) || ports.includes(view.getUint16(transport + 2));
  }
}

/** Devices that put packets into others. */
const ENCAPSULATING: ReadonlySet<string> = new Set(['vxlan', 'geneve', 'ipip', 'tun', 'wireguard']);

function tunnelEvent(direction: 'received' | 'sent', device: NetDevice, peer: string): string {
  if (!ENCAPSULATING.has(device.kind)) return direction === 'sent' ? `sent to ${peer}` : `received from ${peer}`;
  return direction === 'sent' ? `encapsulated for ${peer}` : `decapsulated from ${peer}`;
}
