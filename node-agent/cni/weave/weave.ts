/**
 * weave: all pods of the cluster on one Ethernet segment, whose addresses the peers divide among themselves; see README.md.
 *
 *   peers connect (mesh) -> agree who shares the range (paxos) -> each owns a part of it (ring) -> the bridge and pods get addresses
 */
import { createHash } from 'node:crypto';
import { Alarm } from '../../../shared/netstack/alarm.ts';
import { formatMac, type Ipv4Prefix } from '../../../shared/wire/address.ts';
import { WeaveNetwork } from '../../datapath/network/weave-network.ts';
import { datapathPeer } from '../datapath-peer.ts';
import { attachLeased } from '../leased-pod.ts';
import { type NetworkConfiguration, PORTMAP } from '../network-configuration.ts';
import type { CniAttachment, CniContext, CniPlugin, PeerNode, PodAttachRequest } from '../plugin.ts';
import type { MeshMessage } from './gossip.ts';
import { Mesh } from './mesh.ts';
import { Topology } from './topology.ts';
import { type Electorate, WeaveIpam } from './weave-ipam.ts';
import { weaveRules } from './weave-rules.ts';
import { weaveCommand } from './weave-status.ts';

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
  private readonly topology: Topology;
  private readonly ipam: WeaveIpam;
  private readonly name: string;
  private readonly alarm: Alarm;
  /** Peers that there must be, as the node's own pod CIDR tells: it is not the first of the cluster. */
  private expected = 1;
  private isUp = false;

  constructor(context: CniContext) {
    const { datapath, leases, bgpHoldSeconds } = context;
    const { root, nodeName, clusterCidr, internalIp } = datapath;
    const mac = weaveMac(nodeName);
    this.context = context;
    this.name = formatMac(mac);
    this.network = datapath.use((parts) => new WeaveNetwork(parts, mac));
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
      changed: () => this.connectionsChanged(),
      received: (from, message) => this.received(from, message),
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
    const known = datapathPeer(peer, { vtepMac: weaveMac(peer.name) });
    if (known === undefined) return;
    this.context.datapath.setPeer(known);
    this.mesh.addTarget(peer.internalIp);
  }

  /** What it owned goes to the first of those that are left. */
  removePeer(name: string): void {
    const { datapath } = this.context;
    const known = datapath.peers.get(name);
    if (known !== undefined) this.mesh.removeTarget(known.options.internalIp);
    datapath.removePeer(name);
    const gone = formatMac(weaveMac(name));
    const [heir] = [this.name, ...this.mesh.connected].filter((peer) => peer !== gone).sort();
    if (heir === this.name) this.ipam.inherit(gone);
  }

  /** `weave`, as on the original's node. */
  commands(): Record<string, (words: readonly string[]) => string> {
    const { mesh, ipam, topology, name } = this;
    const { clusterCidr, nodeName } = this.context.datapath;
    return {
      weave: (words) => weaveCommand({ mesh, ipam, topology, name, nickname: nodeName, range: clusterCidr }, words),
    };
  }

  private received(from: string, message: MeshMessage): void {
    if (message.kind === 'want-space') this.ipam.donate(from);
    if (message.kind !== 'gossip') return;
    const hasNews = this.topology.merge(message.peers);
    const hasRanges = this.ipam.merge(message.paxos, message.ring, this.electorate);
    this.expose();
    if (hasNews || hasRanges) this.gossip();
  }

  private connectionsChanged(): void {
    this.topology.connectedTo(this.mesh.connected);
    this.gossip();
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
    return { candidates: [this.name, ...this.mesh.connected], quorum: Math.floor(peers / 2) + 1 };
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
    const sizeOf = (peer: string): number => ring.rangesOf(peer).reduce((sum, { size }) => sum + size, 0);
    const [richest] = [...this.mesh.connected].sort((a, b) => sizeOf(b) - sizeOf(a));
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
