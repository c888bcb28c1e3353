/** What the two devices over the underlay share: counters, MTU, and the way to the peer that has a MAC. */
import type { QueueDiscipline } from '../../shared/netstack/device.ts';
import * as drop from '../../shared/netstack/drop-reasons.ts';
import type { DropReason } from '../../shared/netstack/hooks.ts';
import { WiredDevice } from '../../shared/netstack/wired-device.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import type { DropLedger } from './drop-ledger.ts';
import type { FrameObserver } from './frame-observer.ts';
import type { Peer, TunnelEnd, Underlay } from './underlay.ts';

/** No FDB entry leads to the destination MAC. */
export const NO_FDB_ENTRY: DropReason = Object.freeze({ code: 'no-fdb-entry' });

export interface TunnelOptions {
  readonly memory: PacketMemory;
  readonly underlay: Underlay;
  readonly drops: DropLedger;
  readonly name: string;
  readonly index: number;
  readonly macAddress: number;
  readonly mtuBytes: number;
}

export abstract class TunnelDevice extends WiredDevice implements TunnelEnd {
  abstract override readonly kind: 'vxlan' | 'ethernet';
  abstract readonly vni: number;
  observer: FrameObserver | null = null;
  /** As `qdisc`, for what arrives; its output is `receive`. */
  ingress: QueueDiscipline | null = null;
  protected readonly memory: PacketMemory;
  protected readonly underlay: Underlay;
  protected readonly drops: DropLedger;
  /** By MAC: which node has it. */
  private readonly fdb = new Map<number, Peer>();

  constructor(options: TunnelOptions) {
    super(options);
    this.memory = options.memory;
    this.underlay = options.underlay;
    this.drops = options.drops;
  }

  setFdbEntry(macAddress: number, peer: Peer): void {
    this.fdb.set(macAddress, peer);
  }

  removeFdbEntry(macAddress: number): void {
    this.fdb.delete(macAddress);
  }

  fdbEntries(): ReadonlyMap<number, Peer> {
    return this.fdb;
  }

  transmitNow(frame: Packet): void {
    const defect = this.defectOf(frame);
    if (defect !== null) {
      this.drop(frame, defect);
      return;
    }
    this.forward(frame);
  }

  /** To the node that the FDB has for the frame's destination. */
  protected forward(frame: Packet): void {
    const destination = ethernet.destination(this.memory.view, frame.offset);
    if (ethernet.isGroup(destination)) {
      this.transmitGroup(frame);
      return;
    }
    const peer = this.fdb.get(destination);
    if (peer === undefined) this.transmitUnknown(frame, destination);
    else this.sendTo(peer, frame);
  }

  receiveFrom(peer: Peer, frame: Packet): void {
    this.arrive(frame, peer.nodeName);
  }

  receive(frame: Packet): void {
    if (!this.up || this.upcall === null) {
      this.counters.rxDropped++;
      this.drops.dropped(frame, drop.DEVICE_DOWN, this.name);
      this.memory.free(frame);
      return;
    }
    this.counters.rxPackets++;
    this.counters.rxBytes += frame.length;
    this.tap?.frame(this, frame, false);
    this.upcall.input(this, frame);
  }

  protected arrive(frame: Packet, from: string): void {
    this.observer?.frame('received', this, frame, from);
    const { ingress } = this;
    if (ingress === null) this.receive(frame);
    else if (frame.segmentBytes === 0 || ingress.takesSuperSegments) ingress.enqueue(frame);
    else this.underlay.cut(frame, (segment) => this.ingress?.enqueue(segment));
  }

  /** Broadcast and multicast. */
  protected abstract transmitGroup(frame: Packet): void;

  /** To a MAC that is no other node's. */
  protected transmitUnknown(frame: Packet, _destination: number): void {
    this.drop(frame, NO_FDB_ENTRY);
  }

  /** Counts and shows a frame that leaves, whoever carries it on. */
  noteSent(frame: Packet, to: string): void {
    this.counters.txPackets++;
    this.counters.txBytes += frame.length;
    this.observer?.frame('sent', this, frame, to);
  }

  protected sendTo(peer: Peer, frame: Packet, vni = this.vni): void {
    this.noteSent(frame, peer.nodeName);
    this.tap?.frame(this, frame, true);
    this.underlay.send(peer, vni, frame);
  }

  protected drop(frame: Packet, reason: DropReason): void {
    this.counters.txDropped++;
    this.drops.dropped(frame, reason, this.name);
    this.memory.free(frame);
  }

  /** For one of several receivers; undefined, and counted, when there is no memory for it. */
  protected copyOf(frame: Packet): Packet | undefined {
    const copy = this.memory.clone(frame);
    if (copy === undefined) {
      this.counters.txDropped++;
      this.drops.dropped(frame, drop.NO_PACKET_MEMORY, this.name);
    }
    return copy;
  }

  protected peers(): Iterable<Peer> {
    return this.fdb.values();
  }

  private defectOf(frame: Packet): DropReason | null {
    if (!this.up) return drop.DEVICE_DOWN;
    if (frame.segmentBytes > 0) return null;
    return frame.length > this.mtuBytes + ethernet.HEADER_BYTES ? drop.FRAGMENTATION_NEEDED : null;
  }
}
