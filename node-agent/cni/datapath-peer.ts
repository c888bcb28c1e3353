/** Another node's object as the data path wants to know the node. */
import type { PeerOptions } from '../datapath/peer-table.ts';
import type { PeerNode } from './plugin.ts';
import { decodeUnderlay } from './underlay-annotations.ts';

/** Undefined for a node that has not published where it is. What it says of its end of an overlay comes from the plugin. */
export function datapathPeer(
  peer: PeerNode,
  { vtepMac, publicKey }: Pick<PeerOptions, 'vtepMac' | 'publicKey'> = {},
): PeerOptions | undefined {
  const underlay = decodeUnderlay(peer.annotations);
  if (underlay === undefined) return undefined;
  return {
    nodeName: peer.name,
    internalIp: peer.internalIp,
    endpoint: underlay.endpoint,
    podCidr: peer.podCidr,
    internalIpv6: peer.internalIpv6,
    podCidrIpv6: peer.podCidrIpv6,
    vtepMac,
    publicKey,
    underlayMac: underlay.mac,
  };
}
