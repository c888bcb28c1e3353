/**
 * flannel with its backends VXLAN and host-gw. With host-gw a node's pod CIDR goes to the node itself, over eth0. With VXLAN:
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
import { addressPlus, type IpPrefix } from '../../../shared/wire/ip-address.ts';
import { hostGatewayNetwork, vxlanNetwork } from '../../datapath/network/bridged-network.ts';
import { HostLocalIpam } from '../ipam/host-local.ts';
import { attachLeased } from '../leased-pod.ts';
import type { CniAttachment, CniContext, CniPlugin, NodeNetworkUp, PeerNode, PodAttachRequest } from '../plugin.ts';
import { decodeUnderlay } from '../underlay-annotations.ts';
import { decodeBackendData, encodeBackendData, type FlannelBackend } from './backend-data.ts';

export class Flannel implements CniPlugin {
  private readonly context: CniContext;
  private readonly backend: FlannelBackend;
  private ipam: HostLocalIpam | undefined;
  private survivors: ReadonlySet<string> | undefined;

  constructor(context: CniContext, backend: FlannelBackend) {
    this.context = context;
    this.backend = backend;
    context.datapath.use(backend === 'vxlan' ? vxlanNetwork : hostGatewayNetwork);
  }

  annotations(): Record<string, string> {
    const { datapath } = this.context;
    const { vtepMac, internalIp } = datapath;
    return encodeBackendData({ type: this.backend, vtepMac, publicIp: formatIpv4(internalIp) });
  }

  setUpNode(podCidr: Ipv4Prefix, podCidrIpv6: IpPrefix | undefined): NodeNetworkUp {
    const { datapath, leases } = this.context;
    datapath.setPodCidr(podCidr);
    if (podCidrIpv6 !== undefined) datapath.setPodCidrIpv6(podCidrIpv6);
    this.ipam = new HostLocalIpam({ network: podCidr.address, prefixLength: podCidr.prefixLength }, leases);
    if (this.survivors !== undefined) this.ipam.retainOnly(this.survivors);
    return { reason: 'FlannelIsUp', message: 'Flannel is running on this node' };
  }

  attach(request: PodAttachRequest): CniAttachment {
    const { datapath } = this.context;
    const addressIpv6 = (address: number) => this.pairOf(address);
    return attachLeased({ datapath, ipam: this.ipam, addressIpv6 }, request);
  }

  /** A pod has the same place in both of its node's networks, so that one lease stands for both. */
  private pairOf(address: number): number | undefined {
    const { podCidr, podCidrIpv6 } = this.context.datapath;
    if (podCidr === null || podCidrIpv6 === null) return undefined;
    return addressPlus(podCidrIpv6.address, address - podCidr.address);
  }

  retainOnly(podUids: ReadonlySet<string>): void {
    this.survivors = podUids;
    this.ipam?.retainOnly(podUids);
  }

  setPeer(peer: PeerNode): void {
    const { datapath } = this.context;
    const underlay = decodeUnderlay(peer.annotations);
    const backend = decodeBackendData(peer.annotations);
    // A node that has not published itself yet is known once it has.
    if (underlay === undefined || backend?.type !== this.backend) return;
    datapath.setPeer({
      nodeName: peer.name,
      internalIp: peer.internalIp,
      endpoint: underlay.endpoint,
      podCidr: peer.podCidr,
      internalIpv6: peer.internalIpv6,
      podCidrIpv6: peer.podCidrIpv6,
      vtepMac: backend.vtepMac,
      underlayMac: underlay.mac,
    });
  }

  removePeer(name: string): void {
    this.context.datapath.removePeer(name);
  }
}
