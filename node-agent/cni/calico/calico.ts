/**
 * calico: pods behind routes, addresses in blocks of /26, and routes to the blocks exchanged by BGP; see README.md.
 *
 *   a pod's address opens a block -> blackhole route, UPDATE to every node -> their route to this node
 *   a node is silent for the hold time -> its routes are gone
 */
import { formatIpv4, type Ipv4Prefix } from '../../../shared/wire/address.ts';
import { type IpPrefix, networkOf } from '../../../shared/wire/ip-address.ts';
import { type Encapsulation, isVxlan, RoutedNetwork } from '../../datapath/network/routed-network.ts';
import { nodeSpeaker } from '../bgp/node-speaker.ts';
import type { BgpSpeaker } from '../bgp/speaker.ts';
import { datapathPeer } from '../datapath-peer.ts';
import { HostLocalIpam } from '../ipam/host-local.ts';
import { attachLeased } from '../leased-pod.ts';
import { type NetworkConfiguration, PORTMAP } from '../network-configuration.ts';
import type { CniAttachment, CniContext, CniPlugin, NodeNetworkUp, PeerNode, PodAttachRequest } from '../plugin.ts';
import { birdc } from './birdc.ts';
import { type AddressHolder, BLOCK_PREFIX_LENGTH, type CalicoctlView, calicoctl } from './calicoctl.ts';

/** Owns the address of `tunl0`. */
const TUNNEL_OWNER = 'tunl0';
/** Of a node's pod CIDR: where that address is, the first that is given out. */
const TUNNEL_PLACE = 2;
const BACKEND_ANNOTATION = 'podwire.dev/calico-encapsulation';
const ADDRESS_ANNOTATION = 'projectcalico.org/IPv4Address';
const VTEP_ANNOTATION = 'projectcalico.org/VXLANTunnelMACAddr';

export class Calico implements CniPlugin {
  /** Undefined with VXLAN, whose routes need none. */
  readonly speaker: BgpSpeaker | undefined;
  private readonly context: CniContext;
  private readonly encapsulation: Encapsulation;
  private readonly network: RoutedNetwork;
  private readonly blocks = new Map<number, IpPrefix>();
  private readonly peers = new Map<string, PeerNode>();
  private ipam: HostLocalIpam | undefined;
  private survivors: ReadonlySet<string> | undefined;

  constructor(context: CniContext, encapsulation: Encapsulation) {
    const { datapath } = context;
    this.context = context;
    this.encapsulation = encapsulation;
    this.network = datapath.use((parts) => new RoutedNetwork(parts, encapsulation));
    this.speaker = isVxlan(encapsulation) ? undefined : nodeSpeaker(context, this.network);
  }

  annotations(): Record<string, string> {
    const { internalIp, vtepMac } = this.context.datapath;
    return {
      [BACKEND_ANNOTATION]: this.encapsulation,
      [ADDRESS_ANNOTATION]: `${formatIpv4(internalIp)}/24`,
      ...(vtepMac === undefined ? {} : { [VTEP_ANNOTATION]: String(vtepMac) }),
    };
  }

  configuration(): NetworkConfiguration {
    const calico = {
      type: 'calico',
      log_level: 'info',
      log_file_path: '/var/log/calico/cni/cni.log',
      datastore_type: 'kubernetes',
      nodename: this.context.datapath.nodeName,
      mtu: this.network.podMtuBytes,
      ipam: { type: 'calico-ipam' },
      policy: { type: 'k8s' },
      kubernetes: { kubeconfig: '/etc/cni/net.d/calico-kubeconfig' },
    };
    return {
      fileName: '10-calico.conflist',
      content: { name: 'k8s-pod-network', cniVersion: '0.3.1', plugins: [calico, { snat: true, ...PORTMAP }] },
    };
  }

  setUpNode(podCidr: Ipv4Prefix): NodeNetworkUp {
    const { datapath, leases } = this.context;
    datapath.setPodCidr(podCidr);
    this.ipam = new HostLocalIpam({ network: podCidr.address, prefixLength: podCidr.prefixLength }, leases);
    if (this.survivors !== undefined) this.ipam.retainOnly(this.survivors);
    if (this.isIpip) {
      const address = this.ipam.allocate(TUNNEL_OWNER);
      this.claimBlockOf(address);
      this.network.setTunnelAddress(address);
    }
    return { reason: 'CalicoIsUp', message: 'Calico is running on this node' };
  }

  attach(request: PodAttachRequest): CniAttachment {
    const given = (address: number) => this.claimBlockOf(address);
    return attachLeased({ datapath: this.context.datapath, ipam: this.ipam, given }, request);
  }

  private get isIpip(): boolean {
    return this.encapsulation === 'ipip' || this.encapsulation === 'ipip-cross-subnet';
  }

  /** The first address of a block claims it. */
  private claimBlockOf(address: number): void {
    const network = networkOf(address, BLOCK_PREFIX_LENGTH);
    if (this.blocks.has(network) || this.speaker === undefined) return;
    const block = { address: network, prefixLength: BLOCK_PREFIX_LENGTH };
    this.blocks.set(network, block);
    this.network.claimBlock(block);
    this.speaker.announce(block);
  }

  retainOnly(podUids: ReadonlySet<string>): void {
    this.survivors = new Set([...podUids, TUNNEL_OWNER]);
    this.ipam?.retainOnly(this.survivors);
  }

  setPeer(peer: PeerNode): void {
    this.peers.set(peer.name, peer);
    if (peer.annotations[BACKEND_ANNOTATION] !== this.encapsulation) return;
    const vtepMac = Number(peer.annotations[VTEP_ANNOTATION]);
    const known = datapathPeer(peer, { vtepMac: Number.isSafeInteger(vtepMac) ? vtepMac : undefined });
    if (known === undefined) return;
    this.context.datapath.setPeer(known);
    this.speaker?.addPeer(`Mesh_${formatIpv4(peer.internalIp).replaceAll('.', '_')}`, peer.internalIp);
  }

  removePeer(name: string): void {
    const { datapath } = this.context;
    this.peers.delete(name);
    const known = datapath.peers.get(name);
    if (known !== undefined) this.speaker?.removePeer(known.options.internalIp);
    datapath.removePeer(name);
  }

  /** `birdc`, as in the node's calico-node container, and `calicoctl`. */
  commands(): Record<string, (words: readonly string[]) => string> {
    const { speaker } = this;
    const { root, internalIp } = this.context.datapath;
    const control = (words: readonly string[]) => calicoctl(this.view(), words);
    if (speaker === undefined) return { calicoctl: control };
    const nowUs = () => root.engine.nowUs;
    return { calicoctl: control, birdc: (words) => birdc({ speaker, nowUs: nowUs(), internalIp }, words) };
  }

  private view(): CalicoctlView {
    const { datapath } = this.context;
    const { root, clusterCidr, nodeName: name, internalIp, podCidr } = datapath;
    const nodes = [{ name, internalIp, podCidr }, ...this.peers.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const learned = this.speaker?.routes.list().flatMap(([best]) => best?.prefix ?? []) ?? [];
    const tunnels = nodes.flatMap((node): AddressHolder[] =>
      node.podCidr === null ? [] : [{ address: node.podCidr.address + TUNNEL_PLACE, node: node.name, pod: null }],
    );
    return {
      speaker: this.speaker,
      nowUs: root.engine.nowUs,
      pool: clusterCidr,
      encapsulation: this.encapsulation,
      holders: [...(this.isIpip ? tunnels : []), ...this.podHolders()],
      claimedBlocks: [...this.blocks.values(), ...learned],
      nodes,
      nodePrefixLength: datapath.internalPrefixLength,
    };
  }

  private podHolders(): AddressHolder[] {
    return this.context
      .pods()
      .flatMap(({ namespace, name, nodeName: node = '', addresses }) =>
        addresses.map((address) => ({ address, node, pod: { namespace, name } })),
      );
  }
}
