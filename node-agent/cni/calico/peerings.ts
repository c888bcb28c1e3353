/**
 * With whom a node speaks BGP (docs.tigera.io/calico, "Configure BGP peering"). Pure.
 *
 *   nodeToNodeMeshEnabled -> every node with every other, but for route reflectors
 *   BGPPeer               -> the nodes it means (all, `node`, `nodeSelector`) with `peerIP`, or with those of `peerSelector`,
 *                            which peer back
 *   a route reflector     -> the nodes of other clusters are its clients
 */
import { formatIpv4, parseIpv4 } from '../../../shared/wire/address.ts';
import { DEFAULT_AS } from '../bgp/node-speaker.ts';
import type { PeerOptions } from '../bgp/speaker.ts';
import { selects } from './ipam/ip-pool.ts';

export interface BgpConfiguration {
  readonly nodeToNodeMeshEnabled?: boolean;
  readonly asNumber?: number;
}

export interface BgpPeer {
  readonly name: string;
  readonly node?: string;
  readonly nodeSelector?: string;
  readonly peerIP?: string;
  readonly asNumber?: number;
  readonly peerSelector?: string;
}

export interface BgpNode {
  readonly name: string;
  readonly internalIp: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** As calico keeps a node's `bgp` on the Node object. */
const AS_ANNOTATION = 'projectcalico.org/ASNumber';
const CLUSTER_ANNOTATION = 'projectcalico.org/RouteReflectorClusterID';

export function asOf({ annotations }: Pick<BgpNode, 'annotations'>, configuration: BgpConfiguration): number {
  const own = Number(annotations[AS_ANNOTATION]);
  return Number.isInteger(own) && own > 0 ? own : (configuration.asNumber ?? DEFAULT_AS);
}

/** Undefined for a node that is no route reflector. */
export function clusterIdOf({ annotations }: Pick<BgpNode, 'annotations'>): number | undefined {
  return parseIpv4(annotations[CLUSTER_ANNOTATION] ?? '');
}

/** Of `self`; what the mesh and a BGPPeer both say is said once. */
export function peeringsOf(
  self: BgpNode,
  others: readonly BgpNode[],
  configuration: BgpConfiguration,
  peers: readonly BgpPeer[],
): PeerOptions[] {
  const found = new Map<number, PeerOptions>();
  const add = (kind: string, address: number, as: number, peer: BgpNode | undefined): void => {
    if (found.has(address) || address === self.internalIp) return;
    const name = `${kind}_${formatIpv4(address).replaceAll('.', '_')}`;
    found.set(address, { name, address, as, isClient: peer !== undefined && isClient(self, peer) });
  };
  if ((configuration.nodeToNodeMeshEnabled ?? true) && clusterIdOf(self) === undefined) {
    for (const node of others) {
      if (clusterIdOf(node) === undefined) add('Mesh', node.internalIp, asOf(node, configuration), node);
    }
  }
  for (const peer of peers) {
    const kind = isGlobal(peer) ? 'Global' : 'Node';
    for (const { address, as, node } of endsOf(self, others, configuration, peer)) add(kind, address, as, node);
  }
  return [...found.values()];
}

/** As `calicoctl node status` names it, by the name of the protocol. */
export function peerTypeOf(name: string): string {
  if (name.startsWith('Mesh_')) return 'node-to-node mesh';
  return name.startsWith('Global_') ? 'global' : 'node specific';
}

function isGlobal({ node, nodeSelector }: BgpPeer): boolean {
  return node === undefined && nodeSelector === undefined;
}

interface End {
  readonly address: number;
  readonly as: number;
  /** Undefined for a router outside the cluster. */
  readonly node: BgpNode | undefined;
}

function endsOf(self: BgpNode, others: readonly BgpNode[], configuration: BgpConfiguration, peer: BgpPeer): End[] {
  const endOf = (node: BgpNode): End => ({ address: node.internalIp, as: asOf(node, configuration), node });
  const { peerSelector, peerIP } = peer;
  if (peerSelector === undefined) {
    const address = parseIpv4(peerIP?.split(':')[0] ?? '');
    if (address === undefined || !isMeant(peer, self)) return [];
    const node = others.find(({ internalIp }) => internalIp === address);
    return [{ address, as: peer.asNumber ?? asOf(node ?? self, configuration), node }];
  }
  return others
    .filter(
      (other) =>
        (isMeant(peer, self) && selects(peerSelector, other.labels)) ||
        (isMeant(peer, other) && selects(peerSelector, self.labels)),
    )
    .map(endOf);
}

function isMeant(peer: BgpPeer, node: BgpNode): boolean {
  if (isGlobal(peer)) return true;
  return peer.node === node.name || (peer.nodeSelector !== undefined && selects(peer.nodeSelector, node.labels));
}

function isClient(self: BgpNode, peer: BgpNode): boolean {
  const clusterId = clusterIdOf(self);
  return clusterId !== undefined && clusterIdOf(peer) !== clusterId;
}
