/**
 * The node's end of the link to the other nodes: gathers what one turn sends to each peer, and hands what arrives to the
 * device of its VXLAN network identifier (RFC 7348).
 *
 *   flannel.1 --VNI 1--\                    /--> link.send(peer, batch)
 *   eth0      --VNI 0---> prepend header --+
 *
 * VNI 0 is the emulated physical network: plain frames between the nodes' eth0, so that ARP and everything else that is
 * not overlay happens there for real, and a capture of the real socket shows it.
 */
import type { NetDevice, QueueDiscipline } from '../../shared/netstack/device.ts';
import * as drop from '../../shared/netstack/drop-reasons.ts';
import type { Engine } from '../../shared/netstack/engine.ts';
import type { DropReason } from '../../shared/netstack/hooks.ts';
import { cutSuperSegment, SegmentCutter } from '../../shared/netstack/super-segment.ts';
import { clearArray } from '../../shared/wire/clear-array.ts';
import { completeChecksums } from '../../shared/wire/complete-checksums.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';
import type { DropLedger } from './drop-ledger.ts';
import type { LinkEndpoint, PeerId, UnderlayLink } from './link.ts';

/** Frames of the nodes' eth0, which are no overlay. */
export const PLAIN_VNI = 0;

export const UNKNOWN_VNI: DropReason = Object.freeze({ code: 'vxlan-unknown-vni' });
/** The link took it from a peer that was removed meanwhile. */
export const UNKNOWN_PEER: DropReason = Object.freeze({ code: 'unknown-peer' });
export const VXLAN_MALFORMED: DropReason = Object.freeze({ code: 'vxlan-malformed' });
const CARRIER_DOWN: DropReason = Object.freeze({ ...drop.DEVICE_DOWN, cause: 'eth0' });

/** Another node as the link knows it. */
export class Peer {
  readonly nodeName: string;
  readonly id: PeerId;
  readonly endpoint: LinkEndpoint;
  /** What this turn sends to it. */
  readonly batch: Packet[] = [];

  constructor(nodeName: string, id: PeerId, endpoint: LinkEndpoint) {
    this.nodeName = nodeName;
    this.id = id;
    this.endpoint = endpoint;
  }
}

/** Sees what crosses the emulated network of the nodes as VXLAN; null while nobody captures. */
export interface OverlayTap {
  /** `datagram` starts at the VXLAN header and is only lent. */
  datagram(peer: Peer, datagram: Packet, outbound: boolean): void;
}

/** A device whose frames the underlay carries. */
export interface TunnelEnd {
  readonly name: string;
  receiveFrom(peer: Peer, frame: Packet): void;
}

export class Underlay {
  tap: OverlayTap | null = null;
  /** The card that the overlay's datagrams pass; frames of VNI 0 are a card's own. */
  carrier: NetDevice | null = null;
  /**
   * What the overlay's datagrams pass with that card's own frames when they leave and when they arrive; null while nothing is
   * wrong there. What is in it has its peer's number and one for a mark, which nobody else reads there; own frames have 0.
   */
  egress: QueueDiscipline | null = null;
  ingress: QueueDiscipline | null = null;
  private readonly engine: Engine;
  private readonly memory: PacketMemory;
  private readonly link: UnderlayLink;
  private readonly drops: DropLedger;
  private readonly ends = new Map<number, TunnelEnd>();
  private otherEnd: TunnelEnd | undefined;
  private readonly peers = new Map<PeerId, Peer>();
  private readonly waiting: Peer[] = [];
  private readonly cutter: SegmentCutter;
  /** Of super-segments, when packet memory had no room for them. */
  lostSegments = 0;
  private readonly flush = () => this.flushBatches();

  constructor(engine: Engine, memory: PacketMemory, link: UnderlayLink, drops: DropLedger) {
    this.engine = engine;
    this.memory = memory;
    this.link = link;
    this.drops = drops;
    this.cutter = new SegmentCutter(memory);
    link.onReceive = (peer, datagrams) => this.receive(peer, datagrams);
  }

  addEnd(vni: number, end: TunnelEnd): void {
    this.ends.set(vni, end);
  }

  /** For network identifiers that are no other end's, which then say something else: who sends, in cilium's overlay. */
  addOtherEnd(end: TunnelEnd): void {
    this.otherEnd = end;
  }

  addPeer(nodeName: string, endpoint: LinkEndpoint): Peer {
    const peer = new Peer(nodeName, this.link.addPeer(endpoint), endpoint);
    this.peers.set(peer.id, peer);
    return peer;
  }

  removePeer(peer: Peer): void {
    this.peers.delete(peer.id);
    for (const datagram of peer.batch.splice(0)) this.memory.free(datagram);
    this.link.removePeer(peer.id);
  }

  /** Puts the VXLAN header before a frame and keeps it for the end of the turn; `lastByte` is the header's. Takes ownership. */
  send(peer: Peer, vni: number, frame: Packet, lastByte = 0): void {
    frame.connection = null;
    frame.mark = 0;
    if (vni !== PLAIN_VNI) {
      if (this.isCut) {
        this.drop(frame, CARRIER_DOWN);
        return;
      }
      if (this.egress !== null) {
        this.enqueueAt(this.egress, peer, vni, frame, lastByte);
        return;
      }
    }
    this.transmit(peer, vni, frame, lastByte);
  }

  /** What the card's queue lets go. Takes ownership. */
  sendQueued(datagram: Packet): void {
    const peer = this.takePeer(datagram);
    if (peer === undefined) return;
    const { view } = this.memory;
    const vni = vxlan.vni(view, datagram.offset);
    const lastByte = vxlan.lastByte(view, datagram.offset);
    datagram.strip(vxlan.HEADER_BYTES);
    this.transmit(peer, vni, datagram, lastByte);
  }

  /** The same of what arrived. */
  receiveQueued(datagram: Packet): void {
    const peer = this.takePeer(datagram);
    if (peer !== undefined) this.arrive(peer, vxlan.vni(this.memory.view, datagram.offset), datagram);
  }

  private transmit(peer: Peer, vni: number, frame: Packet, lastByte: number): void {
    if (frame.segmentBytes > 0 && this.link.takesSuperSegments?.(peer.id) !== true) {
      this.cut(frame, (segment) => this.enqueue(peer, vni, segment, lastByte));
      return;
    }
    // The link completes the segments that it cuts.
    if (frame.segmentBytes === 0) completeChecksums(this.memory, frame);
    this.enqueue(peer, vni, frame, lastByte);
  }

  /** Makes a frame for each segment of one that holds a super-segment. */
  cut(frame: Packet, transmit: (segment: Packet) => void): void {
    const network = frame.offset + ethernet.HEADER_BYTES;
    this.lostSegments += cutSuperSegment(this.cutter, this.memory, frame, network, transmit);
  }

  /** Hands a frame to a queue of the card, a segment at a time where that must meet each by itself. */
  private enqueueAt(queue: QueueDiscipline, peer: Peer, vni: number, frame: Packet, lastByte: number): void {
    if (frame.segmentBytes > 0 && !queue.takesSuperSegments) {
      this.cut(frame, (segment) => this.enqueueAt(queue, peer, vni, segment, lastByte));
      return;
    }
    if (frame.segmentBytes === 0) completeChecksums(this.memory, frame);
    frame.prepend(vxlan.HEADER_BYTES);
    vxlan.encode(this.memory.view, frame.offset, vni, lastByte);
    frame.mark = peer.id + 1;
    queue.enqueue(frame);
  }

  /** Whose a datagram in the card's queue is; undefined, and dropped, where that node is gone. */
  private takePeer(datagram: Packet): Peer | undefined {
    const peer = this.peers.get(datagram.mark - 1);
    datagram.mark = 0;
    if (peer === undefined) this.drop(datagram, UNKNOWN_PEER);
    return peer;
  }

  private enqueue(peer: Peer, vni: number, frame: Packet, lastByte: number): void {
    frame.prepend(vxlan.HEADER_BYTES);
    vxlan.encode(this.memory.view, frame.offset, vni, lastByte);
    if (vni !== PLAIN_VNI) this.tap?.datagram(peer, frame, true);
    if (peer.batch.length === 0) {
      if (this.waiting.length === 0) this.engine.onTurnEnd(this.flush);
      this.waiting.push(peer);
    }
    peer.batch.push(frame);
  }

  private flushBatches(): void {
    for (const peer of this.waiting) {
      if (peer.batch.length > 0) this.link.send(peer.id, peer.batch);
      clearArray(peer.batch);
    }
    clearArray(this.waiting);
  }

  private receive(id: PeerId, datagrams: readonly Packet[]): void {
    const peer = this.peers.get(id);
    for (const datagram of datagrams) {
      if (peer === undefined) this.drop(datagram, UNKNOWN_PEER);
      else this.receiveDatagram(peer, datagram);
    }
  }

  private receiveDatagram(peer: Peer, datagram: Packet): void {
    const { view } = this.memory;
    if (!vxlan.check(view, datagram.offset, datagram.length)) {
      this.drop(datagram, VXLAN_MALFORMED);
      return;
    }
    const vni = vxlan.vni(view, datagram.offset);
    if (vni === PLAIN_VNI || this.ingress === null) {
      this.arrive(peer, vni, datagram);
      return;
    }
    const lastByte = vxlan.lastByte(view, datagram.offset);
    datagram.strip(vxlan.HEADER_BYTES);
    this.enqueueAt(this.ingress, peer, vni, datagram, lastByte);
  }

  private arrive(peer: Peer, vni: number, datagram: Packet): void {
    const { view } = this.memory;
    const end = this.ends.get(vni) ?? this.otherEnd;
    if (end === undefined) {
      this.drop(datagram, UNKNOWN_VNI);
      return;
    }
    if (vni !== PLAIN_VNI) {
      if (this.isCut) {
        this.drop(datagram, CARRIER_DOWN);
        return;
      }
      this.tap?.datagram(peer, datagram, false);
    }
    datagram.strip(vxlan.HEADER_BYTES);
    if (!ethernet.check(view, datagram.offset, datagram.length)) {
      this.drop(datagram, drop.FRAME_MALFORMED);
      return;
    }
    end.receiveFrom(peer, datagram);
  }

  private get isCut(): boolean {
    return this.carrier?.up === false;
  }

  private drop(datagram: Packet, reason: DropReason): void {
    this.drops.dropped(datagram, reason, 'underlay');
    this.memory.free(datagram);
  }
}
