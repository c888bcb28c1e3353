/**
 * What one packet costs on its way through a node, without sockets: frames of a pod are put on its cable, and end at a link
 * that frees them. `node node-agent/datapath/forwarding.bench.ts` prints the figures; `bench/` calls `measureForwarding`.
 */
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import type { Rule } from '../../shared/rules/rule.ts';
import { jump } from '../../shared/rules/target.ts';
import { macOfIpv4 } from '../../shared/wire/address.ts';
import { completeIpChecksums } from '../../shared/wire/complete-checksums.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import { PacketMemory } from '../../shared/wire/packet-memory.ts';
import * as udp from '../../shared/wire/udp.ts';
import type { UnderlayLink } from './link.ts';
import { vxlanNetwork } from './network/bridged-network.ts';
import { NodeDatapath } from './path.ts';

export interface ForwardingFigures {
  /** Nanoseconds a packet, median of the rounds. */
  readonly routedToOverlay: number;
  readonly serviceToOverlay: number;
  readonly bridged: number;
  /** Of the first packet of a connection, with as many Services as asked for before the one that matches. */
  readonly newConnection: number;
}

export interface ForwardingOptions {
  readonly packets?: number;
  readonly rounds?: number;
  readonly payloadBytes?: number;
  readonly services?: number;
}

const POD = 0x0af4_0105;
const NEIGHBOUR_POD = 0x0af4_0106;
const REMOTE_POD = 0x0af4_0207;
const SERVICE = 0x0a60_0c03;
const SERVICE_PORT = 80;
const BATCH = 64;

export function measureForwarding(options: ForwardingOptions = {}): ForwardingFigures {
  const bench = new ForwardingBench(options);
  return {
    routedToOverlay: bench.median(() => bench.send(REMOTE_POD, 8080, false)),
    serviceToOverlay: bench.median(() => bench.send(SERVICE, SERVICE_PORT, false)),
    bridged: bench.median(() => bench.send(NEIGHBOUR_POD, 8080, false)),
    newConnection: bench.median(() => bench.send(SERVICE, SERVICE_PORT, true)),
  };
}

class ForwardingBench {
  private readonly engine = new EventEngine({ random: () => 0.5 });
  private readonly memory = new PacketMemory({ smallSlots: 1024, largeSlots: 4 });
  private readonly node: NodeDatapath;
  private readonly packets: number;
  private readonly rounds: number;
  private readonly payloadBytes: number;

  constructor(options: ForwardingOptions) {
    this.packets = options.packets ?? 50_000;
    this.rounds = options.rounds ?? 7;
    this.payloadBytes = options.payloadBytes ?? 64;
    this.engine.enter(1_000_000);
    this.node = new NodeDatapath({
      engine: this.engine,
      memory: this.memory,
      nodeName: 'bench',
      internalIp: 0xc0a8_010a,
      clusterCidr: { address: 0x0af4_0000, prefixLength: 16 },
      link: freeingLink(this.memory),
      bootId: 'bench',
      secret: new Uint8Array(16),
      maxConnections: 16_384,
    });
    this.node.use(vxlanNetwork);
    this.node.setPodCidr({ address: 0x0af4_0100, prefixLength: 24 });
    this.node.setPeer({
      nodeName: 'peer',
      internalIp: 0xc0a8_010b,
      endpoint: { address: '127.0.1.11', port: 4789 },
      podCidr: { address: 0x0af4_0200, prefixLength: 24 },
      vtepMac: 0x0200_0000_0001,
      underlayMac: 0x0200_0000_0002,
    });
    this.node.attachPod({ id: 'client', address: POD });
    const neighbour = this.node.attachPod({ id: 'neighbour', address: NEIGHBOUR_POD });
    const bridge = this.node.bridge!;
    bridge.fdb.learn(macOfIpv4(NEIGHBOUR_POD), bridge.ports.get(neighbour.hostDevice)!, this.engine.nowUs);
    neighbour.podDevice.upcall = { input: (_, frame) => this.memory.free(frame) };
    this.node.applyRules({
      owner: 'bench',
      bootId: 'bench',
      base: null,
      tables: { nat: { set: { 'BENCH-SERVICES': rules(options.services ?? 1000) }, hooks: [portals] } },
    });
  }

  /** One round: nanoseconds a packet. */
  send(destination: number, port: number, everyOneNew: boolean): number {
    const mac = destination === NEIGHBOUR_POD ? macOfIpv4(NEIGHBOUR_POD) : this.node.bridge!.macAddress;
    const template = this.frame(destination, port, mac);
    const pod = this.node.pods.get('client')!;
    const before = performance.now();
    for (let sent = 0; sent < this.packets; ) {
      this.engine.enter(this.engine.nowUs + 1);
      for (let i = 0; i < BATCH; i++, sent++) {
        const packet = this.memory.allocate(template.length)!;
        this.memory.bytes.set(template, packet.offset);
        const at = packet.offset + ethernet.HEADER_BYTES + ipv4.HEADER_BYTES;
        if (everyOneNew) udp.setSourcePort(this.memory.view, at, 1024 + (sent & 0x7fff));
        pod.podDevice.transmit(packet);
      }
      this.engine.drain();
    }
    const nanoseconds = ((performance.now() - before) * 1e6) / this.packets;
    this.node.conntrack.delete(() => true);
    return nanoseconds;
  }

  median(round: () => number): number {
    const figures = Array.from({ length: this.rounds }, round).sort((a, b) => a - b);
    return figures[figures.length >>> 1]!;
  }

  private frame(destination: number, port: number, mac: number): Uint8Array {
    const udpLength = udp.HEADER_BYTES + this.payloadBytes;
    const packet = this.memory.allocate(ethernet.HEADER_BYTES + ipv4.HEADER_BYTES + udpLength)!;
    const { view, bytes } = this.memory;
    const network = packet.offset + ethernet.HEADER_BYTES;
    const total = ipv4.HEADER_BYTES + udpLength;
    ethernet.encode(view, packet.offset, mac, macOfIpv4(POD), ethernet.TYPE_IPV4);
    ipv4.encode(view, network, total, 1, true, 64, ipv4.PROTOCOL_UDP, POD, destination);
    udp.encode(view, network + ipv4.HEADER_BYTES, 40_000, port, udpLength);
    completeIpChecksums(this.memory, network, total);
    const copy = bytes.slice(packet.offset, packet.offset + packet.length);
    this.memory.free(packet);
    return copy;
  }
}

function freeingLink(memory: PacketMemory): UnderlayLink {
  return {
    local: { address: '127.0.1.10', port: 4789 },
    onReceive: null,
    addPeer: () => 0,
    removePeer: () => undefined,
    send: (_, datagrams) => {
      for (const datagram of datagrams) memory.free(datagram);
    },
    close: () => undefined,
  };
}

const portals = {
  chain: 'PREROUTING',
  position: 'first',
  rule: { target: jump('BENCH-SERVICES') },
} as const;

/** So many Services that do not match, then the one that does. */
function rules(services: number): Rule[] {
  const rule = (address: number, target: Rule['target']): Rule => ({
    destination: { address, prefixLength: 32 },
    protocol: { name: 'udp' },
    matches: [{ kind: 'udp', destination: { first: SERVICE_PORT, last: SERVICE_PORT } }],
    target,
  });
  const others = Array.from({ length: services }, (_, i) => rule(SERVICE + 1 + i, { kind: 'accept' }));
  return [...others, rule(SERVICE, { kind: 'dnat', address: REMOTE_POD, port: 8080 })];
}

if (import.meta.main) {
  const figures = measureForwarding();
  for (const [name, nanoseconds] of Object.entries(figures))
    console.log(`${name}: ${nanoseconds.toFixed(0)} ns/packet`);
}
