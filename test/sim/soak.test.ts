/**
 * A day of a busy cluster in virtual time: connections that begin and end in every way through Services on three nodes,
 * pods that come and go with their connections open, datagrams in fragments, all over links that lose. Every table stays
 * within its bound, and when the cluster has been quiet for longer than anything is remembered, nothing is left.
 *
 * One hour by default; `PODWIRE_SIM=full npx vitest run test/sim/soak.test.ts` runs the day.
 */
import { expect, test } from 'vitest';
import { MAX_FDB_ENTRIES } from '../../node-agent/datapath/fdb.ts';
import type { NodeDatapath } from '../../node-agent/datapath/path.ts';
import type { PodAttachment } from '../../node-agent/datapath/pod-attachment.ts';
import { FIRST_EPHEMERAL_PORT, LAST_EPHEMERAL_PORT } from '../../shared/netstack/ephemeral-ports.ts';
import type { Host } from '../../shared/netstack/host.ts';
import { MAX_NEIGHBOURS } from '../../shared/netstack/neighbour.ts';
import { MAX_DATAGRAMS } from '../../shared/netstack/reassembly.ts';
import { seededRandom } from '../../shared/netstack/seeded-random.ts';
import type { TcpConnection } from '../../shared/netstack/tcp/connection.ts';
import { MAX_TIME_WAIT } from '../../shared/netstack/tcp/tcp.ts';
import { ip, TestCluster } from '../flow/cluster.testkit.ts';
import { baseSeed } from './simulation.ts';

const IS_FULL = process.env.PODWIRE_SIM === 'full';
const HOURS = IS_FULL ? 24 : 1;
const TEST_LIMIT_MS = 1_200_000;
const SECOND_US = 1_000_000;
const MINUTE_US = 60 * SECOND_US;
const HOUR_US = 60 * MINUTE_US;
/** Connection tracking remembers an established connection for five days. */
const FORGOTTEN_AFTER_US = 6 * 24 * HOUR_US;

const NODES = 3;
const PODS_A_NODE = 8;
const PORT = 8080;
const SERVICE_PORT = 80;
/** What happens in one virtual minute. */
const CONNECTIONS_A_MINUTE = 100;
const DATAGRAMS_A_MINUTE = 40;
const LOSS = 0.01;

/** Sizes of all tables, the largest that each was over all nodes and pods. */
interface Sizes {
  conntrack: number;
  fdb: number;
  neighbours: number;
  reassembly: number;
  connections: number;
  timeWait: number;
  portsOfOneHost: number;
  packets: number;
}

class Soak {
  readonly cluster: TestCluster;
  readonly most: Sizes = {
    conntrack: 0,
    fdb: 0,
    neighbours: 0,
    reassembly: 0,
    connections: 0,
    timeWait: 0,
    portsOfOneHost: 0,
    packets: 0,
  };
  readonly counts = { connections: 0, failed: 0, bytes: 0, datagrams: 0, restarts: 0 };
  private readonly random: () => number;
  private readonly pods: PodAttachment[] = [];

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.cluster = new TestCluster(NODES, seed, { traced: false });
    for (let node = 1; node <= NODES; node++) {
      for (let pod = 0; pod < PODS_A_NODE; pod++) this.startPod(`10.244.${node}.${10 + pod}`);
      for (let other = 1; other <= NODES; other++) {
        if (other === node) continue;
        const targets = [{ kind: 'peer', node: `worker-${other}` } as const];
        const change = { delayUs: 500, jitterUs: 100, loss: LOSS, reorder: 0.01 };
        this.cluster.node(node).faults.set(targets, change, { seed, freshSeed: seed, durationUs: Infinity });
      }
    }
    const backends = (...pods: number[]) => pods.map((pod) => `10.244.${1 + (pod % NODES)}.${10 + pod}:${PORT}`);
    const common = { port: SERVICE_PORT, protocol: 'tcp' } as const;
    this.cluster.services(
      { ...common, name: 'web', clusterIp: '10.96.0.20', nodePort: 30080, backends: backends(0, 1, 2, 3, 4) },
      { ...common, name: 'sticky', clusterIp: '10.96.0.21', backends: backends(5, 6, 7), affinitySeconds: 600 },
      { ...common, name: 'nobody', clusterIp: '10.96.0.22', backends: [] },
      { ...common, name: 'dns', protocol: 'udp', clusterIp: '10.96.0.23', backends: backends(0, 1) },
    );
  }

  minute(): void {
    this.cluster.captured.length = 0;
    const happenings = CONNECTIONS_A_MINUTE + DATAGRAMS_A_MINUTE;
    for (let i = 0; i < happenings; i++) {
      if (i < CONNECTIONS_A_MINUTE) this.connect();
      else this.sendDatagram();
      this.cluster.advance(MINUTE_US / happenings);
    }
    if (this.chance(0.5)) this.restartPod();
    this.measure();
  }

  /** Nothing more begins; long after, what was remembered is forgotten. */
  quiet(): Sizes {
    this.cluster.advance(FORGOTTEN_AFTER_US);
    return this.sizes();
  }

  private startPod(address: string): void {
    const pod = this.cluster.pod(address);
    this.pods.push(pod);
    pod.host.tcp.listen({ port: PORT }).onConnection = (connection) => this.serve(connection);
    const socket = pod.host.udp.bind({ port: PORT });
    socket.onMessage = (data, from, port) => void socket.sendTo(data, from, port);
  }

  /** Its connections are open still, and their other ends learn of it by time-outs and resets. */
  private restartPod(): void {
    this.counts.restarts++;
    const index = this.below(this.pods.length);
    const [pod] = this.pods.splice(index, 1);
    const address = pod!.id.split('-')[1]!;
    pod!.detach();
    this.startPod(address);
  }

  /** Echoes, and closes as chance has it: with the client, before it, or not in order at all. */
  private serve(connection: TcpConnection): void {
    const manner = this.random();
    connection.onData = (bytes) => {
      connection.write(bytes);
      if (manner < 0.1) connection.abort();
      else if (manner < 0.2) connection.close();
    };
    connection.onEnd = () => {
      if (manner < 0.98) connection.end();
    };
    // Of a client that is gone without a word nothing else would ever tell.
    connection.setKeepAlive(true, { idleUs: 60 * SECOND_US, intervalUs: 75_000_000, probes: 9 });
  }

  private connect(): void {
    const client = this.anyHost();
    const port = this.chance(0.7) ? SERVICE_PORT : PORT;
    const remoteAddress = ip(port === SERVICE_PORT ? this.anyService() : this.anyPodAddress());
    const connection = client.tcp.connect({ remoteAddress, remotePort: port });
    this.counts.connections++;
    const sizeBytes = this.chance(0.1) ? this.below(100_000) : this.below(3000);
    const manner = this.random();
    connection.onEstablished = () => {
      connection.write(new Uint8Array(sizeBytes));
      if (manner < 0.6) connection.end();
      else if (manner < 0.7) connection.abort();
      else if (manner < 0.8) connection.pause();
    };
    connection.onData = (bytes) => {
      this.counts.bytes += bytes.length;
      if (manner >= 0.8 && manner < 0.95) connection.close();
    };
    connection.onClose = (error) => {
      if (error !== null) this.counts.failed++;
    };
    // What is left open is given up by the program some minutes later.
    this.cluster.engine.schedule(this.cluster.engine.nowUs + this.random() * 10 * MINUTE_US, () => connection.abort());
  }

  private sendDatagram(): void {
    this.counts.datagrams++;
    const socket = this.anyHost().udp.bind({});
    const size = this.chance(0.3) ? 2000 + this.below(20_000) : this.below(1000);
    const isService = this.chance(0.5);
    const target = isService ? '10.96.0.23' : this.anyPodAddress();
    socket.sendTo(new Uint8Array(size), ip(target), isService ? SERVICE_PORT : PORT + this.below(2));
    this.cluster.engine.schedule(this.cluster.engine.nowUs + 5 * SECOND_US, () => socket.close());
  }

  private anyHost(): Host {
    return this.pods[this.below(this.pods.length)]!.host;
  }

  private anyService(): string {
    return `10.96.0.${20 + this.below(3)}`;
  }

  /** Now and then where no pod is. */
  private anyPodAddress(): string {
    return `10.244.${1 + this.below(NODES)}.${10 + this.below(PODS_A_NODE + 2)}`;
  }

  private below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  private chance(probability: number): boolean {
    return this.random() < probability;
  }

  private measure(): void {
    const sizes = this.sizes();
    for (const key of Object.keys(sizes) as (keyof Sizes)[]) this.most[key] = Math.max(this.most[key], sizes[key]);
  }

  /** The FDB without the ports' own addresses, neighbours without those that were configured. */
  sizes(): Sizes {
    const { cluster } = this;
    const hosts = [...cluster.nodes.map((node) => node.root), ...this.pods.map((pod) => pod.host)];
    const endpoints = hosts.map((host) => host.tcp.list());
    const most = (values: readonly number[]): number => Math.max(...values);
    return {
      conntrack: most(cluster.nodes.map((node) => node.conntrack.table.size)),
      fdb: most(cluster.nodes.map((node) => learned(node, cluster.engine.nowUs))),
      neighbours: most(hosts.map((host) => host.neighbours.list().filter(({ state }) => state !== 'PERMANENT').length)),
      reassembly: most(hosts.map((host) => host.reassembly.size)),
      connections: most(endpoints.map((all) => all.filter(({ state }) => state !== 'TIME-WAIT').length)),
      timeWait: most(endpoints.map((all) => all.filter(({ state }) => state === 'TIME-WAIT').length)),
      portsOfOneHost: most(endpoints.map((all) => new Set(all.map(({ localPort }) => localPort)).size)),
      packets: cluster.memory.inUse,
    };
  }
}

function learned(node: NodeDatapath, nowUs: number): number {
  return node.bridge!.fdb.list(nowUs).filter(({ permanent }) => !permanent).length;
}

test(`churn for ${HOURS} h of virtual time stay within every bound and leave nothing`, {
  timeout: TEST_LIMIT_MS,
}, () => {
  const seed = baseSeed();
  const soak = new Soak(seed);
  const atStart = soak.cluster.memory.inUse;
  for (let minute = 0; minute < HOURS * 60; minute++) soak.minute();
  const story = `PODWIRE_SEED=${seed}: ${JSON.stringify({ ...soak.counts, most: soak.most })}`;
  if (IS_FULL) console.info(story);
  expect(soak.counts.connections, story).toBe(HOURS * 60 * CONNECTIONS_A_MINUTE);
  expect(soak.counts.failed / soak.counts.connections, story).toBeLessThan(0.6);
  for (const { conntrack } of soak.cluster.nodes) {
    expect([conntrack.table.refused, conntrack.table.earlyDrops], story).toEqual([0, 0]);
  }
  expect(soak.most.fdb, story).toBeLessThanOrEqual(MAX_FDB_ENTRIES);
  expect(soak.most.neighbours, story).toBeLessThanOrEqual(MAX_NEIGHBOURS);
  expect(soak.most.reassembly, story).toBeLessThanOrEqual(MAX_DATAGRAMS);
  expect(soak.most.timeWait, story).toBeLessThanOrEqual(MAX_TIME_WAIT);
  expect(soak.most.portsOfOneHost, story).toBeLessThanOrEqual(LAST_EPHEMERAL_PORT - FIRST_EPHEMERAL_PORT + 2);
  const { fdb, neighbours, ...left } = soak.quiet();
  expect(left, story).toEqual({
    conntrack: 0,
    reassembly: 0,
    connections: 0,
    timeWait: 0,
    portsOfOneHost: 0,
    packets: atStart,
  });
  expect(fdb, story).toBe(0);
  // A neighbour that is stale is kept until the table is full, as Linux does below gc_thresh1.
  expect(neighbours, story).toBeLessThanOrEqual(PODS_A_NODE + 4);
});
