import { beforeEach, expect, test } from 'vitest';
import { TestCluster } from '../../test/flow/cluster.testkit.ts';
import type { NodeDatapath } from '../datapath/path.ts';
import type { KernelView } from '../images/image.ts';
import { nodeKernelView, podKernelView } from './kernel-view.ts';

let cluster: TestCluster;
let datapath: NodeDatapath;
let node: KernelView;

beforeEach(() => {
  cluster = new TestCluster();
  datapath = cluster.node(1);
  node = nodeKernelView(datapath);
});

function run(command: string): string {
  const { stdout, stderr } = node.run(command.split(' '));
  return stdout + stderr;
}

test('a table of fewer connections refuses the next ones, and counts them', () => {
  const client = cluster.pod('10.244.1.5').host;
  cluster.pod('10.244.2.7');
  expect(run('sysctl net.netfilter.nf_conntrack_count')).toBe('net.netfilter.nf_conntrack_count = 0\n');
  expect(run('sysctl -w net.netfilter.nf_conntrack_max=2')).toBe('net.netfilter.nf_conntrack_max = 2\n');
  const server = cluster.node(2).pods.values().next().value!.host;
  server.tcp.listen({ port: 80 });
  for (let i = 0; i < 3; i++) {
    client.tcp.connect({ remoteAddress: 0x0af4_0207, remotePort: 80 });
    cluster.advance(100_000); // what is established may not make room for it
  }
  expect(run('sysctl -n net.netfilter.nf_conntrack_count')).toBe('2\n');
  expect(run('conntrack -S')).toMatch(/ drop=[1-9]/);
  expect(run('sysctl -w net.netfilter.nf_conntrack_max=0')).toContain('Invalid argument');
});

test("conntrack's times are those that were set", () => {
  const client = cluster.pod('10.244.1.5').host;
  cluster.pod('10.244.2.7');
  expect(run('sysctl -w net.netfilter.nf_conntrack_icmp_timeout=7')).toBe(
    'net.netfilter.nf_conntrack_icmp_timeout = 7\n',
  );
  cluster.ping(client, { to: '10.244.2.7', timeoutUs: 1_000_000 });
  expect(run('conntrack -L -p icmp')).toMatch(/^icmp {5}1 [45] /);
});

test('without br_netfilter a packet between two ports of the bridge meets no rule', () => {
  const client = cluster.pod('10.244.1.5').host;
  cluster.pod('10.244.1.6');
  const pings = () => cluster.ping(client, { to: '10.244.1.6', timeoutUs: 1_000_000 }).kind === 'reply';
  expect(run('iptables -I FORWARD -d 10.244.1.6 -j DROP')).toBe('');
  expect(pings()).toBe(false);
  expect(run('sysctl -w net.bridge.bridge-nf-call-iptables=0')).toBe('net.bridge.bridge-nf-call-iptables = 0\n');
  expect(pings()).toBe(true);
});

test('a strict reverse path filter drops what would not be answered the same way', () => {
  const client = cluster.pod('10.244.1.5').host;
  cluster.pod('10.244.2.7');
  const pings = () => cluster.ping(client, { to: '10.244.2.7', timeoutUs: 1_000_000 }).kind === 'reply';
  expect(run('ip route add 10.244.2.7 via 192.168.1.11')).toBe('');
  expect(run('sysctl -n net.ipv4.conf.all.rp_filter')).toBe('2\n');
  expect(pings()).toBe(true);
  expect(run('sysctl -w net.ipv4.conf.all.rp_filter=1')).toBe('net.ipv4.conf.all.rp_filter = 1\n');
  expect(pings()).toBe(false);
  expect(run('nstat TcpExtIPReversePathFilter')).toMatch(/TcpExtIPReversePathFilter +[1-9]/);
});

test('a pod has no parameters of a node', () => {
  const { host } = cluster.pod('10.244.1.5');
  const view = podKernelView(host, { administrator: true });
  expect(view.run(['sysctl', 'net.netfilter.nf_conntrack_max']).stderr).toContain('No such file or directory');
});
