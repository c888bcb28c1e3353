/**
 * A Linux bridge (`cni0`): learns, forwards and floods frames between its ports and the host it stands in.
 *
 *   port -> learn -> to the bridge's own MAC?  -> the host's stack (routed)
 *                    known                     -> [IP: PREROUTING, FORWARD, POSTROUTING] -> port
 *                    group or unknown          -> all other ports, and the host for groups
 *
 * Bridged IP packets pass the hooks (br_netfilter), or the answer of a Service's backend to a client on the same node, which
 * never reaches the router, would not be translated back.
 */
import {
  type DeviceCounters,
  type FrameTap,
  type FrameUpcall,
  type NetDevice,
  zeroCounters,
} from '../../shared/netstack/device.ts';
import * as drop from '../../shared/netstack/drop-reasons.ts';
import type { Engine } from '../../shared/netstack/engine.ts';
import { transmitFragments } from '../../shared/netstack/fragment.ts';
import type { DropReason } from '../../shared/netstack/hooks.ts';
import type { Host } from '../../shared/netstack/host.ts';
import { prepareReceived } from '../../shared/netstack/received-packet.ts';
import { SUPER_SEGMENT_BYTES, segmentedLength } from '../../shared/netstack/super-segment.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ip from '../../shared/wire/ip.ts';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import { Fdb, type FdbEntry } from './fdb.ts';
import type { FrameObserver } from './frame-observer.ts';
import type { BridgePorts } from './rule-tables.ts';
import { transmitFrame } from './transmit-frame.ts';

/** Ports one bridge may have (Linux: 1024). */
export const MAX_BRIDGE_PORTS = 4096;

const HAIRPIN_OFF: DropReason = Object.freeze({ code: 'bridge-same-port' });

/** It takes its device's frames itself, so that none is looked for. */
export class BridgePort implements FrameUpcall {
  readonly bridge: BridgeDevice;
  readonly device: NetDevice;
  /** A frame may leave through the port it came from. */
  hairpin: boolean;
  /** Of the last frame that came in here. */
  source: FdbEntry | null = null;
  destination: FdbEntry | null = null;

  constructor(bridge: BridgeDevice, device: NetDevice, hairpin: boolean) {
    this.bridge = bridge;
    this.device = device;
    this.hairpin = hairpin;
  }

  input(_device: NetDevice, frame: Packet): void {
    this.bridge.input(this, frame);
  }
}

export interface BridgeOptions {
  readonly engine: Engine;
  readonly memory: PacketMemory;
  /** The namespace it stands in; its hooks see the bridged packets. */
  readonly host: Host;
  readonly name: string;
  readonly index: number;
  readonly macAddress: number;
  readonly mtuBytes: number;
  /** Told through which ports a packet in the hooks comes and goes. */
  readonly rulePorts: BridgePorts;
}

export class BridgeDevice implements NetDevice {
  readonly kind = 'bridge';
  readonly name: string;
  readonly index: number;
  readonly macAddress: number;
  readonly superSegmentBytes = SUPER_SEGMENT_BYTES;
  readonly counters: DeviceCounters = zeroCounters();
  readonly fdb = new Fdb();
  readonly ports = new Map<NetDevice, BridgePort>();
  /** net.bridge.bridge-nf-call-iptables */
  callIptables = true;
  mtuBytes: number;
  up = true;
  upcall: FrameUpcall | null = null;
  /** As that of a device in promiscuous mode: bridged frames are seen too. */
  tap: FrameTap | null = null;
  observer: FrameObserver | null = null;
  private readonly engine: Engine;
  private readonly memory: PacketMemory;
  private readonly host: Host;
  private readonly rulePorts: BridgePorts;

  constructor(options: BridgeOptions) {
    this.engine = options.engine;
    this.memory = options.memory;
    this.host = options.host;
    this.rulePorts = options.rulePorts;
    this.name = options.name;
    this.index = options.index;
    this.macAddress = options.macAddress;
    this.mtuBytes = options.mtuBytes;
  }

  addPort(device: NetDevice, hairpin: boolean): BridgePort {
    if (this.ports.size >= MAX_BRIDGE_PORTS) throw new Error(`${this.name} has ${MAX_BRIDGE_PORTS} ports, no more fit`);
    const port = new BridgePort(this, device, hairpin);
    this.ports.set(device, port);
    this.fdb.add(device.macAddress, port, this.engine.nowUs);
    device.upcall = port;
    return port;
  }

  removePort(device: NetDevice): void {
    const port = this.ports.get(device);
    if (port === undefined) return;
    this.ports.delete(device);
    this.fdb.removePort(port);
    // A device that is no pod's cable has the host's stack behind it again.
    if (device.upcall === port) device.upcall = this.host.interfaces.has(device) ? this.host : null;
  }

  /** What was learned behind a port that went down. */
  forgetLearned(device: NetDevice): void {
    const port = this.ports.get(device);
    if (port !== undefined) this.fdb.forgetLearned(port);
  }

  /** A frame from a port. Takes ownership. */
  input(port: BridgePort, frame: Packet): void {
    const { view } = this.memory;
    const { device } = port;
    if (!this.up || !ethernet.check(view, frame.offset, frame.length)) {
      this.host.drop(frame, this.up ? drop.FRAME_MALFORMED : drop.DEVICE_DOWN, this.up ? device.name : this.name);
      return;
    }
    // The frame comes from another namespace: nothing this node's hooks noted can be on it.
    frame.connection = null;
    frame.mark = 0;
    const source = ethernet.source(view, frame.offset);
    const destination = ethernet.destination(view, frame.offset);
    this.observer?.frame('received', device, frame);
    this.tap?.frame(this, frame, false);
    if (!ethernet.isGroup(source)) port.source = this.fdb.learn(source, port, this.engine.nowUs, port.source);
    if (destination === this.macAddress || destination === device.macAddress) {
      this.passUp(frame, device);
      return;
    }
    if (ethernet.isGroup(destination)) {
      this.flood(frame, port, true);
      return;
    }
    const entry = this.fdb.lookup(destination, this.engine.nowUs, port.destination);
    if (entry === undefined) this.flood(frame, port, false);
    else {
      port.destination = entry;
      this.forward(frame, port, entry.port!);
    }
  }

  /** A frame from the host's own stack. Takes ownership. */
  transmit(frame: Packet): void {
    const tooLong = frame.segmentBytes === 0 && frame.length > this.mtuBytes + ethernet.HEADER_BYTES;
    if (!this.up || tooLong) {
      this.counters.txDropped++;
      this.host.drop(frame, this.up ? drop.FRAGMENTATION_NEEDED : drop.DEVICE_DOWN, this.name);
      return;
    }
    this.counters.txPackets++;
    this.counters.txBytes += frame.length;
    this.tap?.frame(this, frame, true);
    const destination = ethernet.destination(this.memory.view, frame.offset);
    const entry = ethernet.isGroup(destination) ? undefined : this.fdb.lookup(destination, this.engine.nowUs);
    if (entry === undefined) this.flood(frame, null, false);
    else this.send(frame, entry.port!.device);
  }

  /** Frames are handed over by `input`; as a device it has no wire of its own. */
  receive(frame: Packet): void {
    this.passUp(frame, null);
  }

  private passUp(frame: Packet, from: NetDevice | null): void {
    if (this.upcall === null) {
      this.counters.rxDropped++;
      this.memory.free(frame);
      return;
    }
    this.counters.rxPackets++;
    this.counters.rxBytes += frame.length;
    this.rulePorts.physIn = from;
    this.upcall.input(this, frame);
    this.rulePorts.physIn = null;
  }

  /** `from` is null for a frame of the host's. Every copy but the last is a clone; a full memory costs copies, not the frame. */
  private flood(frame: Packet, from: BridgePort | null, toHost: boolean): void {
    for (const port of this.ports.values()) {
      if (port === from && !port.hairpin) continue;
      const copy = this.memory.clone(frame);
      if (copy === undefined) {
        this.host.countDrop(drop.NO_PACKET_MEMORY);
        break;
      }
      if (from === null) this.send(copy, port.device);
      else this.forward(copy, from, port);
    }
    if (toHost) this.passUp(frame, from?.device ?? null);
    else this.memory.free(frame);
  }

  private forward(frame: Packet, from: BridgePort, to: BridgePort): void {
    if (from === to && !from.hairpin) {
      this.host.drop(frame, HAIRPIN_OFF, this.name);
      return;
    }
    const type = ethernet.type(this.memory.view, frame.offset);
    const isIp = type === ethernet.TYPE_IPV4 || (type === ethernet.TYPE_IPV6 && this.host.ipv6);
    if (!isIp || !this.callIptables || this.host.hooks === null) this.send(frame, to.device);
    else this.forwardIp(frame, from.device, to.device);
  }

  private forwardIp(frame: Packet, from: NetDevice, to: NetDevice): void {
    const { view } = this.memory;
    const destinationMac = ethernet.destination(view, frame.offset);
    const sourceMac = ethernet.source(view, frame.offset);
    const packet = this.toIp(frame);
    if (packet === null) return;
    this.rulePorts.physIn = from;
    const before = ip.destination(view, packet.offset);
    const through = this.passHooks(packet, to);
    this.rulePorts.physIn = null;
    this.rulePorts.physOut = null;
    if (!through) return;
    // A destination that PREROUTING changed is the router's business; it finds the packet already tracked.
    if (ip.destination(view, packet.offset) !== before) {
      this.prependHeader(packet, this.macAddress, sourceMac);
      this.passUp(packet, from);
      return;
    }
    if (segmentedLength(view, packet) > to.mtuBytes) {
      transmitFragments(this.host, packet, to.mtuBytes, (fragment) => {
        this.prependHeader(fragment, destinationMac, sourceMac);
        this.send(fragment, to);
      });
      return;
    }
    this.prependHeader(packet, destinationMac, sourceMac);
    this.send(packet, to);
  }

  /** Strips the Ethernet header and checks the IP header; fragments wait for each other. null when the frame is gone. */
  private toIp(frame: Packet): Packet | null {
    const { view } = this.memory;
    frame.strip(ethernet.HEADER_BYTES);
    const defect = prepareReceived(view, frame);
    if (defect !== null) {
      this.host.drop(frame, defect, this.name);
      return null;
    }
    return ip.isFragment(view, frame.offset) ? this.host.reassembly.add(frame) : frame;
  }

  /** False when a hook refused the packet. After a change of destination the later hooks are the router's. */
  private passHooks(packet: Packet, to: NetDevice): boolean {
    const hooks = this.host.hooks!;
    const { view } = this.memory;
    const before = ip.destination(view, packet.offset);
    let verdict = hooks.prerouting(packet, this);
    let stage = 'prerouting';
    if (verdict === null && ip.destination(view, packet.offset) === before) {
      this.rulePorts.physOut = to;
      verdict = hooks.forward(packet, this, this);
      stage = 'forward';
      if (verdict === null) {
        verdict = hooks.postrouting(packet, this);
        stage = 'postrouting';
      }
    }
    if (verdict === null) return true;
    this.host.refuse(packet, verdict, stage);
    return false;
  }

  private prependHeader(packet: Packet, destination: number, source: number): void {
    const { view } = this.memory;
    const type = ip.etherType(view, packet.offset);
    packet.prepend(ethernet.HEADER_BYTES);
    ethernet.encode(view, packet.offset, destination, source, type);
  }

  private send(frame: Packet, to: NetDevice): void {
    this.observer?.frame('sent', to, frame);
    transmitFrame(this.host, frame, to);
  }
}
