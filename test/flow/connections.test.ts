/** What conntrack keeps, for how long, and what outlives a change of rules. */
import { describe, expect, it } from 'vitest';
import { connectionRows, formatConnections } from '../../node-agent/datapath/show/conntrack.ts';
import { formatIpv4 } from '../../shared/wire/address.ts';
import { ip, TestCluster } from './cluster.testkit.ts';
import { serviceRules, type TestService } from './service-rules.testkit.ts';

const SECOND_US = 1_000_000;

const service = (backends: string[], more: Partial<TestService> = {}): TestService => ({
  name: 'web',
  protocol: 'udp',
  clusterIp: '10.96.12.3',
  port: 80,
  backends,
  ...more,
});

function clusterWithServers() {
  const cluster = new TestCluster();
  const client = cluster.pod('10.244.1.5').host;
  const backends = ['10.244.1.6', '10.244.1.7', '10.244.2.7', '10.244.2.8'];
  for (const address of backends) cluster.udpServer(cluster.pod(address).host, 8080, address);
  return { cluster, client, backends: backends.map((address) => `${address}:8080`) };
}

const backendOf = (answer: string | null) => answer?.split(' ')[0];

describe('conntrack', () => {
  it('lists a translated flow as conntrack -L does, and forgets it after its time', () => {
    const { cluster, client } = clusterWithServers();
    cluster.services(service(['10.244.2.7:8080']));
    cluster.ask(client, '10.96.12.3', 80, 40_000);
    const { conntrack } = cluster.node(1);
    const list = () => formatConnections(connectionRows(conntrack, cluster.engine.nowUs));
    expect(list()).toBe(
      'udp      17 30 src=10.244.1.5 dst=10.96.12.3 sport=40000 dport=80 src=10.244.2.7 dst=10.244.1.5 sport=8080 dport=40000 mark=0 use=1\n',
    );
    cluster.advance(29 * SECOND_US);
    expect(list()).toContain('udp      17 1 ');
    cluster.advance(SECOND_US);
    expect(list()).toBe('');
    cluster.advance(5 * SECOND_US);
    expect(conntrack.table.size).toBe(0);
  });

  it('a flow that lasts is a stream, assured, and kept for two minutes', () => {
    const { cluster, client } = clusterWithServers();
    const socket = client.udp.bind({});
    cluster.askFrom(socket, '10.244.2.7', 8080);
    cluster.advance(3 * SECOND_US);
    cluster.askFrom(socket, '10.244.2.7', 8080);
    const [row] = connectionRows(cluster.node(1).conntrack, cluster.engine.nowUs);
    expect(row).toMatchObject({ assured: true, replied: true, timeoutSeconds: 120 });
  });

  it('counts every packet of a flow, and a silent one is forgotten by its last', () => {
    const { cluster, client } = clusterWithServers();
    const { conntrack } = cluster.node(1);
    const socket = client.udp.bind({});
    for (let second = 0; second < 5; second++) {
      cluster.askFrom(socket, '10.244.2.7', 8080);
      cluster.advance(SECOND_US);
    }
    const [connection] = conntrack.table.connections();
    const { original, reply } = connection!;
    expect([original.packets, reply.packets]).toEqual([5, 5]);
    expect(original.bytes).toBeGreaterThan(5 * 28);
    cluster.advance(118 * SECOND_US);
    cluster.askFrom(socket, '10.244.2.7', 8080);
    cluster.advance(119 * SECOND_US);
    expect([conntrack.table.size, original.packets]).toEqual([1, 6]);
    cluster.advance(7 * SECOND_US);
    expect([conntrack.table.size, original.packets, reply.packets]).toEqual([0, 6, 6]);
  });

  it('is full when it is full: the unassured oldest goes first', () => {
    const { cluster, client } = clusterWithServers();
    const { conntrack } = cluster.node(1);
    const most = conntrack.table.maxConnections;
    Object.assign(conntrack.table, { maxConnections: 8 });
    for (let i = 0; i < 12; i++) cluster.ask(client, '10.244.2.7', 8080);
    expect(conntrack.table.size).toBe(8);
    expect(conntrack.table.earlyDrops).toBe(4);
    Object.assign(conntrack.table, { maxConnections: most });
  });

  it('two clients with one port get different ports behind one masquerade', () => {
    const cluster = new TestCluster(3);
    cluster.udpServer(cluster.pod('10.244.3.7').host, 8080);
    cluster.services(service(['10.244.3.7:8080'], { nodePort: 30080 }));
    const first = cluster.ask(cluster.node(1).root, '192.168.1.12', 30080, 40_000);
    const second = cluster.ask(cluster.node(2).root, '192.168.1.12', 30080, 40_000);
    expect([first.answer, second.answer], cluster.journey()).not.toContain(null);
    expect(first.serverSaw).not.toBe(second.serverSaw);
  });

  it('a direct flow and one through the Service to the same backend do not mix', () => {
    const { cluster, client } = clusterWithServers();
    cluster.services(service(['10.244.2.7:8080']));
    const socket = client.udp.bind({ port: 40_000 });
    const through = cluster.askFrom(socket, '10.96.12.3', 80);
    const direct = cluster.askFrom(socket, '10.244.2.7', 8080);
    expect([through.answerFrom, direct.answerFrom], cluster.journey()).toEqual(['10.96.12.3:80', '10.244.2.7:8080']);
  });
});

describe('rules', () => {
  it('spreads new flows over the backends and keeps each where it began', () => {
    const { cluster, client, backends } = clusterWithServers();
    cluster.services(service(backends));
    const counts = new Map<string | undefined, number>();
    for (let i = 0; i < 400; i++) {
      const socket = client.udp.bind({});
      const first = backendOf(cluster.askFrom(socket, '10.96.12.3', 80).answer);
      expect(backendOf(cluster.askFrom(socket, '10.96.12.3', 80).answer)).toBe(first);
      socket.close();
      counts.set(first, (counts.get(first) ?? 0) + 1);
    }
    expect(counts.size).toBe(4);
    for (const count of counts.values()) expect(count).toBeGreaterThan(60);
  });

  it('replacing the rules moves new flows and leaves established ones', () => {
    const { cluster, client } = clusterWithServers();
    cluster.services(service(['10.244.1.6:8080']));
    const socket = client.udp.bind({});
    expect(backendOf(cluster.askFrom(socket, '10.96.12.3', 80).answer)).toBe('10.244.1.6');
    cluster.services(service(['10.244.2.7:8080']));
    expect(backendOf(cluster.askFrom(socket, '10.96.12.3', 80).answer)).toBe('10.244.1.6');
    expect(backendOf(cluster.ask(client, '10.96.12.3', 80).answer)).toBe('10.244.2.7');
    cluster.services(service([]));
    expect(backendOf(cluster.askFrom(socket, '10.96.12.3', 80).answer), cluster.journey()).toBe('10.244.1.6');
    expect(cluster.ask(client, '10.96.12.3', 80).error).toBe('ECONNREFUSED');
  });

  it('forgets flows to a backend that is gone, when told to', () => {
    const { cluster, client } = clusterWithServers();
    cluster.services(service(['10.244.1.6:8080']));
    const socket = client.udp.bind({});
    cluster.askFrom(socket, '10.96.12.3', 80);
    const node = cluster.node(1);
    const rules = serviceRules(node.bootId, [service(['10.244.2.7:8080'])]);
    node.applyRules({ ...rules, forget: [{ protocol: 'udp', replySource: ip('10.244.1.6') }] });
    expect(backendOf(cluster.askFrom(socket, '10.96.12.3', 80).answer), cluster.journey()).toBe('10.244.2.7');
  });

  it('client-IP affinity holds for its time', () => {
    const { cluster, client, backends } = clusterWithServers();
    cluster.services(service(backends, { affinitySeconds: 60 }));
    const ask = () => backendOf(cluster.ask(client, '10.96.12.3', 80).answer);
    const chosen = ask();
    for (let i = 0; i < 20; i++) expect(ask()).toBe(chosen);
    const later = new Set<string | undefined>();
    for (let i = 0; i < 20; i++) {
      cluster.advance(61 * SECOND_US);
      later.add(ask());
    }
    expect(later.size).toBeGreaterThan(1);
  });

  it('a node that started again asks for everything anew', () => {
    const { cluster } = clusterWithServers();
    const node = cluster.node(1);
    const full = serviceRules(node.bootId, [service(['10.244.1.6:8080'])]);
    expect(node.applyRules(full)).toMatchObject({ kind: 'applied', generation: 1 });
    expect(node.applyRules({ ...full, base: 1 })).toMatchObject({ kind: 'applied', generation: 2 });
    expect(node.applyRules({ ...full, base: 1 })).toMatchObject({ kind: 'resync' });
    expect(node.applyRules({ ...full, base: 2, bootId: 'boot-0' })).toMatchObject({ kind: 'resync' });
  });

  it('counts packets a rule, and lists them as iptables-save -c', () => {
    const { cluster, client } = clusterWithServers();
    cluster.services(service(['10.244.1.6:8080']));
    cluster.ask(client, '10.96.12.3', 80);
    expect(cluster.node(1).rules.list({ table: 'nat', counters: true })).toMatch(
      /\[1:\d+\] -A KUBE-SEP-web-0 -p udp -j DNAT --to-destination 10\.244\.1\.6:8080/,
    );
    expect(cluster.node(1).rules.list({ table: 'nat' })).toContain('-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 ');
  });
});

describe('policy seam', () => {
  it('sees the real client and the real backend, also on the bridge', () => {
    const { cluster, client } = clusterWithServers();
    cluster.services(service(['10.244.1.6:8080']));
    const seen: string[] = [];
    cluster.node(1).setPolicy({
      judge: (_, flow) => {
        if (flow !== null) seen.push(`${flow.isReply ? 'reply' : 'original'} ${formatIpv4(flow.opposite.source)}`);
        return null;
      },
    });
    expect(cluster.ask(client, '10.96.12.3', 80).answer).toContain('heard');
    expect(seen).toEqual(['original 10.244.1.6', 'reply 10.244.1.5']);
  });

  it('drops with its reason', () => {
    const { cluster, client } = clusterWithServers();
    const reason = { code: 'policy-denied', cause: 'NetworkPolicy default/deny-all' };
    cluster.node(1).setPolicy({ judge: () => reason });
    expect(cluster.ask(client, '10.244.1.6', 8080).answer).toBeNull();
    expect(cluster.node(1).drops.list()).toContainEqual({ where: 'worker-1 forward', packets: 1, ...reason });
  });
});
