/** A few nodes' data paths in one process, joined by a link in memory, in virtual time. */
import type { LinkEndpoint, PeerId, UnderlayLink } from '../../node-agent/datapath/link.ts';
import { vxlanNetwork } from '../../node-agent/datapath/network/bridged-network.ts';
import type { NetworkParts, NodeNetwork } from '../../node-agent/datapath/network/node-network.ts';
import { NodeDatapath } from '../../node-agent/datapath/path.ts';
import type { PodAttachment } from '../../node-agent/datapath/pod-attachment.ts';
import type { TraceHop } from '../../node-agent/datapath/trace.ts';
import { WireguardDevice } from '../../node-agent/datapath/wireguard/wireguard-device.ts';
import type { FrameReceiver } from '../../shared/netstack/engine.ts';
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import type { Host } from '../../shared/netstack/host.ts';
import type { PingRequest, PingResult } from '../../shared/netstack/icmp.ts';
import { seededRandom } from '../../shared/netstack/seeded-random.ts';
import { formatEndpoint, parseAddress, parsePrefix } from '../../shared/wire/ip-address.ts';
import { ANY_IPV6 } from '../../shared/wire/ipv6-address.ts';
import { type Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import { serviceRules, type TestService } from './service-rules.testkit.ts';

const TURN_US = 10;
const LINK_PORT = 4789;

export const ip = (text: string): number => {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
};

const prefix = (text: string) => parsePrefix(text)!;

/** Hands datagrams from node to node over the engine's backlog, and keeps a copy of each. */
class MemoryLink implements UnderlayLink {
  readonly local: LinkEndpoint;
  onReceive: UnderlayLink['onReceive'] = null;
  private readonly cluster: TestCluster;
  private readonly peers: (LinkEndpoint | undefined)[] = [];

  constructor(cluster: TestCluster, address: string) {
    this.cluster = cluster;
    this.local = { address, port: LINK_PORT };
  }

  addPeer(endpoint: LinkEndpoint): PeerId {
    return this.peers.push(endpoint) - 1;
  }

  removePeer(peer: PeerId): void {
    this.peers[peer] = undefined;
  }

  send(peer: PeerId, datagrams: readonly Packet[]): void {
    const target = this.cluster.links.get(this.peers[peer]?.address ?? '');
    for (const datagram of datagrams) {
      this.cluster.keep(datagram);
      const receiver: FrameReceiver = { receive: (packet) => target?.deliver(this.local, packet) };
      if (target === undefined || !this.cluster.engine.enqueue(receiver, datagram)) this.cluster.memory.free(datagram);
    }
  }

  deliver(from: LinkEndpoint, packet: Packet): void {
    const peer = this.peers.findIndex((endpoint) => endpoint?.address === from.address);
    if (peer < 0 || this.onReceive === null) {
      this.cluster.unknownSenders++;
      this.cluster.memory.free(packet);
      return;
    }
    packet.checksumTrusted = false;
    this.onReceive(peer, [packet]);
  }

  close(): void {
    this.cluster.links.delete(this.local.address);
  }
}

export interface Exchange {
  /** What the server saw as its client, and what it was asked at: `10.244.1.5:40000`. */
  readonly serverSaw: string | null;
  /** Where the client's answer came from. */
  readonly answerFrom: string | null;
  readonly answer: string | null;
  readonly error: string | null;
}

export interface TestClusterOptions {
  readonly traced?: boolean;
  /** Keeps a copy of each datagram between nodes, as by default. */
  readonly captures?: boolean;
  /** flannel's VXLAN by default. */
  readonly network?: (parts: NetworkParts) => NodeNetwork;
  /** Gives a node its network, instead of `network`: a CNI plugin. */
  readonly prepare?: (node: NodeDatapath) => void;
}

export class TestCluster {
  readonly engine: EventEngine;
  readonly memory = new PacketMemory({ smallSlots: 4096, largeSlots: 64 });
  readonly links = new Map<string, MemoryLink>();
  readonly nodes: NodeDatapath[] = [];
  /** Every datagram between nodes, VXLAN header first. */
  readonly captured: Uint8Array[] = [];
  /** Hops of all nodes, in order. */
  readonly hops: TraceHop[] = [];
  unknownSenders = 0;
  private readonly servers = new Map<string, string>();

  private readonly traced: boolean;
  private readonly captures: boolean;
  private readonly prepare: (node: NodeDatapath) => void;

  /** Untraced it is faster, and `journey` has nothing to tell. */
  constructor(nodeCount = 2, seed = 1, options: TestClusterOptions = {}) {
    this.traced = options.traced ?? true;
    this.captures = options.captures ?? true;
    this.prepare = options.prepare ?? ((node) => node.use(options.network ?? vxlanNetwork));
    this.engine = new EventEngine({ random: seededRandom(seed) });
    this.engine.enter(1_000_000);
    for (let i = 0; i < nodeCount; i++) this.nodes.push(this.createNode(i));
    this.settle();
  }

  node(number: number): NodeDatapath {
    return this.nodes[number - 1]!;
  }

  /** A node as it starts: no rules, no connections; it knows all the others and they know it. */
  createNode(index: number): NodeDatapath {
    const link = new MemoryLink(this, `127.0.1.${10 + index}`);
    this.links.set(link.local.address, link);
    const node = new NodeDatapath({
      engine: this.engine,
      memory: this.memory,
      nodeName: `worker-${index + 1}`,
      internalIp: ip(`192.168.1.${10 + index}`),
      clusterCidr: prefix('10.244.0.0/16'),
      ipv6: { internalIp: ip(`fd00:192:168:1::${10 + index}`), clusterCidr: prefix('fd00:10:244::/56') },
      link,
      bootId: `boot-${index + 1}`,
      secret: new TextEncoder().encode(`secret of node ${index}`.padEnd(16)),
    });
    this.prepare(node);
    node.setPodCidr(prefix(`10.244.${index + 1}.0/24`));
    if (node.bridge !== null) node.setPodCidrIpv6(prefix(`fd00:10:244:${index + 1}::/64`));
    for (const other of this.nodes) {
      if (other.nodeName === node.nodeName) continue;
      introduce(node, other, this.links);
      introduce(other, node, this.links);
    }
    if (this.traced) node.trace({}).onHop = (hop) => this.hops.push(hop);
    return node;
  }

  /** `10.244.1.5` on node 1, which is fd00:10:244:1::5 too. */
  pod(address: string): PodAttachment {
    const number = Number(address.split('.')[2]);
    const addressIpv6 = ip(`fd00:10:244:${number}::${address.split('.')[3]}`);
    return this.node(number).attachPod({ id: `default/pod-${address}`, address: ip(address), addressIpv6 });
  }

  /** On every node. */
  services(...services: TestService[]): void {
    for (const node of this.nodes) {
      for (const family of ['ipv4', 'ipv6'] as const) {
        const reply = node.applyRules(serviceRules(node.bootId, services, family));
        if (reply.kind !== 'applied') throw new Error(JSON.stringify(reply));
      }
    }
  }

  keep({ offset, length }: Packet): void {
    if (this.captures) this.captured.push(this.memory.bytes.slice(offset, offset + length));
  }

  settle(): void {
    this.engine.enter(this.engine.nowUs + TURN_US);
    this.engine.drain();
  }

  advance(us: number): void {
    const end = this.engine.nowUs + us;
    this.settle();
    for (let next = this.engine.nextDeadlineUs(); next <= end; next = this.engine.nextDeadlineUs()) {
      this.engine.enter(next);
      this.engine.drain();
    }
    this.engine.enter(end);
    this.engine.drain();
  }

  /** Answers every datagram with its name and what it was sent. */
  udpServer(host: Host, port: number, name = host.name): void {
    const socket = host.udp.bind({ address: ANY_IPV6, port });
    socket.onMessage = (data, address, from) => {
      this.servers.set(new TextDecoder().decode(data), formatEndpoint(address, from));
      socket.sendTo(new TextEncoder().encode(`${name} heard ${new TextDecoder().decode(data)}`), address, from);
    };
  }

  /** One question from a new socket. */
  ask(host: Host, address: string, port: number, localPort = 0): Exchange {
    const socket = host.udp.bind({ address: address.includes(':') ? ANY_IPV6 : 0, port: localPort });
    const exchange = this.askFrom(socket, address, port);
    socket.close();
    return exchange;
  }

  askFrom(socket: ReturnType<Host['udp']['bind']>, address: string, port: number, bytes = 0): Exchange {
    const question = `question ${this.captured.length} ${this.engine.nowUs}`.padEnd(bytes, '.');
    let answer: string | null = null;
    let answerFrom: string | null = null;
    let error: string | null = null;
    socket.onMessage = (data, from, fromPort) => {
      answer = new TextDecoder().decode(data);
      answerFrom = formatEndpoint(from, fromPort);
    };
    socket.onError = (code) => {
      error = code;
    };
    error = socket.connect(ip(address), port) ?? socket.send(new TextEncoder().encode(question)) ?? error;
    this.settle();
    return { serverSaw: this.servers.get(question) ?? null, answer, answerFrom, error };
  }

  ping(host: Host, request: Omit<PingRequest, 'identifier' | 'sequence' | 'address'> & { to: string }): PingResult {
    let result: PingResult | undefined;
    const { to, ...rest } = request;
    host.icmp.ping({ identifier: 7, sequence: this.captured.length, address: ip(to), ...rest }, (outcome) => {
      result = outcome;
    });
    this.advance(2_000_000);
    return result ?? { kind: 'timeout' };
  }

  /** What happened, for the message of a failed test: every hop with the rules that matched. */
  journey(): string {
    return this.hops.map((hop) => `${hop.node} ${hop.stage}: ${hop.event} | ${hop.packet}`).join('\n');
  }
}

function introduce(node: NodeDatapath, other: NodeDatapath, links: ReadonlyMap<string, MemoryLink>): void {
  const index = Number(other.nodeName.split('-')[1]) - 1;
  node.setPeer({
    nodeName: other.nodeName,
    internalIp: other.internalIp,
    endpoint: links.get(`127.0.1.${10 + index}`)!.local,
    podCidr: other.podCidr,
    podCidrIpv6: other.podCidrIpv6 ?? undefined,
    internalIpv6: ip(`fd00:192:168:1::${10 + index}`),
    vtepMac: other.vtepMac,
    underlayMac: other.underlayMac,
    publicKey: other.devices.find((device) => device instanceof WireguardDevice)?.publicKey,
  });
}
