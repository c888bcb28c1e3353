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
 *              -> cni0 | flannel.1 (VNI 1, VXLAN) | eth0 (VNI 0, plain): as the CNI plugin's network has it
 *                              \_____ underlay: a batch a peer and turn _____/
 *                                              |
 *                               UnderlayLink ==> the other node: the same in reverse
 *
 * Files in the order of the path: network/, bridge, fdb | netfilter, conntrack, rule-families, nat, packet-policy | vxlan-device,
 * underlay-device, underlay, faults/, link. Beside it: drop-ledger, trace, capture/, show/.
 */
import type { NetDevice } from '../../shared/netstack/device.ts';
import { Host } from '../../shared/netstack/host.ts';
import type { RulesReply, RulesTransaction } from '../../shared/rules/transaction.ts';
import { addressPlus, formatAddress, type IpPrefix, networkOf } from '../../shared/wire/ip-address.ts';
import { ANY_IPV6 } from '../../shared/wire/ipv6-address.ts';
import { type AddressHolder, ipv6Table } from '../../shared/wire/ipv6-table.ts';
import { SocketBalancers } from './bpf/socket-balancers.ts';
import type { BridgeDevice } from './bridge.ts';
import { CaptureTaps } from './capture/capture-taps.ts';
import { Conntrack } from './conntrack.ts';
import { indexesFrom, underlayMacOf } from './device-identity.ts';
import { DropLedger } from './drop-ledger.ts';
import { attachPoint, deviceKeys, peerKey } from './faults/attach-points.ts';
import { FaultyLink } from './faults/faulty-link.ts';
import { LinkFaults } from './faults/link-faults.ts';
import { forgetConnections } from './forget-connections.ts';
import { ServiceAddresses } from './ipvs/service-addresses.ts';
import { KernelLog } from './kernel-log.ts';
import { Netfilter } from './netfilter.ts';
import type { NetworkParts, NodeNetwork } from './network/node-network.ts';
import type { NodeCounters, NodeDatapathOptions } from './node-options.ts';
import { NodeTunnelDevice } from './node-tunnel-device.ts';
import type { PacketPolicy } from './packet-policy.ts';
import { type PeerOptions, PeerTable } from './peer-table.ts';
import type { PodAttachment, PodAttachOptions } from './pod-attachment.ts';
import { RecentLists } from './recent-lists.ts';
import { RuleFamilies } from './rule-families.ts';
import { describeRoute } from './show/route.ts';
import { type Trace, type TraceFilter, Tracer } from './trace.ts';
import { TunnelDevice } from './tunnel-device.ts';
import { Underlay } from './underlay.ts';
import { UnderlayDevice } from './underlay-device.ts';

const ETH0_INDEX = 2; // behind lo
const DEFAULT_PREFIX_LENGTH = 24;

export class NodeDatapath implements AddressHolder {
  readonly nodeName: string;
  readonly internalIp: number;
  readonly bootId: string;
  /** The root namespace. */
  readonly root: Host;
  readonly eth0: UnderlayDevice;
  readonly netfilter: Netfilter;
  readonly conntrack: Conntrack;
  readonly rules: RuleFamilies;
  private readonly recent = new RecentLists();
  readonly drops = new DropLedger();
  readonly kernelLog = new KernelLog(() => this.root.engine.nowUs);
  readonly underlay: Underlay;
  readonly peers: PeerTable;
  readonly faults: LinkFaults;
  readonly captures: CaptureTaps;
  private readonly serviceAddresses: ServiceAddresses;
  private readonly socketBalancers: SocketBalancers;
  private readonly options: NodeDatapathOptions;
  private readonly tracer: Tracer;
  private readonly attachments = new Map<string, PodAttachment>();
  private readonly podAddresses = new Set<number>();
  private network: NodeNetwork | null = null;
  /** For a new device of the root namespace. */
  readonly nextIndex = indexesFrom(ETH0_INDEX + 1);

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
      isAddressOf: (device, address) => this.root.hasAddress(device, address),
      isNodeAddress: (address) => this.root.isLocal(address) || this.peers.hasAddress(address),
      recent: this.recent,
      log: (line) => this.kernelLog.add(line),
    });
    this.netfilter = new Netfilter({
      memory,
      conntrack: this.conntrack,
      rules: this.rules,
      random: engine.random,
      sourceFor: (device, destination) => this.root.sourceFor(device, destination),
      isLocalAddress: (address) => this.root.isLocal(address),
      isOwnPod: (address) => this.podAddresses.has(address),
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
    this.socketBalancers = new SocketBalancers(this.rules);
    this.socketBalancers.add(this.root, options.internalIp);
    this.serviceAddresses = new ServiceAddresses(this.root, this.nextIndex);
    const link = new FaultyLink(options.link);
    const underlay = new Underlay(engine, memory, link, this.drops);
    this.underlay = underlay;
    const mtuBytes = options.mtuBytes ?? 1500;
    this.eth0 = new UnderlayDevice({
      memory,
      underlay,
      drops: this.drops,
      name: 'eth0',
      index: ETH0_INDEX,
      macAddress: underlayMacOf(options.internalIp),
      mtuBytes,
    });
    underlay.addEnd(this.eth0.vni, this.eth0);
    underlay.carrier = this.eth0;
    this.root.addDevice(this.eth0);
    this.addUnderlayRoutes(options.internalIp, this.internalPrefixLength, 0);
    if (options.ipv6 !== undefined) this.addUnderlayRoutes(options.ipv6.internalIp, 64, ANY_IPV6);
    ipv6Table.hold(this);
    this.peers = new PeerTable(this.root, underlay, this.eth0);
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
      nodeNameOf: (address) => this.peers.nodeNameOf(address) ?? formatAddress(address),
      attach: (tracer) => this.observe(tracer),
    });
  }

  /** The device that the other nodes' pods are behind; undefined where packets leave as they are. */
  get overlay(): TunnelDevice | undefined {
    return this.network?.tunnels[0];
  }

  /** Of the overlay: the other nodes must know it. */
  get vtepMac(): number | undefined {
    return this.overlay?.macAddress;
  }

  get underlayMac(): number {
    return this.eth0.macAddress;
  }

  /** The router of the network of the nodes. */
  get gateway(): number {
    return networkOf(this.internalIp, this.internalPrefixLength) + 1;
  }

  /** null where the network has none, or not yet. */
  get bridge(): BridgeDevice | null {
    return this.network?.bridge ?? null;
  }

  /** Of the nodes' network. */
  get internalPrefixLength(): number {
    return this.options.internalPrefixLength ?? DEFAULT_PREFIX_LENGTH;
  }

  /** Of all pods of the cluster. */
  get clusterCidr(): IpPrefix {
    return this.options.clusterCidr;
  }

  /** null until the node has one. */
  get podCidr(): IpPrefix | null {
    return this.network?.podCidr ?? null;
  }

  get podCidrIpv6(): IpPrefix | null {
    return this.network?.podCidrIpv6 ?? null;
  }

  get pods(): ReadonlyMap<string, PodAttachment> {
    return this.attachments;
  }

  /** All devices of the root namespace in the order of their indexes, bridge ports included. */
  get devices(): NetDevice[] {
    const ports = [...this.attachments.values()].map(({ hostDevice }) => hostDevice);
    const all = new Set([...this.root.interfaces.keys(), ...(this.network?.devices ?? []), ...ports]);
    return [...all].sort((a, b) => a.index - b.index);
  }

  /** Of a namespace of this node. */
  devicesOf(host: Host): readonly NetDevice[] {
    return host === this.root ? this.devices : [...host.interfaces.keys()];
  }

  /** Where network policy is asked; null accepts all. */
  setPolicy(policy: PacketPolicy | null): void {
    this.netfilter.policy = policy;
  }

  /** Gives the node the network of its CNI plugin, once in its life; before, it has `lo` and `eth0` and no pods. */
  use<Network extends NodeNetwork>(create: (parts: NetworkParts) => Network): Network {
    if (this.network !== null) throw new Error(`${this.nodeName} has a network already`);
    const network = create(this.networkParts());
    this.network = network;
    this.peers.follower = network;
    this.captures.devicesChanged();
    return network;
  }

  /** As the network does it: bridges, addresses, rules. */
  setPodCidr(podCidr: IpPrefix): void {
    this.network?.setPodCidr(podCidr);
    this.captures.devicesChanged();
  }

  setPodCidrIpv6(podCidr: IpPrefix): void {
    this.network?.setPodCidrIpv6(podCidr);
  }

  /** Plugs a pod in. Throws when the node has no CIDR yet, or the pod or its address is there already. */
  attachPod(pod: PodAttachOptions): PodAttachment {
    if (this.network === null) throw new Error(`pod ${pod.id}: node ${this.nodeName} has no network yet`);
    for (const { id, address } of this.attachments.values()) {
      if (id === pod.id || address === pod.address) {
        throw new Error(
          `pod ${pod.id} with ${formatAddress(pod.address)}: ${id} has ${formatAddress(address)} already`,
        );
      }
    }
    const attachment = this.network.attach(pod, () => this.detached(pod.id));
    this.attachments.set(pod.id, attachment);
    for (const address of addressesOf(attachment)) this.podAddresses.add(address);
    this.socketBalancers.add(attachment.host, pod.address);
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
    this.socketBalancers.followAll();
    const family = transaction.family ?? 'ipv4';
    this.serviceAddresses.follow(transaction, this.rules[family].ipvs);
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

  private networkParts(): NetworkParts {
    const { engine, memory, bootId, secret, internalIp, clusterCidr, ipv6 } = this.options;
    const { nodeName, root, eth0, underlay, drops, rules } = this;
    return {
      nodeName,
      engine,
      memory,
      root,
      eth0,
      underlay,
      drops,
      rules,
      bootId,
      secret,
      internalIp,
      internalPrefixLength: this.internalPrefixLength,
      clusterCidr,
      clusterCidrIpv6: ipv6?.clusterCidr,
      nextIndex: this.nextIndex,
    };
  }

  private faultPlaces(link: FaultyLink) {
    const { nodeName, peers, attachments: pods, eth0: card, underlay: overlay } = this;
    return {
      nodeName,
      memory: this.options.memory,
      link,
      peerId: (name: string) => peers.get(name)?.peer.id,
      peerNames: () => peers.list().map(({ options }) => options.nodeName),
      pods,
      tunnels: this.devices.filter((each) => each instanceof TunnelDevice || each instanceof NodeTunnelDevice),
      card,
      overlay,
    };
  }

  private detached(podId: string): void {
    const attachment = this.attachments.get(podId);
    if (attachment === undefined) return;
    this.attachments.delete(podId);
    for (const address of addressesOf(attachment)) this.podAddresses.delete(address);
    this.socketBalancers.remove(attachment.host);
    for (const key of deviceKeys(attachment)) this.faults.forget(key);
    this.captures.devicesChanged();
  }

  private observe(tracer: Tracer | null): void {
    this.eth0.observer = tracer;
    this.network?.observe(tracer);
    this.netfilter.observer = tracer;
    this.drops.observer = tracer;
    this.faults.tracer = tracer;
    this.rules.observer =
      tracer === null ? null : (packet, table, chain, rule) => tracer.matched(packet, table, chain, rule);
  }
}

function addressesOf({ address, addressIpv6 }: PodAttachment): number[] {
  return addressIpv6 === undefined ? [address] : [address, addressIpv6];
}
