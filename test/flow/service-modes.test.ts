/**
 * Every proxy mode, with IPv4 and with IPv6, against one table: what is asked, by which traffic policy, where the endpoints are, who asks, and what
 * happens then: which backend answers and whom it takes for its client, and else the error. An answer must come from the
 * address that was asked. `unlike it` has the modes that differ, as their originals do:
 *
 * - ipvs falls back to the endpoints of other nodes under the policy Local; flannel's masquerade brings the answers back.
 * - ipvs does not masquerade what the node itself asks under the policy Local; the address of a Service is the node's own.
 * - ipvs and nftables refuse other ports of a ClusterIP, and nodes where there is no endpoint; iptables does neither.
 * - ebpf translates at the sockets of pods and the node: the backend sees the pod itself, at node ports too, and other nodes'
 *   node ports lead to every endpoint; from outside it masquerades only to other nodes, drops what asks a ClusterIP and
 *   refuses where the policy Local has no endpoint. A socket whose Service has no endpoint finds no route to it.
 * - nftables looks before it translates, so that the node's own packets are dropped too where no endpoint is local.
 *
 * With IPv6 the addresses are the same places of the cluster's other network. The outside has none.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { connectOutside } from '../../node-agent/datapath/outside.ts';
import type { Host } from '../../shared/netstack/host.ts';
import { formatEndpoint, type IpFamily } from '../../shared/wire/ip-address.ts';
import { ip, TestCluster } from './cluster.testkit.ts';
import { type Backend, inIpv6, NodeProxy, PROXY_MODES, type ProxyMode } from './service-world.testkit.ts';

interface Row {
  readonly asked: string;
  readonly policy: string;
  readonly endpoints: string;
  readonly from: string;
  readonly expected: string;
  readonly unlike: ReadonlyMap<string, string>;
}

const LOCAL = '10.244.1.6';
const REMOTE = '10.244.2.7';
const ending = { ready: false, serving: true, terminating: true };

const endpointSets: Readonly<Record<string, readonly Backend[]>> = {
  local: [{ address: LOCAL }],
  remote: [{ address: REMOTE }],
  none: [],
  'terminating local': [{ address: LOCAL, ...ending }],
  'terminating remote': [{ address: REMOTE, ...ending }],
};

const questions: Readonly<Record<string, readonly [address: string, port: number]>> = {
  clusterIP: ['10.96.12.3', 80],
  'clusterIP, other port': ['10.96.12.3', 81],
  nodePort: ['192.168.1.10', 30080],
  'nodePort of the other': ['192.168.1.11', 30080],
  loadBalancer: ['192.168.1.240', 80],
  externalIP: ['192.168.1.250', 80],
};

function readTable(): Row[] {
  const text = readFileSync(join(import.meta.dirname, 'service-modes.table.txt'), 'utf8');
  const [, ...lines] = text.trimEnd().split('\n');
  return lines.map((line) => {
    const [asked = '', policy = '', endpoints = '', from = '', expected = '', unlike = ''] = line.split(/ {2,}/);
    const others = unlike === '' ? [] : unlike.split('; ').map((one) => one.split(': ') as [string, string]);
    return { asked, policy, endpoints, from, expected, unlike: new Map(others) };
  });
}

function clusterFor(mode: ProxyMode, { policy, endpoints }: Row, family: IpFamily): TestCluster {
  const cluster = new TestCluster(2);
  cluster.pod('10.244.1.5');
  for (const address of [LOCAL, REMOTE]) cluster.udpServer(cluster.pod(address).host, 8080, address);
  for (const node of cluster.nodes) {
    const proxy = new NodeProxy(mode, node, { family });
    proxy.update({
      spec: {
        type: 'LoadBalancer',
        clusterIP: '10.96.12.3',
        externalIPs: ['192.168.1.250'],
        ports: [{ port: 80, nodePort: 30080, protocol: 'UDP' }],
        externalTrafficPolicy: policy,
        internalTrafficPolicy: policy,
      },
      loadBalancerIps: ['192.168.1.240'],
      backends: endpointSets[endpoints]!,
    });
    proxy.sync();
  }
  return cluster;
}

function clientOf(cluster: TestCluster, from: string): Host {
  const node = cluster.node(1);
  if (from === 'node') return node.root;
  if (from === 'pod') return node.pods.get('default/pod-10.244.1.5')!.host;
  if (from === 'self') return node.pods.get(`default/pod-${LOCAL}`)!.host;
  const secret = new TextEncoder().encode('secret of the outside');
  return connectOutside({ engine: cluster.engine, memory: cluster.memory, datapath: node, secret });
}

const errors: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused',
  EPERM: 'not permitted',
  EHOSTUNREACH: 'no route to host',
};

function happens(cluster: TestCluster, row: Row, family: IpFamily): string {
  const [place, port] = questions[row.asked]!;
  const address = family === 'ipv4' ? place : inIpv6(place);
  const { answer, answerFrom, error, serverSaw } = cluster.ask(clientOf(cluster, row.from), address, port);
  if (error !== null) return errors[error] ?? error;
  if (answer === null) return serverSaw === null ? 'dropped' : 'the answer is lost';
  const seen = `${answer.split(' ')[0]} sees ${placeOf(serverSaw ?? '')}`;
  return answerFrom === formatEndpoint(ip(address), port) ? seen : `${seen}, answers from ${answerFrom}`;
}

/** The address of an endpoint, as IPv4 has it. */
function placeOf(endpoint: string): string {
  const address = endpoint.slice(0, endpoint.lastIndexOf(':'));
  const [, groups = '', host = ''] = /^\[fd00:([\d:]+)::(\d*)\]$/.exec(address) ?? [];
  return groups === '' ? address : [...groups.split(':'), host === '' ? '0' : host].join('.');
}

const rows = readTable();

const families = { ipv4: rows, ipv6: rows.filter(({ from }) => from !== 'outside') };
const worlds = PROXY_MODES.flatMap((mode) => (['ipv4', 'ipv6'] as const).map((family) => ({ mode, family })));

describe.each(worlds)('$mode, $family', ({ mode, family }) => {
  it.each(families[family])('$asked, $policy, endpoints $endpoints, from $from', (row) => {
    const cluster = clusterFor(mode, row, family);
    expect(happens(cluster, row, family), cluster.journey()).toBe(row.unlike.get(mode) ?? row.expected);
    cluster.advance(3_000_000); // whoever waits for a neighbour gives up
    expect(cluster.memory.inUse, 'packets still in use').toBe(0);
  });
});

it('has at least 150 rows', () => {
  expect(rows.length * PROXY_MODES.length).toBeGreaterThanOrEqual(150);
});
