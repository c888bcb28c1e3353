/**
 * One node's kernel: devices, bridge, routes, connection tracking, rules and the tunnels to the other nodes. Pure: what
 * arrives comes from `UnderlayLink` and the pods' sockets, what leaves goes there, time and random numbers are the engine's.
 *
 *      pod A            pod B                                 sockets of the node (hostNetwork)
 *      eth0             eth0                                            |
 *        | veth           | veth                                      INPUT / OUTPUT
 *   +----+----------------+----+                                        |
 *   | cni0: learn, forward,    |  not for this MAC: PREROUTING, FORWARD, POSTROUTING, other port
 *   |       flood, hairpin     |                                        |
 *   +----------+---------------+                                        |
 *              | for cni0's MAC                                         |
 *              v                                                        v
 *   PREROUTING: conntrack, DNAT -> route, TTL -> FORWARD: rules, policy on the real backend
 *              -> POSTROUTING: masquerade, conntrack confirms -> MTU, neighbour
 *              -> cni0 | flannel.1 (VNI 1, VXLAN) | eth0 (VNI 0, plain)
 *                              \_____ underlay: a batch a peer and turn _____/
 *                                              |
 *                               UnderlayLink ==> the other node: the same in reverse
 *
 * Files in the order of the path: bridge, fdb | netfilter, conntrack, rule-families, nat, packet-policy | vxlan-device,
 * underlay-device, underlay, faults/, link. Beside it: drop-ledger, trace, capture/, show/.
 */
import type { NetDevice } from '../../shared/netstack/device.ts';
import { Host } from '../../shared/netstack/host.ts';
import type { RulesReply, RulesTransaction } from '../../shared/rules/transaction.ts';
import { macOfIpv4 } from '../../shared/wire/address.ts';
import {
  addressBits,
  addressPlus,
  formatAddress,
  formatPrefix,
  type IpPrefix,
  networkOf,
} from '../../shared/wire/ip-address.ts';
import { ANY_IPV6 } from '../../shared/wire/ipv6-address.ts';
import { type AddressHolder, ipv6Table } from '../../shared/wire/ipv6-table.ts';
import { OVERHEAD_BYTES } from '../../shared/wire/vxlan.ts';
import { BridgeDevice } from './bridge.ts';
import { CaptureTaps } from './capture/capture-taps.ts';
import { Conntrack } from './conntrack.ts';
import { randomMac, underlayMacOf, vethName } from './device-identity.ts';
import { DropLedger } from './drop-ledger.ts';
import { attachPoint, deviceKeys, peerKey } from './faults/attach-points.ts';
import { FaultyLink } from './faults/faulty-link.ts';
import { LinkFaults } from './faults/link-faults.ts';
import { flannelRules } from './flannel-rules.ts';
import { forgetConnections } from './forget-connections.ts';
import { ServiceAddresses } from './ipvs/service-addresses.ts';
import { Netfilter } from './netfilter.ts';
import type { NodeCounters, NodeDatapathOptions, NodeDevice } from './node-options.ts';
import type { PacketPolicy } from './packet-policy.ts';
import { type PeerOptions, PeerTable } from './peer-table.ts';
import { attachPod, type PodAttachment, type PodAttachOptions } from './pod-attachment.ts';
import { RecentLists } from './recent-lists.ts';
import { RuleFamilies } from './rule-families.ts';
import { describeRoute } from './show/route.ts';
import { type Trace, type TraceFilter, Tracer } from './trace.ts';
import { Underlay } from './underlay.ts';
import { UnderlayDevice } from './underlay-device.ts';
import { VxlanDevice } from './vxlan-device.ts';

const LOOPBACK_INDEX = 1;
const ETH0_INDEX = LOOPBACK_INDEX + 1;
const FLANNEL_INDEX = ETH0_INDEX + 1;
const CNI0_INDEX = FLANNEL_INDEX + 1;

export class NodeDatapath implements AddressHolder {
  readonly nodeName: string;
  readonly internalIp: number;
  readonly bootId: string;
  /** The root namespace. */
  readonly root: Host;
  readonly eth0: UnderlayDevice;
  readonly flannel: VxlanDevice;
  readonly netfilter: Netfilter;
  readonly conntrack: Conntrack;
  readonly rules: RuleFamilies;
  private readonly recent = new RecentLists();
  readonly drops = new DropLedger();
  readonly underlay: Underlay;
  readonly peers: PeerTable;
  readonly faults: LinkFaults;
  readonly captures: CaptureTaps;
  private readonly serviceAddresses: ServiceAddresses;
  private readonly options: NodeDatapathOptions;
  private readonly tracer: Tracer;
  private readonly attachments = new Map<string, PodAttachment>();
  private nextIndex = CNI0_INDEX + 1;
  private cni0: BridgeDevice | null = null;
  private cidr: IpPrefix | null = null;
  private cidrIpv6: IpPrefix | null = null;

  constructor(options: NodeDatapathOptions) {
    const { engine, memory } = options;
    this.options = options;
    this.nodeName = options.nodeName;
    this.internalIp = options.internalIp;
    this.bootId = options.bootId;
    this.conntrack = new Conntrack({ engine, memory, maxConnections: options.maxConnections });
    this.rules = new RuleFamilies(options.bootId, memory.view, {
      random: engine.random,
      nowUs: () => engine.nowUs,
      isLocalAddress: (address) => this.root.isLocal(address),
      recent: this.recent,
    });
    this.netfilter = new Netfilter({
      memory,
      conntrack: this.conntrack,
      rules: this.rules,
      random: engine.random,
      sourceFor: (device, destination) => this.root.sourceFor(device, destination),
      isLocalAddress: (address) => this.root.isLocal(address),
      nowUs: () => engine.nowUs,
    });
    this.root = new Host({
      engine,
      memory,
      name: options.nodeName,
      ipForward: true,
      ipv6: options.ipv6 !== undefined,
      hooks: this.netfilter,
      observer: this.drops.of(options.nodeName),
      secret: options.secret,
    });
    this.root.reversePathFilter = 'loose';
    this.serviceAddresses = new ServiceAddresses(this.root, () => this.nextIndex++);
    const link = new FaultyLink(options.link);
    const underlay = new Underlay(engine, memory, link, this.drops);
    this.underlay = underlay;
    const mtuBytes = options.mtuBytes ?? 1500;
    const common = { memory, underlay, drops: this.drops };
    const underlayMac = underlayMacOf(options.internalIp);
    this.eth0 = new UnderlayDevice({ ...common, name: 'eth0', index: ETH0_INDEX, macAddress: underlayMac, mtuBytes });
    this.flannel = new VxlanDevice({
      ...common,
      name: 'flannel.1',
      index: FLANNEL_INDEX,
      macAddress: randomMac(engine.random),
      mtuBytes: mtuBytes - OVERHEAD_BYTES,
    });
    underlay.addEnd(this.eth0.vni, this.eth0);
    underlay.addEnd(this.flannel.vni, this.flannel);
    this.root.addDevice(this.eth0);
    this.addUnderlayRoutes(options.internalIp, options.internalPrefixLength ?? 24, 0);
    if (options.ipv6 !== undefined) this.addUnderlayRoutes(options.ipv6.internalIp, 64, ANY_IPV6);
    this.root.addDevice(this.flannel);
    ipv6Table.hold(this);
    this.peers = new PeerTable(this.root, underlay, this.eth0, this.flannel);
    this.faults = new LinkFaults({
      engine,
      memory,
      countDrop: (packet, reason, where) => this.drops.dropped(packet, reason, where),
      resolve: (target) => attachPoint(this.faultPlaces(link), target),
    });
    this.captures = new CaptureTaps({
      memory,
      conntrack: this.conntrack,
      drops: this.drops,
      underlay,
      root: this.root,
      eth0: this.eth0,
      devicesOf: (host) => this.devicesOf(host),
      peers: this.peers,
      internalIp: options.internalIp,
      clockUs: options.traceClockUs ?? (() => engine.nowUs),
    });
    this.tracer = new Tracer({
      nodeName: options.nodeName,
      view: memory.view,
      conntrack: this.conntrack,
      clockUs: options.traceClockUs ?? (() => engine.nowUs),
      describeRoute: (destination) => describeRoute(this.root, destination),
      attach: (tracer) => this.observe(tracer),
    });
  }

  /** Published for the other nodes (`flannel.alpha.coreos.com/backend-data`). */
  get vtepMac(): number {
    return this.flannel.macAddress;
  }

  get underlayMac(): number {
    return this.eth0.macAddress;
  }

  /** The router of the network of the nodes. */
  get gateway(): number {
    return networkOf(this.internalIp, this.options.internalPrefixLength ?? 24) + 1;
  }

  /** null until the node has a pod CIDR. */
  get bridge(): BridgeDevice | null {
    return this.cni0;
  }

  get podCidr(): IpPrefix | null {
    return this.cidr;
  }

  get podCidrIpv6(): IpPrefix | null {
    return this.cidrIpv6;
  }

  get pods(): ReadonlyMap<string, PodAttachment> {
    return this.attachments;
  }

  /** All devices of the root namespace in the order of their indexes, bridge ports included. */
  get devices(): NodeDevice[] {
    const made = [this.cni0, this.serviceAddresses.device].filter((device) => device !== null);
    const ports = [...this.attachments.values()].map(({ hostDevice }) => hostDevice);
    return [this.root.loopback, this.eth0, this.flannel, ...made, ...ports];
  }

  /** Of a namespace of this node. */
  devicesOf(host: Host): readonly NetDevice[] {
    return host === this.root ? this.devices : [...host.interfaces.keys()];
  }

  /** Where network policy is asked; null accepts all. */
  setPolicy(policy: PacketPolicy | null): void {
    this.netfilter.policy = policy;
  }

  /** Makes `cni0` with the first address of the CIDR and `flannel.1` with the zeroth. A node keeps its CIDR for life. */
  setPodCidr(podCidr: IpPrefix): void {
    const network = networkOf(podCidr.address, podCidr.prefixLength);
    if (this.cidr !== null) {
      if (this.cidr.address === network && this.cidr.prefixLength === podCidr.prefixLength) return;
      throw new Error(
        `${this.nodeName} has pod CIDR ${formatPrefix(this.cidr)} and cannot change to ${formatPrefix(podCidr)}`,
      );
    }
    this.cidr = { address: network, prefixLength: podCidr.prefixLength };
    const { engine, memory } = this.options;
    const gateway = network + 1;
    this.cni0 = new BridgeDevice({
      engine,
      memory,
      host: this.root,
      rulePorts: this.rules.ports,
      name: 'cni0',
      index: CNI0_INDEX,
      macAddress: macOfIpv4(gateway),
      mtuBytes: this.flannel.mtuBytes,
    });
    this.cni0.observer = this.eth0.observer; // a trace may have begun before
    this.captures.devicesChanged();
    this.addPodNetwork(this.cni0, this.cidr, this.options.clusterCidr);
  }

  /** The same for IPv6, on the bridge that IPv4's made. */
  setPodCidrIpv6(podCidr: IpPrefix): void {
    const { ipv6 } = this.options;
    if (this.cni0 === null || ipv6 === undefined || this.cidrIpv6 !== null) return;
    this.cidrIpv6 = { ...podCidr, address: networkOf(podCidr.address, podCidr.prefixLength) };
    this.addPodNetwork(this.cni0, this.cidrIpv6, ipv6.clusterCidr);
  }

  private addPodNetwork(bridge: BridgeDevice, podCidr: IpPrefix, clusterCidr: IpPrefix): void {
    const { address: network, prefixLength } = podCidr;
    this.root.addAddress(this.flannel, network, addressBits(network));
    this.root.addAddress(bridge, addressPlus(network, 1), prefixLength);
    const reply = this.rules.apply(flannelRules(this.bootId, clusterCidr, podCidr));
    if (reply.kind !== 'applied') throw new Error(`flannel's rules were refused: ${JSON.stringify(reply)}`);
  }

  /** Plugs a pod in. Throws when the node has no CIDR yet, or the pod or its address is there already. */
  attachPod(pod: PodAttachOptions): PodAttachment {
    if (this.cni0 === null || this.cidr === null) {
      throw new Error(`pod ${pod.id}: node ${this.nodeName} has no pod CIDR yet`);
    }
    for (const { id, address } of this.attachments.values()) {
      if (id === pod.id || address === pod.address) {
        throw new Error(
          `pod ${pod.id} with ${formatAddress(pod.address)}: ${id} has ${formatAddress(address)} already`,
        );
      }
    }
    const { engine, memory } = this.options;
    const attachment = attachPod(
      {
        bridge: this.cni0,
        gateway: addressPlus(this.cidr.address, 1),
        podCidr: this.cidr,
        podCidrIpv6: this.cidrIpv6,
        clusterCidr: this.options.clusterCidr,
        hostDeviceIndex: this.nextIndex++,
        hostDeviceName: pod.hostDeviceName ?? vethName(engine.random),
        hostDeviceMac: randomMac(engine.random),
        mtuBytes: this.flannel.mtuBytes,
      },
      pod,
      {
        engine,
        memory,
        name: pod.id,
        ipv6: this.options.ipv6 !== undefined,
        observer: this.drops.of(pod.id),
        secret: this.options.secret,
      },
      () => this.detached(pod.id),
    );
    this.attachments.set(pod.id, attachment);
    this.captures.devicesChanged();
    return attachment;
  }

  /** Makes another node reachable, or follows its changes. */
  setPeer(peer: PeerOptions): void {
    this.peers.set(peer);
    this.faults.reattach(peerKey(peer.nodeName));
  }

  removePeer(nodeName: string): void {
    this.faults.forget(peerKey(nodeName));
    this.peers.remove(nodeName);
  }

  /** Between two packets; established connections go on as they were decided. */
  applyRules(transaction: RulesTransaction): RulesReply {
    const reply = this.rules.apply(transaction);
    if (reply.kind !== 'applied') return reply;
    this.serviceAddresses.follow(transaction, this.rules.ipv4.ipvs);
    forgetConnections(this.conntrack, transaction.forget ?? []);
    return reply;
  }

  /** For the sweep of the table of IPv6 addresses: what the root namespace does not hold itself. */
  visitAddresses(visit: (address: number) => void): void {
    for (const holder of [this.conntrack, this.rules, this.recent, this.peers]) holder.visitAddresses(visit);
    for (const { addressIpv6 } of this.attachments.values()) if (addressIpv6 !== undefined) visit(addressIpv6);
  }

  /** For metrics; the rows of `drops` name place, reason and cause. */
  counters(): NodeCounters {
    const { table, invalid } = this.conntrack;
    return {
      connections: table.size,
      maxConnections: table.maxConnections,
      connectionsDroppedEarly: table.earlyDrops,
      connectionsRefused: table.refused,
      invalidPackets: invalid,
      devices: this.devices.map(({ name, counters }) => ({ name, ...counters })),
      drops: this.drops.list(),
    };
  }

  /** Follows packets that fit the filter until the trace is stopped. */
  trace(filter: TraceFilter): Trace {
    return this.tracer.start(filter);
  }

  /** Timers and the link's callback end; the caller closes the link. */
  dispose(): void {
    for (const pod of [...this.attachments.values()]) pod.detach();
    this.faults.dispose();
    this.conntrack.dispose();
    this.options.link.onReceive = null;
  }

  /** The default route too: without one, not even a Service address, which OUTPUT translates, could be sent to. */
  private addUnderlayRoutes(internalIp: number, prefixLength: number, everywhere: number): void {
    this.root.addAddress(this.eth0, internalIp, prefixLength);
    const gateway = addressPlus(networkOf(internalIp, prefixLength), 1);
    this.root.routes.add({ destination: everywhere, prefixLength: 0, gateway, device: this.eth0 });
  }

  private faultPlaces(link: FaultyLink) {
    const { nodeName, peers, attachments: pods, eth0, flannel } = this;
    return {
      nodeName,
      link,
      peerId: (name: string) => peers.get(name)?.peer.id,
      peerNames: () => peers.list().map(({ options }) => options.nodeName),
      pods,
      tunnels: [eth0, flannel],
    };
  }

  private detached(podId: string): void {
    const attachment = this.attachments.get(podId);
    this.attachments.delete(podId);
    if (attachment !== undefined) for (const key of deviceKeys(attachment)) this.faults.forget(key);
    this.captures.devicesChanged();
  }

  private observe(tracer: Tracer | null): void {
    this.eth0.observer = tracer;
    this.flannel.observer = tracer;
    if (this.cni0 !== null) this.cni0.observer = tracer;
    this.netfilter.observer = tracer;
    this.drops.observer = tracer;
    this.faults.tracer = tracer;
    this.rules.observer =
      tracer === null ? null : (packet, table, chain, rule) => tracer.matched(packet, table, chain, rule);
  }
}
