/**
 * What the way between two nodes costs by CNI plugin, in processor time of one process without sockets: a round trip and bulk
 * TCP, beside pods behind plain routes (the plugin `bridge`). And what policies cost: the first packet of a connection, where
 * they are asked, and one of an established connection, by their number. On a real cluster, how soon they are in force.
 */
import { Weave } from '../node-agent/cni/weave/weave.ts';
import type { WeaveChoice } from '../node-agent/cni/weave/weave-choice.ts';
import { PolicyEngine } from '../node-agent/datapath/policy/policy-engine.ts';
import { PolicyCompiler } from '../shared/policy/compile.ts';
import { policyOf } from '../shared/policy/network-policy.ts';
import { type PolicyPod, policyPodOf } from '../shared/policy/policy-pod.ts';
import { TestCluster } from '../test/flow/cluster.testkit.ts';
import { NETWORKS } from '../test/flow/network-cases.testkit.ts';
import { PluginCluster } from '../test/flow/plugin-cluster.testkit.ts';
import { address } from './address.ts';
import type { Benchmark, BenchmarkContext } from './benchmark.ts';
import type { FigureInput } from './figure.ts';
import { enforcementFigures } from './policy-enforcement.ts';

const REFERENCE = 'bridge with static routes';
const CLIENT = '10.244.1.5';
const SERVER = '10.244.2.7';
const PORT = 80;
const ROUND_TRIPS = 3000;
const FIRST_PACKETS = 2000;
/** Rounds until the compilers have had their turn. */
const WARM_UP = 5;
const BULK_BYTES = 16 * 2 ** 20;
const CHUNK = new Uint8Array(65_536);
const POLICIES = [0, 10, 100, 1000];
const FLAT_WITHIN = 1.1;

type Figures = Record<string, FigureInput>;

export const cniBenchmark: Benchmark = {
  name: 'cni',
  summary:
    'round trip and bulk TCP between nodes by CNI plugin; what policies cost a packet, and how soon they are in force',
  async run(context: BenchmarkContext): Promise<Figures> {
    return { ...ways(context), ...policies(context), ...(await enforcementFigures(context)) };
  },
};

/** Of this process alone, whatever else the machine does. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

interface World {
  readonly cluster: TestCluster;
  readonly client: ReturnType<TestCluster['pod']>['host'];
  readonly server: ReturnType<TestCluster['pod']>['host'];
  readonly serverAddress: number;
}

/** Its peers agree on addresses and keys before there is a way, which the other networks do not need. */
const WEAVE: Readonly<Record<string, WeaveChoice>> = {
  'weave fastdp': { overlays: ['fastdp'], password: undefined },
  'weave sleeve': { overlays: ['sleeve'], password: undefined },
  'weave fastdp, encrypted': { overlays: ['fastdp'], password: 'of the benchmark' },
  'weave sleeve, encrypted': { overlays: ['sleeve'], password: 'of the benchmark' },
};

function makeWorld(name: string): World {
  return name in WEAVE ? makeWeave(WEAVE[name]!) : makeNetwork(name);
}

function makeWeave(choice: WeaveChoice): World {
  const world = new PluginCluster((context) => new Weave(context, choice), { captures: false });
  const { cluster } = world;
  const client = world.pod(1, 'client');
  const server = world.pod(2, 'server');
  cluster.udpServer(server.host, PORT);
  return { cluster, client: client.host, server: server.host, serverAddress: server.address };
}

function makeNetwork(name: string): World {
  const cluster = new TestCluster(2, 1, { network: NETWORKS[name]!.network, traced: false, captures: false });
  const client = cluster.pod(CLIENT).host;
  const server = cluster.pod(SERVER).host;
  cluster.udpServer(server, PORT);
  return { cluster, client, server, serverAddress: address(SERVER) };
}

function ways({ repeats, progress }: BenchmarkContext): Figures {
  const names = [...Object.keys(NETWORKS), ...Object.keys(WEAVE)];
  const worlds = names.map((name) => ({ name, world: makeWorld(name) }));
  const tripUs = new Map<string, number[]>(names.map((name) => [name, []]));
  const bulkMiB = new Map<string, number[]>(names.map((name) => [name, []]));
  for (let round = -WARM_UP; round < repeats; round++) {
    progress(`ways, round ${round + WARM_UP + 1} of ${repeats + WARM_UP}`);
    for (const { name, world } of worlds) {
      const trip = roundTripUs(world);
      const bulk = bulkRate(world);
      if (round < 0) continue;
      tripUs.get(name)!.push(trip);
      bulkMiB.get(name)!.push(bulk);
    }
  }
  return {
    ...figuresOf('round trip', 'us', tripUs),
    ...figuresOf('bulk TCP', 'MiB a second of processor', bulkMiB),
  };
}

function figuresOf(what: string, unit: string, byName: ReadonlyMap<string, number[]>): Figures {
  const reference = { label: REFERENCE, samples: byName.get(REFERENCE)! };
  return Object.fromEntries(
    [...byName].map(([name, samples]) => {
      const label = `${name}: ${what}`;
      return [label, name === REFERENCE ? { label, unit, samples } : { label, unit, samples, reference }];
    }),
  );
}

/** Both nodes' part in it, on an established connection. */
function roundTripUs({ cluster, client, serverAddress }: World): number {
  const socket = client.udp.bind({ port: 0 });
  const question = new Uint8Array(1);
  const startMs = cpuMs();
  for (let i = 0; i < ROUND_TRIPS; i++) {
    socket.sendTo(question, serverAddress, PORT);
    cluster.settle();
  }
  const us = ((cpuMs() - startMs) * 1000) / ROUND_TRIPS;
  socket.close();
  return us;
}

/** MiB of one flow a second of processor time, both ends included. */
function bulkRate({ cluster, client, server, serverAddress }: World): number {
  let received = 0;
  const listener = server.tcp.listen({ port: PORT });
  listener.onConnection = (connection) => {
    connection.onData = (data) => {
      received += data.length;
    };
    connection.onEnd = () => connection.end();
  };
  const startMs = cpuMs();
  const connection = client.tcp.connect({ remoteAddress: serverAddress, remotePort: PORT });
  let left = BULK_BYTES;
  const fill = (): void => {
    while (left > 0) {
      const taken = connection.write(CHUNK);
      left -= taken;
      if (taken < CHUNK.length) return;
    }
    connection.end();
  };
  connection.onEstablished = fill;
  connection.onWritable = fill;
  while (received < BULK_BYTES) cluster.settle();
  const seconds = (cpuMs() - startMs) / 1000;
  listener.close();
  return received / 2 ** 20 / seconds;
}

function policies({ repeats, progress }: BenchmarkContext): Figures {
  const worlds = POLICIES.map((count) => ({ count, world: withPolicies(count) }));
  const firstUs = new Map<number, number[]>(POLICIES.map((count) => [count, []]));
  const laterUs = new Map<number, number[]>(POLICIES.map((count) => [count, []]));
  for (let round = -WARM_UP; round < repeats; round++) {
    progress(`policies, round ${round + WARM_UP + 1} of ${repeats + WARM_UP}`);
    for (const { count, world } of worlds) {
      const first = firstPacketUs(world);
      const later = roundTripUs(world);
      if (round < 0) continue;
      firstUs.get(count)!.push(first);
      laterUs.get(count)!.push(later);
    }
  }
  return { ...policyFigures('first packet and answer', firstUs), ...policyFigures('a later round trip', laterUs) };
}

function policyFigures(what: string, byCount: ReadonlyMap<number, number[]>): Figures {
  const [least] = byCount.values();
  const reference = { label: 'no policies', samples: least! };
  const goal = { compare: '<=', bound: FLAT_WITHIN, of: 'ratio' } as const;
  return Object.fromEntries(
    [...byCount].map(([count, samples]) => {
      const label = `${count} policies: ${what}`;
      return [label, count === 0 ? { label, unit: 'us', samples } : { label, unit: 'us', samples, reference, goal }];
    }),
  );
}

/** Each from a port of its own, so that each is judged. */
function firstPacketUs({ cluster, client }: World): number {
  const question = new Uint8Array(1);
  const sockets = Array.from({ length: FIRST_PACKETS }, (_, i) => client.udp.bind({ port: 10_000 + i }));
  const to = address(SERVER);
  const startMs = cpuMs();
  for (const socket of sockets) {
    socket.sendTo(question, to, PORT);
    cluster.settle();
  }
  const us = ((cpuMs() - startMs) * 1000) / FIRST_PACKETS;
  for (const socket of sockets) socket.close();
  for (const node of cluster.nodes) node.conntrack.delete(() => true);
  return us;
}

/** All select the server, each lets one peer in at ports of its own, and the last one lets the client in. */
function withPolicies(count: number): World {
  const world = makeWorld(REFERENCE);
  const pods = [pod('client', CLIENT), pod('server', SERVER)];
  const rules = Array.from({ length: count }, (_, i) => {
    const isLast = i === count - 1;
    return policyOf({
      metadata: { namespace: 'default', name: `policy-${i}` },
      spec: {
        podSelector: { matchLabels: { app: 'server' } },
        ingress: [
          {
            from: isLast ? [{ podSelector: {} }] : [{ ipBlock: { cidr: `172.16.${i % 256}.${(i >> 8) * 16}/28` } }],
            ports: [{ protocol: 'UDP', port: isLast ? PORT : 1000 + i }],
          },
        ],
      },
    });
  });
  const namespaces = new Map([['default', {}]]);
  const compiler = new PolicyCompiler({ policies: rules, pods, namespaces });
  for (const node of world.cluster.nodes) {
    const { root } = node;
    const engine = new PolicyEngine({ memory: root.memory, isNodeAddress: (own) => root.isLocal(own) });
    engine.program(
      new Map(
        pods.flatMap((one) => {
          const policy = compiler.endpoint(one);
          return policy === undefined ? [] : [[one.addresses[0]!, policy] as const];
        }),
      ),
    );
    node.setPolicy(engine);
  }
  return world;
}

function pod(name: string, podIP: string): PolicyPod {
  return policyPodOf({
    metadata: { uid: name, namespace: 'default', name, labels: { app: name } },
    spec: { containers: [] },
    status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }] },
  });
}
