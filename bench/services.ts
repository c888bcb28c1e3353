/**
 * What a Service costs in each proxy mode, in processor time of one process without sockets: the first packet of a connection by the number of
 * Services, a packet of an established one and whole connections beside the pod's own address, and the sync of one endpoint's change. Then
 * what of it a real cluster's clients see.
 */
import { TestCluster } from '../test/flow/cluster.testkit.ts';
import { NodeProxy, PROXY_MODES, type ProxyMode, type TestedService } from '../test/flow/service-world.testkit.ts';
import type { Benchmark, BenchmarkContext, MissingFigure } from './benchmark.ts';
import type { FigureInput } from './figure.ts';
import { clusterFigures } from './service-cluster.ts';
import { connectionFigures } from './service-connections.ts';

const COUNTS = [10, 100, 1000, 10_000];
const FIRST_PACKETS = 1000;
const ASKED = 10;
/** Rounds until the compilers have had their turn. */
const WARM_UP = 10;
const ROUND_TRIPS = 5000;
const BACKEND = '10.244.1.6';
const OTHER = '10.244.1.7';
const FIRST_CLUSTER_IP = 0x0a61_0000;
const FLAT_WITHIN = 1.2;
const SYNC_LIMIT_MS = 20;
const ADDED_LIMIT_US = 10;

export const servicesBenchmark: Benchmark = {
  name: 'services',
  summary: 'first packet, sync, round trip and connections in each proxy mode; the last packet to a deleted pod; wrk',
  async run(context: BenchmarkContext): Promise<Record<string, FigureInput | MissingFigure>> {
    const figures: Record<string, FigureInput | MissingFigure> = {};
    for (const mode of PROXY_MODES) {
      Object.assign(figures, measureMode(mode, context), connectionFigures(mode, context));
    }
    return { ...figures, ...(await clusterFigures(context)) };
  },
};

function measureMode(mode: ProxyMode, { repeats, progress }: BenchmarkContext): Record<string, FigureInput> {
  const firstPacketUs = new Map<number, number[]>(COUNTS.map((count) => [count, []]));
  const syncMs: number[] = [];
  const trips = { service: [] as number[], direct: [] as number[] };
  progress(`${mode}, ${COUNTS.join(', ')} Services`);
  const worlds = COUNTS.map((count) => ({ count, world: makeWorld(mode, count) }));
  // In turns, so that what the processor and the compilers do meanwhile is the same for every count.
  for (let i = 0; i < WARM_UP; i++) for (const { count, world } of worlds) firstPackets(world, count);
  for (let i = 0; i < repeats; i++) {
    for (const { count, world } of worlds) firstPacketUs.get(count)!.push(firstPackets(world, count));
  }
  const { world } = worlds.at(-1)!;
  syncs(world, repeats);
  syncMs.push(...syncs(world, repeats));
  roundTrips(world);
  for (let i = 0; i < repeats; i++) {
    const { service, direct } = roundTrips(world);
    trips.service.push(service);
    trips.direct.push(direct);
  }
  return { ...firstPacketFigures(mode, firstPacketUs), ...lastingFigures(mode, syncMs, trips) };
}

function firstPacketFigures(mode: ProxyMode, byCount: ReadonlyMap<number, number[]>): Record<string, FigureInput> {
  const figures: Record<string, FigureInput> = {};
  const reference = { label: `${COUNTS[0]} Services`, samples: byCount.get(COUNTS[0]!)! };
  for (const [count, samples] of byCount) {
    const label = `${mode}: first packet, ${count} Services`;
    // iptables' rules are asked one by one, as in the original.
    const flat = mode === 'iptables' ? {} : { goal: { compare: '<=', bound: FLAT_WITHIN, of: 'ratio' } as const };
    figures[label] = { label, unit: 'us', samples, ...(count === COUNTS[0] ? {} : { reference, ...flat }) };
  }
  return figures;
}

function lastingFigures(
  mode: ProxyMode,
  syncMs: readonly number[],
  trips: { readonly service: readonly number[]; readonly direct: readonly number[] },
): Record<string, FigureInput> {
  const sync = `${mode}: sync of one endpoint, ${COUNTS.at(-1)} Services`;
  const added = `${mode}: added to a round trip`;
  return {
    [sync]: { label: sync, unit: 'ms', samples: syncMs, goal: { compare: '<=', bound: SYNC_LIMIT_MS, of: 'value' } },
    [added]: {
      label: added,
      unit: 'us',
      samples: trips.service.map((us, i) => us - trips.direct[i]!),
      goal: { compare: '<=', bound: ADDED_LIMIT_US, of: 'value' },
    },
  };
}

interface World {
  readonly cluster: TestCluster;
  readonly proxy: NodeProxy;
  readonly client: ReturnType<TestCluster['pod']>['host'];
}

/** Of this process alone, whatever else the machine does. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function clusterIp(index: number): number {
  return FIRST_CLUSTER_IP + index;
}

function service(index: number, backend: string): TestedService {
  const address = clusterIp(index);
  const text = [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join('.');
  return {
    name: `service-${String(index).padStart(5, '0')}`,
    spec: { clusterIP: text, ports: [{ port: 80, protocol: 'UDP' }] },
    backends: [{ address: backend }],
  };
}

function makeWorld(mode: ProxyMode, count: number): World {
  const cluster = new TestCluster(1, 1, { traced: false });
  cluster.udpServer(cluster.pod(BACKEND).host, 8080);
  const client = cluster.pod('10.244.1.5').host;
  const proxy = new NodeProxy(mode, cluster.node(1));
  for (let i = 0; i < count; i++) proxy.update(service(i, BACKEND));
  proxy.sync();
  return { cluster, proxy, client };
}

/**
 * Microseconds of one, its answer included, each from a port of its own. They go to ten Services spread evenly over all, so
 * that what the processor's caches hold of a Service is the same for every count.
 */
function firstPackets({ cluster, client }: World, count: number): number {
  const question = new Uint8Array(1);
  const sockets = Array.from({ length: FIRST_PACKETS }, (_, i) => client.udp.bind({ port: 10_000 + i }));
  const startMs = cpuMs();
  sockets.forEach((socket, i) => {
    socket.sendTo(question, clusterIp(Math.floor(((i % ASKED) * count) / ASKED)), 80);
    cluster.settle();
  });
  const us = ((cpuMs() - startMs) * 1000) / FIRST_PACKETS;
  for (const socket of sockets) socket.close();
  cluster.node(1).conntrack.delete(() => true);
  return us;
}

/** Milliseconds from a changed endpoint to the node's new tables, the message between them included. */
function syncs({ proxy }: World, repeats: number): number[] {
  return Array.from({ length: repeats }, (_, i) => {
    const startMs = cpuMs();
    proxy.update(service(5000, i % 2 === 0 ? OTHER : BACKEND));
    proxy.sync();
    return cpuMs() - startMs;
  });
}

/** Microseconds of one on an established connection, by the Service and by the pod's own address. */
function roundTrips({ cluster, client }: World): { service: number; direct: number } {
  const timed = (address: number, port: number): number => {
    const socket = client.udp.bind({ port: 0 });
    const question = new Uint8Array(1);
    const startMs = cpuMs();
    for (let i = 0; i < ROUND_TRIPS; i++) {
      socket.sendTo(question, address, port);
      cluster.settle();
    }
    socket.close();
    return ((cpuMs() - startMs) * 1000) / ROUND_TRIPS;
  };
  return { service: timed(clusterIp(0), 80), direct: timed(0x0af4_0106, 8080) };
}
