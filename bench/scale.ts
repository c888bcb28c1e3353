/**
 * What a packet costs on a large node beside a small one: 1,000 pods beside 10, and 10,000 routes beside 10. All in one
 * process and in turns, so that both see the same machine. The goal is for as many talkers as on the small node: the tables'
 * cost. Where all talk, each packet to another pod than the last, it is the processor's caches that are measured; that row
 * has no goal.
 */

import type { UnderlayLink } from '../node-agent/datapath/link.ts';
import { vxlanNetwork } from '../node-agent/datapath/network/bridged-network.ts';
import { NodeDatapath } from '../node-agent/datapath/path.ts';
import { EventEngine } from '../shared/netstack/event-engine.ts';
import { seededRandom } from '../shared/netstack/seeded-random.ts';
import type { UdpSocket } from '../shared/netstack/udp-socket.ts';
import { PacketMemory } from '../shared/wire/packet-memory.ts';
import { address, cidr } from './address.ts';
import type { Benchmark, BenchmarkContext } from './benchmark.ts';
import { type FigureInput, median } from './figure.ts';

const PORT = 9000;
const PAYLOAD = new Uint8Array(64);
/** Of one measurement, some 20 ms: one size and the other in turns, so that a slow moment of the machine hits both. */
const PACKETS = 20_000;
const PARTS = 9;
const PACKETS_A_TURN = 20;
const TURN_US = 20;
/** Rounds before the first that counts. */
const WARM_UP_ROUNDS = 3;
const SMALL = 10;
const PODS = 1000;
const ROUTES = 10_000;
/** Growth that is allowed for. */
const GOAL = { compare: '<=', bound: 1.1, of: 'ratio' } as const;

/** Sends `count` datagrams through one node's path; answers how many arrived where they should. */
type Load = (count: number) => number;

interface Comparison {
  readonly label: string;
  readonly small: Load;
  readonly large: Load;
  readonly hasGoal: boolean;
}

export const scaleBenchmark: Benchmark = {
  name: 'scale',
  summary: 'cost of a packet with 1,000 pods beside 10, and with 10,000 routes beside 10',
  async run(context: BenchmarkContext): Promise<Record<string, FigureInput>> {
    const comparisons: Record<string, Comparison> = {
      'pods idle': {
        label: `${PODS} pods, of which ${SMALL} talk`,
        small: podLoad(SMALL, SMALL),
        large: podLoad(PODS, SMALL),
        hasGoal: true,
      },
      'pods busy': {
        label: `${PODS} pods, all talk`,
        small: podLoad(SMALL, SMALL),
        large: podLoad(PODS, PODS),
        hasGoal: false,
      },
      'routes idle': {
        label: `${ROUTES} routes, of which ${SMALL} are used`,
        small: routeLoad(SMALL, SMALL),
        large: routeLoad(ROUTES, SMALL),
        hasGoal: true,
      },
      'routes busy': {
        label: `${ROUTES} routes, all used`,
        small: routeLoad(SMALL, SMALL),
        large: routeLoad(ROUTES, ROUTES),
        hasGoal: false,
      },
    };
    const figures: Record<string, FigureInput> = {};
    for (const [key, comparison] of Object.entries(comparisons)) figures[key] = compare(comparison, context);
    return figures;
  },
};

/** Round by round the one and the other. */
function compare({ label, small, large, hasGoal }: Comparison, context: BenchmarkContext): FigureInput {
  const samples: number[] = [];
  const reference: number[] = [];
  for (let round = -WARM_UP_ROUNDS; round < context.repeats; round++) {
    context.progress(`${label}, round ${round + WARM_UP_ROUNDS + 1} of ${context.repeats + WARM_UP_ROUNDS}`);
    const ofSmall: number[] = [];
    const ofLarge: number[] = [];
    for (let part = 0; part < PARTS; part++) {
      ofSmall.push(nanosecondsAPacket(small));
      ofLarge.push(nanosecondsAPacket(large));
    }
    if (round < 0) continue;
    reference.push(median(ofSmall));
    samples.push(median(ofLarge));
  }
  const figure = { label, unit: 'ns/packet', samples, reference: { label: `${SMALL}`, samples: reference } };
  return hasGoal ? { ...figure, goal: GOAL } : figure;
}

function nanosecondsAPacket(load: Load): number {
  const startedMs = performance.now();
  const arrived = load(PACKETS);
  const elapsedMs = performance.now() - startedMs;
  if (arrived !== PACKETS) throw new Error(`${arrived} of ${PACKETS} packets arrived`);
  return (elapsedMs * 1e6) / PACKETS;
}

/** Datagrams from pod to pod over the node's bridge: veth, FDB, hooks, connection tracking, veth, socket. */
function podLoad(pods: number, talking: number): Load {
  const node = createNode(discardingLink(() => undefined));
  const first = address('10.64.0.0') + 10;
  let arrived = 0;
  const arrive = (): void => {
    arrived++;
  };
  const senders: UdpSocket[] = [];
  for (let i = 0; i < pods; i++) {
    const { host } = node.datapath.attachPod({ id: `default/pod-${i}`, address: first + i });
    const socket = host.udp.bind({ port: PORT });
    socket.onMessage = arrive;
    senders.push(socket);
  }
  const partners = shuffled(talking);
  let next = 0;
  const send = (): void => {
    const from = partners[next]!;
    next = (next + 1) % talking;
    senders[from]!.sendTo(PAYLOAD, first + partners[next]!, PORT);
  };
  // Each learns its neighbour in a turn of its own: a request goes to all ports, and so many at once would not fit the backlog.
  for (let i = 0; i < talking; i++) node.turns(1, send);
  return (count) => {
    const before = arrived;
    node.turns(count, send);
    return arrived - before;
  };
}

/** Datagrams from one pod through the node's routes into the overlay, each to another network in turn. */
function routeLoad(routes: number, used: number): Load {
  let sent = 0;
  const node = createNode(
    discardingLink((datagrams) => {
      sent += datagrams;
    }),
  );
  for (let i = 0; i < SMALL; i++) node.addPeer(i);
  const networks = Array.from({ length: routes }, (_, i) => ({
    destination: address('10.128.0.0') + i * 256,
    prefixLength: i % 2 === 0 ? 24 : 26,
  }));
  for (const [i, network] of networks.entries()) {
    const gateway = node.gatewayOf(i % SMALL);
    node.datapath.root.routes.add({ ...network, gateway, device: node.datapath.overlay!, onLink: true });
  }
  const socket = node.datapath
    .attachPod({ id: 'default/sender', address: address('10.64.0.10') })
    .host.udp.bind({ port: PORT });
  // Numbers in a row: what the program remembers of its peers is not to be measured.
  const destinations = Uint32Array.from(shuffled(used), (network) => networks[network]!.destination + 7);
  let next = 0;
  return (count) => {
    const before = sent;
    node.turns(count, () => {
      socket.sendTo(PAYLOAD, destinations[next]!, PORT);
      next = (next + 1) % used;
    });
    return sent - before;
  };
}

function createNode(link: UnderlayLink & { memory: PacketMemory | null }) {
  const engine = new EventEngine({ random: seededRandom(1) });
  const memory = new PacketMemory();
  link.memory = memory;
  engine.enter(1_000_000);
  const datapath = new NodeDatapath({
    engine,
    memory,
    link,
    nodeName: 'worker-1',
    internalIp: address('192.168.0.10'),
    internalPrefixLength: 16,
    clusterCidr: cidr('10.0.0.0/8'),
    bootId: 'bench',
    secret: new Uint8Array(16).fill(1),
  });
  datapath.use(vxlanNetwork);
  datapath.setPodCidr(cidr('10.64.0.0/20'));
  const gatewayOf = (peer: number): number => address('10.96.0.0') + peer * 256;
  return {
    datapath,
    gatewayOf,
    addPeer(peer: number): void {
      datapath.setPeer({
        nodeName: `worker-${peer + 2}`,
        internalIp: address('192.168.1.0') + peer,
        endpoint: { address: `127.0.2.${peer + 1}`, port: 4789 },
        podCidr: { address: gatewayOf(peer), prefixLength: 24 },
        vtepMac: 0x0200_0000_1000 + peer,
        underlayMac: 0x0200_0000_2000 + peer,
      });
    },
    turns(count: number, send: () => void): void {
      for (let left = count; left > 0; left -= PACKETS_A_TURN) {
        engine.enter(engine.nowUs + TURN_US);
        for (let i = Math.min(left, PACKETS_A_TURN); i > 0; i--) send();
        engine.drain();
      }
    },
  };
}

/** Takes datagrams and drops them, telling how many. */
function discardingLink(onSent: (datagrams: number) => void): UnderlayLink & { memory: PacketMemory | null } {
  let peers = 0;
  return {
    memory: null,
    local: { address: '127.0.2.1', port: 4789 },
    onReceive: null,
    addPeer: () => peers++,
    removePeer: () => undefined,
    send(_peer, datagrams) {
      for (const datagram of datagrams) this.memory?.free(datagram);
      onSent(datagrams.length);
    },
    close: () => undefined,
  };
}

/** 0 to `count - 1` in an order without pattern. */
function shuffled(count: number): number[] {
  const random = seededRandom(count);
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
