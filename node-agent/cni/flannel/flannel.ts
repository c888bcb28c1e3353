/**
 * flannel with its backends VXLAN, host-gw, WireGuard and UDP. With host-gw a node's pod CIDR goes to the node itself, over eth0; with
 * WireGuard and UDP all go to one device, which knows the node whose CIDR a packet is for. With VXLAN:
 *
 * For every other node there is exactly one route, one neighbour entry and one FDB entry, all permanent: the node's pod
 * CIDR goes to the CIDR's zeroth address over flannel.1, that address has the VTEP's MAC, and that MAC is behind the
 * node's real endpoint. So no packet of the overlay ever waits for an answer to ARP, and the tables grow with the number
 * of nodes, not of pods. The original came to this after a version that asked user space for every miss.
 *
 * The VTEP's MAC is chosen anew whenever the node starts, and peers learn it from the Node's annotations; until a peer
 * has seen the change it sends to a MAC nobody has, which lasts as long as one message on the bus.
 * Differs from the original: the real UDP endpoint comes from an annotation of ours, as InternalIPs are emulated.
 */
import type { Ipv4Prefix } from '../../../shared/wire/address.ts';
import { formatIpv4 } from '../../../shared/wire/address.ts';
import type { IpPrefix } from '../../../shared/wire/ip-address.ts';
import {
  hostGatewayNetwork,
  udpNetwork,
  vxlanNetwork,
  wireguardNetwork,
} from '../../datapath/network/bridged-network.ts';
import type { NetworkParts, NodeNetwork } from '../../datapath/network/node-network.ts';
import type { WireguardKeys } from '../../datapath/wireguard/session.ts';
import { datapathPeer } from '../datapath-peer.ts';
import { HostLocalPods } from '../ipam/host-local-pods.ts';
import { type NetworkConfiguration, PORTMAP } from '../network-configuration.ts';
import type { CniAttachment, CniContext, CniPlugin, NodeNetworkUp, PeerNode, PodAttachRequest } from '../plugin.ts';
import { createNodeKeys } from '../wireguard/node-keys.ts';
import { decodeBackendData, encodeBackendData, type FlannelBackend } from './backend-data.ts';

export class Flannel implements CniPlugin {
  private readonly context: CniContext;
  private readonly backend: FlannelBackend;
  private readonly pods: HostLocalPods;
  /** Of `wireguard` alone. */
  private readonly keys: WireguardKeys | undefined;

  constructor(context: CniContext, backend: FlannelBackend) {
    this.context = context;
    this.backend = backend;
    this.pods = new HostLocalPods(context);
    if (backend === 'wireguard') this.keys = createNodeKeys();
    context.datapath.use(networkOf(backend, this.keys));
  }

  annotations(): Record<string, string> {
    const { datapath } = this.context;
    const { vtepMac, internalIp } = datapath;
    const { publicKey } = this.keys ?? {};
    return encodeBackendData({ type: this.backend, vtepMac, publicKey, publicIp: formatIpv4(internalIp) });
  }

  /** The delegate is `bridge`; flannel's plugin takes its range from flanneld. */
  configuration(): NetworkConfiguration {
    const flannel = { type: 'flannel', delegate: { hairpinMode: true, isDefaultGateway: true } };
    return {
      fileName: '10-flannel.conflist',
      content: { name: 'cbr0', cniVersion: '0.3.1', plugins: [flannel, PORTMAP] },
    };
  }

  setUpNode(podCidr: Ipv4Prefix, podCidrIpv6: IpPrefix | undefined): NodeNetworkUp {
    this.pods.setUpNode(podCidr, podCidrIpv6);
    return { reason: 'FlannelIsUp', message: 'Flannel is running on this node' };
  }

  attach(request: PodAttachRequest): CniAttachment {
    return this.pods.attach(request);
  }

  retainOnly(podUids: ReadonlySet<string>): void {
    this.pods.retainOnly(podUids);
  }

  setPeer(peer: PeerNode): void {
    const backend = decodeBackendData(peer.annotations);
    // A node that has not published itself yet is known once it has.
    if (backend?.type !== this.backend) return;
    const known = datapathPeer(peer, backend);
    if (known !== undefined) this.context.datapath.setPeer(known);
  }

  removePeer(name: string): void {
    this.context.datapath.removePeer(name);
  }
}

function networkOf(backend: FlannelBackend, keys: WireguardKeys | undefined): (parts: NetworkParts) => NodeNetwork {
  if (keys !== undefined) return wireguardNetwork(keys);
  if (backend === 'udp') return udpNetwork;
  return backend === 'vxlan' ? vxlanNetwork : hostGatewayNetwork;
}
