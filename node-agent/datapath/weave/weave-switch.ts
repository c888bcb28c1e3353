/**
 * weave's switch, between a node's bridge and the other nodes: it learns behind which peer a MAC is, and takes frames there, over
 * the connections that work.
 *
 *   vethwe-datapath -> MAC -> peer -> next peer on the way -> fastdp (vxlan-6784) | sleeve (UDP 6783)
 *   fastdp | sleeve -> for this peer: the bridge, and for a broadcast the peers behind this one; for another: on to the next peer
 */
import type { DropReason } from '../../../shared/netstack/hooks.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import type { Packet, PacketMemory } from '../../../shared/wire/packet-memory.ts';
import * as sleeve from '../../../shared/wire/sleeve.ts';
import type { DropLedger } from '../drop-ledger.ts';
import { Fdb } from '../fdb.ts';
import type { Underlay } from '../underlay.ts';
import { destinationOf, hopsOf, OWN_INDEX, type PeerIndex, SPECIAL_HOPS, sourceOf, tunnelKey } from './peer-index.ts';
import type { Sleeve } from './sleeve.ts';
import { NO_ROUTE_TO_PEER, TOO_MANY_HOPS, UNKNOWN_WEAVE_PEER } from './weave-drops.ts';
import type { WeaveOverlay } from './weave-overlay.ts';
import type { WeavePeer } from './weave-peer.ts';

/** In the place of a peer: this one. */
export const HERE = 'here';

/** Who leads where, as this peer sees the topology; all by name. */
export interface WeaveRoutes {
  /** The next peer on the way to each that can be reached. */
  readonly unicast: ReadonlyMap<number, number>;
  /** The peers that have a broadcast of `source` from this one. */
  broadcastOf(source: number): readonly number[];
}

export interface WeaveSwitchOptions {
  readonly memory: PacketMemory;
  readonly underlay: Underlay;
  readonly drops: DropLedger;
  readonly nowUs: () => number;
  /** This peer's. */
  readonly name: number;
  readonly peers: PeerIndex;
  /** A word of a peer's came over the fast datapath. */
  readonly special: (from: WeavePeer) => void;
}

export class WeaveSwitch {
  /** Behind which peer a MAC was seen. */
  readonly learned = new Fdb<WeavePeer | typeof HERE>();
  overlay!: WeaveOverlay;
  sleeve!: Sleeve;
  /** Takes a frame for this node's bridge. */
  toBridge: ((frame: Packet) => void) | null = null;
  private readonly options: WeaveSwitchOptions;
  private routes: WeaveRoutes = { unicast: new Map(), broadcastOf: () => [] };

  constructor(options: WeaveSwitchOptions) {
    this.options = options;
  }

  addPeer(peer: WeavePeer): void {
    if (this.options.peers.add(peer)) this.setRoutes(this.routes);
  }

  removePeer(peer: WeavePeer): void {
    this.options.peers.remove(peer);
    this.learned.removePort(peer);
    this.setRoutes(this.routes);
  }

  setRoutes(routes: WeaveRoutes): void {
    const { peers } = this.options;
    this.routes = routes;
    for (const peer of peers.all) peer.next = peers.named(routes.unicast.get(peer.name) ?? 0) ?? null;
  }

  /** A word to another peer, over the fast datapath, in a frame of `mtuBytes` and an Ethernet header. */
  probe(peer: WeavePeer, mtuBytes: number): void {
    const { memory, name } = this.options;
    const frame = memory.allocate(ethernet.HEADER_BYTES + mtuBytes);
    if (frame === undefined) return;
    memory.bytes.fill(0, frame.offset, frame.offset + frame.length);
    ethernet.encode(memory.view, frame.offset, peer.name, name, 0);
    frame.mark = tunnelKey(SPECIAL_HOPS, OWN_INDEX, peer.index);
    this.overlay.transmit(frame);
  }

  /** From this node. Takes ownership. */
  fromBridge(frame: Packet): void {
    const { memory, nowUs } = this.options;
    this.learned.learn(ethernet.source(memory.view, frame.offset), HERE, nowUs());
    const peer = this.learned.lookup(ethernet.destination(memory.view, frame.offset), nowUs())?.port ?? null;
    if (peer === null) this.broadcast(frame);
    // The bridge floods what it has forgotten; the one that is meant had it, too.
    else if (peer === HERE) memory.free(frame);
    else this.forward(null, peer, frame, 0);
  }

  /** Over the fast datapath; the tunnel key is its mark. Takes ownership. */
  fromFastdp(frame: Packet): void {
    const key = frame.mark >>> 0;
    const source = this.options.peers.numbered(sourceOf(key));
    frame.mark = 0;
    if (source === undefined) this.drop(frame, UNKNOWN_WEAVE_PEER);
    else if (hopsOf(key) === SPECIAL_HOPS) {
      this.options.memory.free(frame);
      this.options.special(source);
    } else if (destinationOf(key) === OWN_INDEX) this.arrive(source, frame, hopsOf(key));
    else this.relay(source, this.options.peers.numbered(destinationOf(key)), frame, hopsOf(key));
  }

  /** The same, over the sleeve. */
  fromSleeve({ source, destination, hops }: sleeve.FrameHeader, frame: Packet): void {
    const { peers } = this.options;
    const from = peers.named(source);
    if (from === undefined) this.drop(frame, UNKNOWN_WEAVE_PEER);
    else if (destination === this.options.name) this.arrive(from, frame, hops);
    else this.relay(from, peers.named(destination), frame, hops);
  }

  /** At its destination, from where a broadcast goes on to the peers behind this one. */
  private arrive(source: WeavePeer, frame: Packet, hops: number): void {
    const { memory, nowUs } = this.options;
    this.learned.learn(ethernet.source(memory.view, frame.offset), source, nowUs());
    const behind = this.routes.broadcastOf(source.name);
    if (behind.length > 0 && this.isForAll(frame)) this.copyTo(behind, source, frame, hops + 1);
    this.toBridge?.(frame);
  }

  private relay(source: WeavePeer, destination: WeavePeer | undefined, frame: Packet, hops: number): void {
    if (destination === undefined) this.drop(frame, UNKNOWN_WEAVE_PEER);
    else if (hops >= sleeve.MAX_HOPS) this.drop(frame, TOO_MANY_HOPS);
    else this.forward(source, destination, frame, hops + 1);
  }

  /** To a group, or to a MAC that no peer is known to have, this one included. */
  private isForAll(frame: Packet): boolean {
    const destination = ethernet.destination(this.options.memory.view, frame.offset);
    return ethernet.isGroup(destination) || this.learned.lookup(destination, this.options.nowUs()) === undefined;
  }

  private broadcast(frame: Packet): void {
    this.copyTo(this.routes.broadcastOf(this.options.name), null, frame, 0);
    this.options.memory.free(frame);
  }

  private copyTo(names: readonly number[], source: WeavePeer | null, frame: Packet, hops: number): void {
    const { memory, drops, peers } = this.options;
    if (hops > sleeve.MAX_HOPS) {
      drops.dropped(frame, TOO_MANY_HOPS, 'weave');
      return;
    }
    for (const name of names) {
      const peer = peers.named(name);
      const copy = peer === undefined ? undefined : memory.clone(frame);
      if (peer !== undefined && copy !== undefined) this.forward(source, peer, copy, hops);
    }
  }

  /** `source`: null for this peer. */
  private forward(source: WeavePeer | null, destination: WeavePeer, frame: Packet, hops: number): void {
    const { next } = destination;
    if (next === null || next.way === null) {
      this.drop(frame, NO_ROUTE_TO_PEER);
      return;
    }
    const isWhole = next.way === 'fastdp' && next.fastdp === null && this.overlay.superSegmentBytes > 0;
    if (frame.segmentBytes === 0 || isWhole) this.sendTo(next, source, destination, frame, hops);
    else {
      this.options.underlay.cut(frame, (segment) => this.sendTo(next, source, destination, segment, hops));
    }
  }

  private sendTo(next: WeavePeer, source: WeavePeer | null, destination: WeavePeer, frame: Packet, hops: number): void {
    if (next.way === 'sleeve') {
      this.sleeve.send(next, source?.name ?? this.options.name, destination.name, hops, frame);
      return;
    }
    frame.mark = tunnelKey(hops, source?.index ?? OWN_INDEX, destination.index);
    this.overlay.transmit(frame);
  }

  private drop(frame: Packet, reason: DropReason): void {
    this.options.drops.dropped(frame, reason, 'weave');
    this.options.memory.free(frame);
  }
}
