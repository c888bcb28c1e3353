/**
 * The peers that a node knows, by all that they are found by. On the wire a peer is its short identifier, which two may have in common;
 * within the node it is a number of its own, so that such two are confused at most where a third passes on their frames.
 */
import type { Peer } from '../underlay.ts';
import { SHORT_IDS, type WeavePeer } from './weave-peer.ts';

/** This node's own number. */
export const OWN_INDEX = 0;
/** In the place of hops: no frame of a pod's, but one peer's word to the other. */
export const SPECIAL_HOPS = 0xff;

const VNI_BITS = 24;
const VNI_MASK = 0xff_ffff;

/** As an unsigned number of 32 bits: hops, and the numbers of source and destination. */
export function tunnelKey(hops: number, source: number, destination: number): number {
  return ((hops << VNI_BITS) | (source * SHORT_IDS + destination)) >>> 0;
}

export const hopsOf = (key: number): number => key >>> VNI_BITS;
export const sourceOf = (key: number): number => (key & VNI_MASK) >>> 12;
export const destinationOf = (key: number): number => key % SHORT_IDS;

export class PeerIndex {
  private readonly ownShortId: number;
  private readonly byName = new Map<number, WeavePeer>();
  private readonly byUnderlay = new Map<Peer, WeavePeer>();
  private readonly byShortId = new Map<number, WeavePeer>();
  private readonly byIndex: (WeavePeer | undefined)[] = [undefined];

  /** `ownName`: a MAC address. */
  constructor(ownName: number) {
    this.ownShortId = ownName % SHORT_IDS;
  }

  get all(): Iterable<WeavePeer> {
    return this.byName.values();
  }

  /** As many as there are numbers. */
  add(peer: WeavePeer): boolean {
    const free = this.byIndex.indexOf(undefined, OWN_INDEX + 1);
    peer.index = free < 0 ? this.byIndex.length : free;
    if (peer.index >= SHORT_IDS) return false;
    this.byIndex[peer.index] = peer;
    this.byName.set(peer.name, peer);
    this.byUnderlay.set(peer.underlay, peer);
    this.byShortId.set(peer.shortId, peer);
    return true;
  }

  remove(peer: WeavePeer): void {
    this.byIndex[peer.index] = undefined;
    this.byName.delete(peer.name);
    this.byUnderlay.delete(peer.underlay);
    if (this.byShortId.get(peer.shortId) === peer) this.byShortId.delete(peer.shortId);
  }

  named(name: number): WeavePeer | undefined {
    return this.byName.get(name);
  }

  behind(underlay: Peer): WeavePeer | undefined {
    return this.byUnderlay.get(underlay);
  }

  numbered(index: number): WeavePeer | undefined {
    return this.byIndex[index];
  }

  /** VXLAN's network identifier of a key. */
  vniOf(key: number): number {
    const source = this.byIndex[sourceOf(key)]?.shortId ?? this.ownShortId;
    return source * SHORT_IDS + (this.byIndex[destinationOf(key)]?.shortId ?? this.ownShortId);
  }

  /** The reverse, for a datagram from a peer; undefined where it is between peers that are not known. */
  keyOf(from: Peer, vni: number, hops: number): number | undefined {
    const [sourceId, destinationId] = [vni >>> 12, vni % SHORT_IDS];
    const sender = this.byUnderlay.get(from);
    const source = sender?.shortId === sourceId ? sender : this.byShortId.get(sourceId);
    const destination = destinationId === this.ownShortId ? OWN_INDEX : this.byShortId.get(destinationId)?.index;
    if (source === undefined || destination === undefined) return undefined;
    return tunnelKey(hops, source.index, destination);
  }
}
