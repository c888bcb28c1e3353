/** Who gets the connections of many clients, in each mode. Seeds are fixed and printed with a failure. */
import { describe, expect, it } from 'vitest';
import type { Scheduler } from '../../shared/rules/ipvs.ts';
import { TestCluster } from './cluster.testkit.ts';
import { NodeProxy, type ProxyMode, type TestedService } from './service-world.testkit.ts';

const CONNECTIONS = 30_000;
const BATCH = 1_000;
/** Ports are given one by one, as one drawn twice would be one connection. */
const FIRST_PORT = 10_000;
/** For 2 degrees of freedom and one false alarm in 10,000. */
const CHI_SQUARE_LIMIT = 18.42;
const BACKENDS = ['10.244.1.6', '10.244.1.7', '10.244.2.8'];

const web: TestedService = {
  spec: { clusterIP: '10.96.12.3', ports: [{ port: 80, protocol: 'UDP' }] },
  backends: BACKENDS.map((address) => ({ address })),
};

/** Connections of each backend, and in which order they came to them. */
function spread(mode: ProxyMode, seed: number, count: number, scheduler?: Scheduler) {
  const cluster = new TestCluster(2, seed, { traced: false });
  const order: string[] = [];
  for (const address of BACKENDS) {
    const socket = cluster.pod(address).host.udp.bind({ port: 8080 });
    socket.onMessage = () => order.push(address);
  }
  const client = cluster.pod('10.244.1.5').host;
  const proxy = new NodeProxy(mode, cluster.node(1), { scheduler });
  proxy.update(web);
  proxy.sync();
  const question = new Uint8Array([1]);
  for (let sent = 0; sent < count; sent += BATCH) {
    for (let i = 0; i < Math.min(BATCH, count - sent); i++) {
      const socket = client.udp.bind({ port: FIRST_PORT + i });
      socket.connect(0x0a60_0c03, 80);
      socket.send(question);
      socket.close();
      cluster.settle();
    }
    // A port that comes up again is a new connection.
    for (const node of cluster.nodes) node.conntrack.delete(() => true);
  }
  const counts = BACKENDS.map((address) => order.filter((one) => one === address).length);
  return { order, counts };
}

function chiSquare(counts: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const expected = total / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe('distribution over three backends', () => {
  it.each(['iptables', 'nftables', 'ebpf'] as const)('%s draws them evenly', (mode) => {
    const seed = 20_250_101;
    const { counts } = spread(mode, seed, CONNECTIONS);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(CONNECTIONS);
    expect(chiSquare(counts), `seed ${seed}: ${counts}`).toBeLessThan(CHI_SQUARE_LIMIT);
  });

  it('ipvs with rr gives exact turns', () => {
    const { order } = spread('ipvs', 1, 300);
    expect(order).toEqual(Array.from({ length: 300 }, (_, i) => BACKENDS[i % 3]));
  });

  it('ipvs with lc fills up who has the least', () => {
    const { counts } = spread('ipvs', 1, 300, 'lc');
    expect(counts).toEqual([100, 100, 100]);
  });
});
