/** The other nodes: for each the link's peer and its MAC on the nodes' network; the CNI plugin's network follows them. */
import type { Host } from '../../shared/netstack/host.ts';
import type { IpPrefix } from '../../shared/wire/ip-address.ts';
import type { LinkEndpoint } from './link.ts';
import type { Peer, Underlay } from './underlay.ts';
import type { UnderlayDevice } from './underlay-device.ts';

/** Nodes one node knows. */
export const MAX_PEERS = 4096;

export interface PeerOptions {
  readonly nodeName: string;
  readonly internalIp: number;
  /** Where its real socket is. */
  readonly endpoint: LinkEndpoint;
  /** null while the node has none yet: it is then reachable by its InternalIP only. */
  readonly podCidr: IpPrefix | null;
  /** Of a dual-stack node. */
  readonly podCidrIpv6?: IpPrefix;
  readonly internalIpv6?: number;
  /** Of its end of the overlay, where it has one. */
  readonly vtepMac?: number;
  readonly underlayMac: number;
  /** Of its end of encrypted tunnels, where it has one: base64. */
  readonly publicKey?: string;
}

export interface KnownPeer {
  readonly options: PeerOptions;
  readonly peer: Peer;
}

/** Told of nodes that come and go. */
export interface PeerFollower {
  peerAdded(peer: KnownPeer): void;
  peerRemoved(peer: KnownPeer): void;
}

export class PeerTable {
  private readonly root: Host;
  private readonly underlay: Underlay;
  private readonly eth0: UnderlayDevice;
  follower: PeerFollower | null = null;
  private readonly known = new Map<string, KnownPeer>();
  private readonly addresses = new Set<number>();

  constructor(root: Host, underlay: Underlay, eth0: UnderlayDevice) {
    this.root = root;
    this.underlay = underlay;
    this.eth0 = eth0;
  }

  list(): KnownPeer[] {
    return [...this.known.values()];
  }

  /** Of the node with this InternalIP. */
  nodeNameOf(internalIp: number): string | undefined {
    return this.list().find(({ options }) => options.internalIp === internalIp)?.options.nodeName;
  }

  get(nodeName: string): KnownPeer | undefined {
    return this.known.get(nodeName);
  }

  /** Whether another node has it. */
  hasAddress(address: number): boolean {
    return this.addresses.has(address);
  }

  /** Adds a node, or replaces what differs from what was known of it. */
  set(options: PeerOptions): void {
    const present = this.known.get(options.nodeName);
    if (present !== undefined && samePeer(present.options, options)) return;
    if (present !== undefined) this.remove(options.nodeName);
    if (this.known.size >= MAX_PEERS)
      throw new Error(`peer ${options.nodeName}: a node knows at most ${MAX_PEERS} others`);
    const peer = this.underlay.addPeer(options.nodeName, options.endpoint);
    const known = { options, peer };
    this.known.set(options.nodeName, known);
    this.addresses.add(options.internalIp);
    if (options.internalIpv6 !== undefined) this.addresses.add(options.internalIpv6);
    this.eth0.setFdbEntry(options.underlayMac, peer);
    this.follower?.peerAdded(known);
  }

  visitAddresses(visit: (address: number) => void): void {
    for (const { options } of this.known.values()) {
      if (options.internalIpv6 !== undefined) visit(options.internalIpv6);
      for (const { address } of podCidrsOf(options)) visit(address);
    }
  }

  /** False when it was not known. */
  remove(nodeName: string): boolean {
    const present = this.known.get(nodeName);
    if (present === undefined) return false;
    const { options, peer } = present;
    this.known.delete(nodeName);
    this.addresses.delete(options.internalIp);
    this.eth0.removeFdbEntry(options.underlayMac);
    this.root.neighbours.remove(this.eth0, options.internalIp);
    if (options.internalIpv6 !== undefined) {
      this.addresses.delete(options.internalIpv6);
      this.root.neighbours.remove(this.eth0, options.internalIpv6);
    }
    this.follower?.peerRemoved(present);
    this.underlay.removePeer(peer);
    return true;
  }
}

/** Of both families, those it has. */
export function podCidrsOf({ podCidr, podCidrIpv6 }: PeerOptions): IpPrefix[] {
  return [podCidr, podCidrIpv6].filter((prefix) => prefix != null);
}

function samePeer(a: PeerOptions, b: PeerOptions): boolean {
  return (
    a.internalIp === b.internalIp &&
    a.endpoint.address === b.endpoint.address &&
    a.endpoint.port === b.endpoint.port &&
    a.podCidr?.address === b.podCidr?.address &&
    a.podCidr?.prefixLength === b.podCidr?.prefixLength &&
    a.podCidrIpv6?.address === b.podCidrIpv6?.address &&
    a.podCidrIpv6?.prefixLength === b.podCidrIpv6?.prefixLength &&
    a.internalIpv6 === b.internalIpv6 &&
    a.vtepMac === b.vtepMac &&
    a.publicKey === b.publicKey &&
    a.underlayMac === b.underlayMac
  );
}
