/**
 * weave: all pods of the cluster on one Ethernet segment, whose addresses the peers divide among themselves; see README.md.
 *
 *   peers connect (mesh) -> agree who shares the range (paxos) -> each owns a part of it (ring) -> the bridge and pods get addresses
 *                        -> find how packets go between them (peer-links) -> tell who is connected to whom (topology) -> routes
 */
import { createHash } from 'node:crypto';
import { Alarm } from '../../../shared/netstack/alarm.ts';
import { formatMac, type Ipv4Prefix, parseMac } from '../../../shared/wire/address.ts';
import { WeaveNetwork } from '../../datapath/network/weave-network.ts';
import type { WeaveRoutes } from '../../datapath/weave/weave-switch.ts';
import { datapathPeer } from '../datapath-peer.ts';
import { attachLeased } from '../leased-pod.ts';
import { type NetworkConfiguration, PORTMAP } from '../network-configuration.ts';
import type { CniAttachment, CniContext, CniPlugin, PeerNode, PodAttachRequest } from '../plugin.ts';
import type { MeshMessage } from './gossip.ts';
import { Mesh, type MeshConnection } from './mesh.ts';
import { PeerLinks } from './peer-links.ts';
import { MeshPassword } from './session-keys.ts';
import { Topology } from './topology.ts';
import type { WeaveChoice } from './weave-choice.ts';
import { type Electorate, WeaveIpam } from './weave-ipam.ts';
import { weaveRules } from './weave-rules.ts';
import { type WeaveView, weaveCommand } from './weave-view.ts';

/** Owns the address of the bridge. */
const EXPOSED = 'weave:expose';
/** So long the peers that start together are waited for; then as often the election is begun anew. */
const SETTLE_US = 1_500_000;

/** What the node is known by: the MAC of its bridge, the same after every start. */
export function weaveMac(nodeName: string): number {
  const digest = createHash('sha256').update(`weave ${nodeName}`).digest();
  // Unicast, locally administered.
  return digest.readUIntBE(0, 6) - digest[0]! * 2 ** 40 + ((digest[0]! & 0xfc) | 2) * 2 ** 40;
}

export class Weave implements CniPlugin {
  private readonly context: CniContext;
  private readonly network: WeaveNetwork;
  private readonly mesh: Mesh;
  private readonly links: PeerLinks;
  private readonly isEncrypted: boolean;
  private readonly topology: Topology;
  private readonly ipam: WeaveIpam;
  private readonly name: string;
  private readonly alarm: Alarm;
  /** Peers that there must be, as the node's own pod CIDR tells: it is not the first of the cluster. */
  private expected = 1;
  private isUp = false;

  constructor(context: CniContext, { overlays, password }: WeaveChoice) {
    const { datapath, leases, bgpHoldSeconds, log = () => undefined } = context;
    const { root, nodeName, clusterCidr, internalIp } = datapath;
    const mac = weaveMac(nodeName);
    this.context = context;
    this.name = formatMac(mac);
    this.isEncrypted = password !== undefined;
    this.network = datapath.use((parts) => new WeaveNetwork(parts, mac, this.isEncrypted));
    this.topology = new Topology(this.name, nodeName);
    this.ipam = new WeaveIpam({
      self: this.name,
      range: { network: clusterCidr.address, prefixLength: clusterCidr.prefixLength },
      leases,
      changed: () => this.gossip(),
      wantSpace: () => this.askForSpace(),
    });
    this.mesh = new Mesh({
      host: root,
      address: internalIp,
      name: this.name,
      nickname: nodeName,
      holdUs: bgpHoldSeconds * 1e6,
      password: password === undefined ? undefined : new MeshPassword(password),
      overlays,
      log,
      opened: (connection) => this.opened(connection),
      closed: (connection) => this.links.closed(connection),
      beat: (connection) => this.links.beat(connection),
      received: (from, message) => this.received(from, message),
    });
    this.links = new PeerLinks({
      engine: root.engine,
      network: this.network,
      holdUs: bgpHoldSeconds * 1e6,
      log,
      send: (to, message) => this.mesh.send(to, message),
      close: (connection, error) => this.mesh.close(connection, error),
      changed: () => this.connectionsChanged(),
    });
    this.alarm = new Alarm(root.engine, () => this.elect());
    this.applyRules();
  }

  annotations(): Record<string, string> {
    return {};
  }

  configuration(): NetworkConfiguration {
    const weave = { name: 'weave', type: 'weave-net', hairpinMode: true };
    return {
      fileName: '10-weave.conflist',
      content: { cniVersion: '0.3.0', name: 'weave', plugins: [weave, { ...PORTMAP, snat: true }] },
    };
  }

  /** The node is up once its bridge has an address. */
  setUpNode(podCidr: Ipv4Prefix): undefined {
    const { datapath } = this.context;
    const blockSize = 2 ** (32 - podCidr.prefixLength);
    this.expected = Math.max(1, (podCidr.address - datapath.clusterCidr.address) / blockSize); // counted from 1
    this.alarm.set(datapath.root.engine.nowUs + SETTLE_US);
    this.expose();
  }

  attach(request: PodAttachRequest): CniAttachment {
    const { datapath } = this.context;
    const attachment = attachLeased({ datapath, ipam: this.ipam }, request);
    this.applyRules();
    return {
      ...attachment,
      detach: () => {
        attachment.detach();
        this.applyRules();
      },
    };
  }

  retainOnly(podUids: ReadonlySet<string>): void {
    this.ipam.retainOnly(new Set([...podUids, EXPOSED]));
  }

  setPeer(peer: PeerNode): void {
    // No part of the range is a node's for life.
    const known = datapathPeer({ ...peer, podCidr: null }, { vtepMac: weaveMac(peer.name) });
    if (known === undefined) return;
    this.context.datapath.setPeer(known);
    this.links.follow(formatMac(weaveMac(peer.name)));
    this.mesh.addTarget(peer.internalIp);
  }

  /** What it owned goes to the first of those that are left. */
  removePeer(name: string): void {
    const { datapath } = this.context;
    const gone = formatMac(weaveMac(name));
    // All find the same heir, those too that have a connection by way of others alone.
    const [heir] = this.topology.peers
      .map((peer) => peer.name)
      .filter((peer) => peer !== gone)
      .sort();
    const known = datapath.peers.get(name);
    if (known !== undefined) this.mesh.removeTarget(known.options.internalIp);
    datapath.removePeer(name);
    if (heir === this.name) this.ipam.inherit(gone);
  }

  /** `weave`, as on the original's node. */
  commands(): Record<string, (words: readonly string[]) => string> {
    return { weave: (words) => weaveCommand(this.view, words) };
  }

  private get view(): WeaveView {
    const { mesh, links, ipam, topology, network, name, isEncrypted } = this;
    const { clusterCidr: range, nodeName: nickname, root } = this.context.datapath;
    const { nowUs } = root.engine;
    return { mesh, links, ipam, topology, network, name, nickname, range, isEncrypted, nowUs };
  }

  private opened(connection: MeshConnection): void {
    this.links.opened(connection);
    this.gossip();
  }

  private received(from: MeshConnection, message: MeshMessage): void {
    if (message.kind === 'want-space') this.ipam.donate(from.name);
    if (message.kind === 'heard') this.links.confirmed(from, message.way, message.mtuBytes);
    if (message.kind !== 'gossip') return;
    const hasNews = this.topology.merge(message.peers);
    if (hasNews) this.network.setRoutes(this.routes());
    const hasRanges = this.ipam.merge(message.paxos, message.ring, this.electorate);
    this.expose();
    if (hasNews || hasRanges) this.gossip();
  }

  private connectionsChanged(): void {
    this.topology.connectedTo(this.links.established);
    this.network.setRoutes(this.routes());
    this.gossip();
  }

  /** A broadcast's are found when there is one, and hold until the topology changes. */
  private routes(): WeaveRoutes {
    const broadcast = new Map<number, readonly number[]>();
    const numbers = (names: readonly string[]): number[] => names.flatMap((name) => parseMac(name) ?? []);
    const unicast = new Map(
      [...this.topology.unicastRoutes()].map((pair) => numbers(pair) as [number, number]), // both are MACs
    );
    const broadcastOf = (source: number): readonly number[] => {
      const known = broadcast.get(source) ?? numbers(this.topology.broadcastRoutes(formatMac(source)));
      broadcast.set(source, known);
      return known;
    };
    return { unicast, broadcastOf };
  }

  private gossip(): void {
    this.mesh.sendAll({ kind: 'gossip', peers: this.topology.peers, ...this.ipam.state });
  }

  private elect(): void {
    const { root } = this.context.datapath;
    const { candidates, quorum } = this.electorate;
    if (candidates.length >= quorum) this.ipam.elect({ candidates, quorum });
    this.expose();
    if (!this.isUp) this.alarm.set(root.engine.nowUs + SETTLE_US);
  }

  /** A majority of those that there must be, and of those that are known. */
  private get electorate(): Electorate {
    const peers = Math.max(this.expected, this.mesh.list().length + 1);
    return { candidates: [this.name, ...this.connected], quorum: Math.floor(peers / 2) + 1 };
  }

  /** Names of those this peer has a connection to. */
  private get connected(): readonly string[] {
    return this.mesh.connections.map(({ name }) => name);
  }

  /** As soon as the peer owns addresses, the bridge has one. */
  private expose(): void {
    if (this.isUp) return;
    if (this.ipam.isReady && !this.ipam.ring.owners.has(this.name)) this.askForSpace();
    if (this.ipam.ring.rangesOf(this.name).length === 0) return;
    this.isUp = true;
    this.alarm.clear();
    this.network.expose(this.ipam.allocate(EXPOSED));
    this.context.up({ reason: 'WeaveIsUp', message: 'Weave pod network is up' });
  }

  /** Of the one that has most. */
  private askForSpace(): void {
    const { ring } = this.ipam;
    const [richest] = [...this.connected].sort((a, b) => ring.sizeOf(b) - ring.sizeOf(a));
    if (richest !== undefined) this.mesh.send(richest, { kind: 'want-space' });
  }

  /** They name the pods of this node. */
  private applyRules(): void {
    const { datapath } = this.context;
    const local = [...datapath.pods.values()].map(({ address }) => address);
    const reply = datapath.applyRules(weaveRules(datapath.bootId, datapath.clusterCidr, local));
    if (reply.kind !== 'applied') throw new Error(`weave's rules were refused: ${JSON.stringify(reply)}`);
  }
}
