/**
 * calico: pods behind routes, addresses in blocks that nodes claim in the API, and routes to the blocks exchanged by BGP; see
 * README.md.
 *
 *   a pod's address opens a block -> blackhole route, UPDATE to every node -> their route to this node
 *   a node is silent for the hold time -> its routes are gone
 */
import { Alarm } from '../../../shared/netstack/alarm.ts';
import { CALICO_ENCAPSULATION_ANNOTATION } from '../../../shared/runtime/cni-plugins.ts';
import { formatIpv4, type Ipv4Prefix } from '../../../shared/wire/address.ts';
import type { IpPrefix } from '../../../shared/wire/ip-address.ts';
import { type Encapsulation, isVxlan, RoutedNetwork } from '../../datapath/network/routed-network.ts';
import type { VxlanNode } from '../../datapath/network/vxlan-backend.ts';
import { nodeSpeaker, type RouteInstaller } from '../bgp/node-speaker.ts';
import type { BgpSpeaker } from '../bgp/speaker.ts';
import { datapathPeer } from '../datapath-peer.ts';
import { type AddressPool, attachLeased } from '../leased-pod.ts';
import { type NetworkConfiguration, PORTMAP } from '../network-configuration.ts';
import type { CniAttachment, CniContext, CniPlugin, PeerNode, PodAttachRequest, PodReservation } from '../plugin.ts';
import { ApiDatastore } from './api-datastore.ts';
import { birdc } from './birdc.ts';
import { BlockRoutes } from './block-routes.ts';
import { type CalicoctlView, calicoctl } from './calicoctl.ts';
import type { CalicoDatastore } from './datastore.ts';
import { addressOf, type Holder, heldAddresses, nodeOf } from './ipam/block.ts';
import { CalicoIpam } from './ipam/calico-ipam.ts';
import { asOf, clusterIdOf, peeringsOf } from './peerings.ts';
import { podHandle, podRequest } from './pod-request.ts';
import { isVxlanCrossSubnet, needsTunnel, tunnellingOf } from './pool-modes.ts';

const ADDRESS_ANNOTATION = 'projectcalico.org/IPv4Address';
const VTEP_ANNOTATION = 'projectcalico.org/VXLANTunnelMACAddr';
/** What could not be written is tried again after this long. */
const RETRY_US = 500_000;
/** Who holds blocks and is no node this long after the start is asked about: news of nodes and of blocks come on different ways. */
const STRANGERS_US = 5_000_000;

/** On a node of a cluster, whose API has the addresses. */
export function calico(context: CniContext, encapsulation: Encapsulation): Calico {
  if (context.cluster === undefined) throw new Error('calico keeps its addresses in the API, and there is none');
  return new Calico(context, encapsulation, new ApiDatastore(context.cluster));
}

export class Calico implements CniPlugin {
  /** Undefined with VXLAN, whose routes need none. */
  readonly speaker: BgpSpeaker | undefined;
  private readonly context: CniContext;
  private readonly encapsulation: Encapsulation;
  private readonly network: RoutedNetwork;
  private readonly datastore: CalicoDatastore;
  private readonly ipam: CalicoIpam;
  private readonly routes: BlockRoutes;
  private readonly peers = new Map<string, PeerNode>();
  private self: PeerNode | undefined;
  private isUp = false;
  private tunnelAddress: number | undefined;
  private poolsFollowed = '';
  /** By the pod's uid: addresses that the API has given it. */
  private readonly reserved = new Map<string, number>();
  /** Uids of pods that are, or are about to be. */
  private readonly wanted = new Set<string>();
  /** What could not be done while the API was away. */
  private unfinished: (() => Promise<void>)[] = [];
  private readonly startedUs: number;
  private readonly again: Alarm;
  private readonly strangers: Alarm;

  constructor(context: CniContext, encapsulation: Encapsulation, datastore: CalicoDatastore) {
    const { datapath } = context;
    const node = datapath.nodeName;
    this.context = context;
    this.encapsulation = encapsulation;
    this.datastore = datastore;
    this.network = datapath.use((parts) => new RoutedNetwork(parts, encapsulation));
    const installer: RouteInstaller = {
      setRoute: (prefix, gateway) => this.network.setRoute(prefix, gateway, tunnellingOf(datastore.pools, prefix)),
      removeRoute: (prefix) => this.network.removeRoute(prefix),
    };
    this.speaker = isVxlan(encapsulation) ? undefined : nodeSpeaker(context, installer);
    this.ipam = new CalicoIpam({
      node,
      store: datastore,
      preferred: () => datapath.podCidr,
      avoided: () => [...this.peers.values()].flatMap(({ podCidr }) => podCidr ?? []),
    });
    this.routes = new BlockRoutes({
      node,
      network: this.network,
      speaker: this.speaker,
      vxlanNode: (name, prefix) => this.vxlanNode(name, prefix),
    });
    this.startedUs = datapath.root.engine.nowUs;
    this.again = new Alarm(datapath.root.engine, () => this.tryAgain());
    this.strangers = new Alarm(datapath.root.engine, () => this.forgetStrangers());
  }

  annotations(): Record<string, string> {
    const { internalIp, vtepMac } = this.context.datapath;
    return {
      [CALICO_ENCAPSULATION_ANNOTATION]: this.encapsulation,
      [ADDRESS_ANNOTATION]: `${formatIpv4(internalIp)}/24`,
      ...(vtepMac === undefined ? {} : { [VTEP_ANNOTATION]: String(vtepMac) }),
    };
  }

  configuration(): NetworkConfiguration {
    const plugin = {
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
      content: { name: 'k8s-pod-network', cniVersion: '0.3.1', plugins: [plugin, { snat: true, ...PORTMAP }] },
    };
  }

  /** The node is up once its tunnel has an address, where it has one. */
  setUpNode(podCidr: Ipv4Prefix): undefined {
    this.context.datapath.setPodCidr(podCidr);
    this.datastore.onChange = () => this.follow();
    this.untilDone(() => this.comeUp());
  }

  async reserve(pod: PodReservation): Promise<void> {
    const { datastore } = this;
    const request = podRequest(pod, {
      node: this.context.datapath.nodeName,
      timestamp: datastore.timestamp(),
      namespaceAnnotations: datastore.namespaceAnnotations(pod.namespace),
    });
    this.wanted.add(pod.uid);
    try {
      this.reserved.set(pod.uid, await this.ipam.assign(request));
    } catch (error) {
      // It may have been given all the same, where the answer was lost.
      this.reservations.release(pod.uid);
      throw error;
    }
  }

  attach(request: PodAttachRequest): CniAttachment {
    return attachLeased({ datapath: this.context.datapath, ipam: this.reservations }, request);
  }

  retainOnly(podUids: ReadonlySet<string>): void {
    const tunnel = tunnelHandle(this.context.datapath.nodeName);
    this.untilDone(async () => {
      await this.datastore.start();
      // Where this is not the first try, pods have come since.
      const pods = [...podUids, ...this.wanted].map(podHandle);
      await this.ipam.retainOnly(new Set([...pods, tunnel]));
    });
  }

  setSelf(self: PeerNode): void {
    this.self = self;
    this.datastore.nodeLabels = self.labels;
    this.follow();
  }

  setPeer(peer: PeerNode): void {
    this.peers.set(peer.name, peer);
    if (peer.annotations[CALICO_ENCAPSULATION_ANNOTATION] !== this.encapsulation) return;
    const known = datapathPeer(isVxlan(this.encapsulation) ? { ...peer, podCidr: null } : peer, {
      vtepMac: vtepMacOf(peer),
    });
    if (known === undefined) return;
    this.context.datapath.setPeer(known);
    this.follow();
  }

  removePeer(name: string): void {
    const { datapath } = this.context;
    this.peers.delete(name);
    datapath.removePeer(name);
    this.follow();
    this.forget(name);
  }

  /** What nodes hold that left the cluster while nobody ran who would have noticed. */
  nodesKnown(): void {
    this.untilDone(async () => {
      await this.datastore.start();
      this.datastore.inTurn(() => this.strangers.set(this.context.datapath.root.engine.nowUs + STRANGERS_US));
    });
  }

  private forgetStrangers(): void {
    const { nodeName: own } = this.context.datapath;
    const holders = [...this.datastore.blocks.values()].flatMap((block) => [
      nodeOf(block),
      ...heldAddresses(block).map(({ holder }) => holder.secondary.node),
    ]);
    for (const name of new Set(holders)) {
      if (name !== undefined && name !== own && !this.peers.has(name)) this.forget(name);
    }
  }

  private forget(name: string): void {
    this.untilDone(async () => {
      // One that is back by the time of another try frees for itself what it no longer needs; of one that is new, news may be late.
      if (!this.peers.has(name) && !(await this.datastore.hasNode(name))) await this.ipam.forgetNode(name);
    });
  }

  /** `birdc`, as in the node's calico-node container, and `calicoctl`. */
  commands(): Record<string, (words: readonly string[]) => string> {
    const { speaker } = this;
    const { root, internalIp } = this.context.datapath;
    const control = (words: readonly string[]) => calicoctl(this.view(), words);
    if (speaker === undefined) return { calicoctl: control };
    const { startedUs } = this;
    const bird = () => ({ speaker, startedUs, nowUs: root.engine.nowUs, internalIp, routes: root.routes.list() });
    return { calicoctl: control, birdc: (words) => birdc(bird(), words) };
  }

  /** Blocks, BGP's configuration or the nodes changed. */
  private follow(): void {
    const { datastore, speaker, context } = this;
    this.followPools();
    this.routes.follow(datastore.blocks.values());
    if (speaker === undefined) return;
    const { nodeName: name, internalIp } = context.datapath;
    const { labels, annotations } = this.self ?? { labels: {}, annotations: {} };
    const self = { name, internalIp, labels, annotations };
    const { bgpConfiguration, bgpPeers } = datastore;
    const others = [...this.peers.values()].filter((peer) => context.datapath.peers.get(peer.name) !== undefined);
    speaker.configure({ as: asOf(self, bgpConfiguration), clusterId: clusterIdOf(self) });
    speaker.setPeers(peeringsOf(self, others, bgpConfiguration, bgpPeers));
  }

  /** Routes that BGP brought, and masquerading, are as the pools say now. */
  private followPools(): void {
    const { datastore, network, speaker } = this;
    const { pools } = datastore;
    const text = JSON.stringify(pools);
    if (text === this.poolsFollowed || pools.length === 0) return;
    this.poolsFollowed = text;
    network.setPools(pools);
    for (const [best] of speaker?.routes.list() ?? []) {
      if (best === undefined) continue;
      const { prefix, attributes } = best;
      network.setRoute(prefix, attributes.nextHop, tunnellingOf(pools, prefix));
    }
    if (this.isUp && this.tunnelAddress === undefined) this.untilDone(() => this.addressTunnel());
  }

  private async comeUp(): Promise<void> {
    await this.datastore.start();
    await this.addressTunnel();
    this.datastore.inTurn(() => {
      this.isUp = true;
      this.follow();
      this.context.up({ reason: 'CalicoIsUp', message: 'Calico is running on this node' });
    });
  }

  private async addressTunnel(): Promise<void> {
    const { datastore, encapsulation, network } = this;
    if (!needsTunnel(encapsulation, datastore.pools)) return;
    const address = await this.ipam.assign({ holder: this.tunnelHolder() });
    datastore.inTurn(() => {
      if (this.tunnelAddress === undefined) network.setTunnelAddress(address);
      this.tunnelAddress = address;
    });
  }

  private tunnelHolder(): Holder {
    const { nodeName: node } = this.context.datapath;
    const type = isVxlan(this.encapsulation) ? 'vxlanTunnelAddress' : 'ipipTunnelAddress';
    return { handle_id: tunnelHandle(node), secondary: { node, type, timestamp: this.datastore.timestamp() } };
  }

  /** What was reserved is attached, and freed in the API when it is detached. */
  private readonly reservations: AddressPool = {
    allocate: (uid) => {
      const address = this.reserved.get(uid);
      if (address === undefined) throw new Error(`no address was reserved for the pod with the uid ${uid}`);
      return address;
    },
    release: (uid) => {
      this.reserved.delete(uid);
      this.wanted.delete(uid);
      this.untilDone(async () => {
        if (!this.wanted.has(uid)) await this.ipam.release(podHandle(uid));
      });
    },
  };

  /** Tries until the API takes it. */
  private untilDone(work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      this.unfinished.push(work);
      this.datastore.report(error);
      this.datastore.inTurn(() => this.again.set(this.context.datapath.root.engine.nowUs + RETRY_US));
    });
  }

  private tryAgain(): void {
    const { unfinished } = this;
    this.unfinished = [];
    for (const work of unfinished) this.untilDone(work);
  }

  private vxlanNode(name: string, prefix: IpPrefix): VxlanNode | undefined {
    const peer = this.peers.get(name);
    const vtepMac = peer && vtepMacOf(peer);
    if (peer === undefined || vtepMac === undefined || this.context.datapath.peers.get(name) === undefined)
      return undefined;
    const gateway = [...this.datastore.blocks.values()].flatMap(
      (block) => addressOf(block, tunnelHandle(name)) ?? [],
    )[0];
    if (gateway === undefined) return undefined;
    const isCrossSubnet = isVxlanCrossSubnet(this.datastore.pools, prefix);
    return { internalIp: peer.internalIp, gateway, vtepMac, ...(isCrossSubnet === undefined ? {} : { isCrossSubnet }) };
  }

  private view(): CalicoctlView {
    const { context, datastore, speaker } = this;
    const { datapath } = context;
    const self = {
      name: datapath.nodeName,
      internalIp: datapath.internalIp,
      annotations: this.self?.annotations ?? {},
    };
    return {
      speaker,
      nowUs: datapath.root.engine.nowUs,
      pools: datastore.pools,
      blocks: [...datastore.blocks.values()],
      strictAffinity: datastore.strictAffinity,
      bgpConfiguration: datastore.bgpConfiguration,
      bgpPeers: datastore.bgpPeers,
      nodes: [self, ...this.peers.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
      nodePrefixLength: datapath.internalPrefixLength,
      podAddresses: context.pods().flatMap(({ addresses }) => addresses),
    };
  }
}

function tunnelHandle(node: string): string {
  return `tunnel-addr-${node}`;
}

function vtepMacOf({ annotations }: PeerNode): number | undefined {
  const vtepMac = Number(annotations[VTEP_ANNOTATION]);
  return Number.isSafeInteger(vtepMac) ? vtepMac : undefined;
}
