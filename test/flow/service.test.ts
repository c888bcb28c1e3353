/** How a packet goes through one or two nodes: who sees which addresses, and what is left of it. */
import { describe, expect, it } from 'vitest';
import { type Exchange, TestCluster } from './cluster.testkit.ts';
import type { TestService } from './service-rules.testkit.ts';

const web = (backends: string[], more: Partial<TestService> = {}): TestService => ({
  name: 'web',
  protocol: 'udp',
  clusterIp: '10.96.12.3',
  port: 80,
  nodePort: 30080,
  backends,
  ...more,
});

interface Flow {
  readonly name: string;
  /** A pod's address, or `node N`. */
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly backends: string[];
  /** The client as the server sees it, without the port. */
  readonly serverSees: string;
  /** TTL when the packet reaches the server. */
  readonly ttl: number;
}

const local = '10.244.1.6';
const remote = '10.244.2.7';
const flows: readonly Flow[] = [
  {
    name: 'pod to pod on one node: bridged',
    from: '10.244.1.5',
    to: local,
    port: 8080,
    backends: [],
    serverSees: '10.244.1.5',
    ttl: 64,
  },
  {
    name: 'pod to pod on another node: routed twice',
    from: '10.244.1.5',
    to: remote,
    port: 8080,
    backends: [],
    serverSees: '10.244.1.5',
    ttl: 62,
  },
  {
    name: 'pod to ClusterIP, backend on the same node',
    from: '10.244.1.5',
    to: '10.96.12.3',
    port: 80,
    backends: [local],
    serverSees: '10.244.1.5',
    ttl: 63,
  },
  {
    name: 'pod to ClusterIP, backend on another node',
    from: '10.244.1.5',
    to: '10.96.12.3',
    port: 80,
    backends: [remote],
    serverSees: '10.244.1.5',
    ttl: 62,
  },
  {
    name: 'hairpin: pod to ClusterIP, itself the backend',
    from: local,
    to: '10.96.12.3',
    port: 80,
    backends: [local],
    serverSees: '10.244.1.1',
    ttl: 63,
  },
  {
    name: 'node to a pod of its own',
    from: 'node 1',
    to: local,
    port: 8080,
    backends: [],
    serverSees: '10.244.1.1',
    ttl: 64,
  },
  {
    name: 'node to a pod of another node',
    from: 'node 1',
    to: remote,
    port: 8080,
    backends: [],
    serverSees: '10.244.1.0',
    ttl: 63,
  },
  {
    name: 'node to ClusterIP, backend on it',
    from: 'node 1',
    to: '10.96.12.3',
    port: 80,
    backends: [local],
    serverSees: '10.244.1.1',
    ttl: 64,
  },
  {
    name: 'node to ClusterIP, backend on another node',
    from: 'node 1',
    to: '10.96.12.3',
    port: 80,
    backends: [remote],
    serverSees: '10.244.1.0',
    ttl: 63,
  },
  {
    name: 'node to its own NodePort',
    from: 'node 1',
    to: '192.168.1.10',
    port: 30080,
    backends: [remote],
    serverSees: '10.244.1.0',
    ttl: 63,
  },
  {
    name: 'NodePort of another node, backend there',
    from: 'node 1',
    to: '192.168.1.11',
    port: 30080,
    backends: [remote],
    serverSees: '10.244.2.1',
    ttl: 63,
  },
  {
    name: 'NodePort of another node, backend here',
    from: 'node 1',
    to: '192.168.1.11',
    port: 30080,
    backends: [local],
    serverSees: '10.244.2.0',
    ttl: 62,
  },
  {
    name: "pod to its node's NodePort",
    from: '10.244.1.5',
    to: '192.168.1.10',
    port: 30080,
    backends: [remote],
    serverSees: '10.244.1.0',
    ttl: 62,
  },
  {
    name: "pod to another node's NodePort",
    from: '10.244.1.5',
    to: '192.168.1.11',
    port: 30080,
    backends: [remote],
    serverSees: '10.244.2.1',
    ttl: 62,
  },
];

function run(flow: Flow): { cluster: TestCluster; exchange: Exchange } {
  const cluster = new TestCluster();
  const client = cluster.pod('10.244.1.5').host;
  for (const address of [local, remote]) cluster.udpServer(cluster.pod(address).host, 8080, address);
  cluster.services(web(flow.backends.map((address) => `${address}:8080`)));
  const from =
    flow.from === 'node 1'
      ? cluster.node(1).root
      : flow.from === local
        ? cluster.node(1).pods.get(`default/pod-${local}`)!.host
        : client;
  return { cluster, exchange: cluster.ask(from, flow.to, flow.port) };
}

describe('flows', () => {
  it.each(flows)('$name', (flow) => {
    const { cluster, exchange } = run(flow);
    const journey = cluster.journey();
    const backend = flow.backends[0] ?? flow.to;
    expect(exchange.answer, journey).toMatch(new RegExp(`^${backend} heard`));
    expect(exchange.answerFrom, journey).toBe(`${flow.to}:${flow.port}`);
    expect(exchange.serverSaw?.split(':')[0], journey).toBe(flow.serverSees);
    const arrival =
      cluster.hops.find((hop) => hop.event === 'sent' && hop.packet.includes(`> ${backend}:8080`)) ??
      cluster.hops.findLast((hop) => hop.stage === 'POSTROUTING' && hop.packet.includes(`> ${backend}:8080`));
    expect(arrival?.packet, journey).toContain(`ttl ${flow.ttl},`);
    expect(cluster.memory.inUse, 'packets still in use').toBe(0);
  });
});
