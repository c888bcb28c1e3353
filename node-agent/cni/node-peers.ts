/** Node objects -> this node's CIDR and its peers. A peer goes when its Node object does, not when it falls silent. */
import type { Node } from 'kubernetes-types/core/v1.d.ts';
import { NODES } from '../../shared/api/resources.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import { createInformer, type Informer } from '../../shared/bus/informer.ts';
import { type Ipv4Prefix, parseIpv4, parseIpv4Prefix } from '../../shared/wire/address.ts';
import { type IpPrefix, parseAddress, parsePrefix } from '../../shared/wire/ip-address.ts';
import type { PeerNode } from './plugin.ts';

export interface NodePeersOptions {
  readonly bus: Bus;
  readonly nodeName: string;
  /** This node's own object. */
  readonly onSelf: (node: Node) => void;
  readonly onPodCidr: (podCidr: Ipv4Prefix, podCidrIpv6: IpPrefix | undefined) => void;
  readonly onSelfPeer: (self: PeerNode) => void;
  readonly onPeer: (peer: PeerNode) => void;
  readonly onPeerGone: (name: string) => void;
}

/** Resolves once all nodes are known. */
export async function followNodes(options: NodePeersOptions): Promise<Informer<Node>> {
  const informer = createInformer<Node>(options.bus, NODES);
  const seen = (node: Node): void => {
    if (node.metadata?.name === options.nodeName) options.onSelf(node);
    const peer = peerOf(node);
    if (peer === undefined) return;
    if (peer.name !== options.nodeName) {
      options.onPeer(peer);
      return;
    }
    options.onSelfPeer(peer);
    if (peer.podCidr !== null) options.onPodCidr(peer.podCidr, peer.podCidrIpv6);
  };
  informer.subscribe({
    added: seen,
    updated: seen,
    deleted: (node) => {
      const name = node.metadata?.name ?? '';
      if (name !== options.nodeName) options.onPeerGone(name);
    },
  });
  await informer.start();
  return informer;
}

/** Undefined for a node without an InternalIP. */
export function peerOf(node: Node): PeerNode | undefined {
  const texts = (node.status?.addresses ?? []).flatMap(({ type, address }) => (type === 'InternalIP' ? [address] : []));
  const internalIp = firstOf(texts, parseIpv4);
  const name = node.metadata?.name;
  if (internalIp === undefined || name === undefined) return undefined;
  const podCidr = parseIpv4Prefix(node.spec?.podCIDR ?? '') ?? null;
  return {
    name,
    internalIp,
    internalIpv6: parseAddress(texts.find(isIpv6Text) ?? ''),
    podCidr,
    podCidrIpv6: parsePrefix(node.spec?.podCIDRs?.find(isIpv6Text) ?? ''),
    annotations: node.metadata?.annotations ?? {},
    labels: node.metadata?.labels ?? {},
  };
}

function firstOf<Value>(texts: readonly string[], parse: (text: string) => Value | undefined): Value | undefined {
  return texts.map(parse).find((value) => value !== undefined);
}

function isIpv6Text(text: string): boolean {
  return text.includes(':');
}
