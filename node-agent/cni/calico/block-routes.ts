/**
 * Keeps a node's routes what the blocks say:
 *
 *   its own blocks            -> blackhole routes, and announced by BGP
 *   what it borrowed          -> announced by BGP, an address at a time
 *   the rest, where no BGP is -> through vxlan.calico to the node that has it
 */
import { formatPrefix, type IpPrefix } from '../../../shared/wire/ip-address.ts';
import type { RoutedNetwork } from '../../datapath/network/routed-network.ts';
import type { VxlanNode } from '../../datapath/network/vxlan-backend.ts';
import type { BgpSpeaker } from '../bgp/speaker.ts';
import type { Block } from './ipam/block.ts';
import { IPV4_BITS, type PlacedPrefix, placesOf } from './ipam/block-places.ts';

export interface BlockRoutesOptions {
  readonly node: string;
  readonly network: RoutedNetwork;
  readonly speaker: BgpSpeaker | undefined;
  /** Where another node's end of the tunnel is; undefined while that is not known. */
  readonly vxlanNode: (node: string, prefix: IpPrefix) => VxlanNode | undefined;
}

export class BlockRoutes {
  private readonly options: BlockRoutesOptions;
  private readonly own = new Map<string, PlacedPrefix>();
  /** With the way there, as a text that tells it from others. */
  private readonly remote = new Map<string, { readonly place: PlacedPrefix; readonly way: string }>();

  constructor(options: BlockRoutesOptions) {
    this.options = options;
  }

  follow(blocks: Iterable<Block>): void {
    const { node, speaker } = this.options;
    const places = placesOf(blocks);
    this.followOwn(places.filter((place) => place.node === node));
    if (speaker === undefined) this.followRemote(places.filter((place) => place.node !== node));
  }

  private followOwn(places: readonly PlacedPrefix[]): void {
    const { network, speaker } = this.options;
    const wanted = byText(places);
    for (const [text, { prefix }] of this.own) {
      if (wanted.has(text)) continue;
      this.own.delete(text);
      if (prefix.prefixLength < IPV4_BITS) network.releaseBlock(prefix);
      speaker?.withdraw(prefix);
    }
    for (const [text, place] of wanted) {
      if (this.own.has(text)) continue;
      this.own.set(text, place);
      if (place.prefix.prefixLength < IPV4_BITS) network.claimBlock(place.prefix);
      speaker?.announce(place.prefix);
    }
  }

  private followRemote(places: readonly PlacedPrefix[]): void {
    const { network, vxlanNode } = this.options;
    const wanted = byText(places);
    for (const [text, { place }] of this.remote) {
      const present = wanted.get(text);
      if (present !== undefined && vxlanNode(present.node, present.prefix) !== undefined) continue;
      this.remote.delete(text);
      network.removeRoute(place.prefix);
    }
    for (const [text, place] of wanted) {
      const node = vxlanNode(place.node, place.prefix);
      const way = JSON.stringify(node);
      if (node === undefined || this.remote.get(text)?.way === way) continue;
      this.remote.set(text, { place, way });
      network.setVxlanRoute(place.prefix, node);
    }
  }
}

function byText(places: readonly PlacedPrefix[]): ReadonlyMap<string, PlacedPrefix> {
  return new Map(places.map((place) => [formatPrefix(place.prefix), place] as const));
}
