/** IPv6 through the node: pods of one node and of two, Services by ip6tables' rules, errors, and both versions beside each other. */
import { describe, expect, it } from 'vitest';
import { connectionRows, formatConnections } from '../../node-agent/datapath/show/conntrack.ts';
import { completeIpChecksums } from '../../shared/wire/complete-checksums.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ipHeader from '../../shared/wire/ip.ts';
import { PacketMemory } from '../../shared/wire/packet-memory.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';
import { ip, TestCluster } from './cluster.testkit.ts';

const SERVICE = 'fd00:10:96::80';
const service = (...backends: string[]) =>
  ({ name: 'WEB', protocol: 'udp', clusterIp: SERVICE, port: 53, nodePort: 30053, backends }) as const;

describe('pods', () => {
  it('of one node reach each other through the bridge', () => {
    const cluster = new TestCluster(1);
    const [a, b] = [cluster.pod('10.244.1.5'), cluster.pod('10.244.1.6')];
    cluster.udpServer(b.host, 53, 'b');
    const { answer, serverSaw } = cluster.ask(a.host, 'fd00:10:244:1::6', 53);
    expect(answer, cluster.journey()).toContain('b heard');
    expect(serverSaw).toMatch(/^\[fd00:10:244:1::5\]:/);
    expect(cluster.captured).toHaveLength(0);
  });

  it('of two nodes reach each other through VXLAN, with right checksums on the wire', () => {
    const cluster = new TestCluster();
    const [a, b] = [cluster.pod('10.244.1.5'), cluster.pod('10.244.2.7')];
    cluster.udpServer(b.host, 53, 'b');
    const { answer, serverSaw } = cluster.ask(a.host, 'fd00:10:244:2::7', 53);
    expect(answer, cluster.journey()).toContain('b heard');
    expect(serverSaw).toMatch(/^\[fd00:10:244:1::5\]:/);
    expect(cluster.captured.length).toBeGreaterThanOrEqual(2);
    for (const datagram of cluster.captured) {
      const memory = new PacketMemory({ smallSlots: 1, largeSlots: 1 });
      const frame = memory.allocate(datagram.length)!;
      memory.bytes.set(datagram, frame.offset);
      const network = frame.offset + vxlan.HEADER_BYTES + ethernet.HEADER_BYTES;
      const size = datagram.length - vxlan.HEADER_BYTES - ethernet.HEADER_BYTES;
      expect(ipHeader.check(memory.view, network, size)).toBe(true);
      completeIpChecksums(memory, network, size);
      expect(memory.bytes.slice(frame.offset, frame.offset + datagram.length)).toEqual(datagram);
    }
  });

  it('ping and traceroute find the routers in between', () => {
    const cluster = new TestCluster();
    const [a] = [cluster.pod('10.244.1.5'), cluster.pod('10.244.2.7')];
    const at = (ttl: number) => cluster.ping(a.host, { to: 'fd00:10:244:2::7', ttl });
    expect(at(1), cluster.journey()).toEqual({ kind: 'time-exceeded', from: ip('fd00:10:244:1::1') });
    expect(at(2), cluster.journey()).toEqual({ kind: 'time-exceeded', from: ip('fd00:10:244:2::') });
    expect(at(3), cluster.journey()).toMatchObject({ kind: 'reply', ttl: 62, from: ip('fd00:10:244:2::7') });
  });

  it('reach nodes, and nodes each other', () => {
    const cluster = new TestCluster();
    const a = cluster.pod('10.244.1.5');
    expect(cluster.ping(a.host, { to: 'fd00:192:168:1::11' }), cluster.journey()).toMatchObject({ kind: 'reply' });
    expect(cluster.ping(cluster.node(2).root, { to: 'fd00:192:168:1::10' })).toMatchObject({ kind: 'reply' });
  });

  it('hear that a packet is too big for the overlay, and cut it', () => {
    const cluster = new TestCluster();
    const [a, b] = [cluster.pod('10.244.1.5'), cluster.pod('10.244.2.7')];
    cluster.node(1).overlay!.mtuBytes = 1300;
    cluster.udpServer(b.host, 53, 'b');
    const socket = a.host.udp.bind({ address: ip('fd00:10:244:1::5') });
    const first = cluster.askFrom(socket, 'fd00:10:244:2::7', 53, 1380);
    expect(first).toMatchObject({ error: 'EMSGSIZE', answer: null });
    expect(a.host.pathMtu.towards(ip('fd00:10:244:2::7'), a.host.route(ip('fd00:10:244:2::7'))!)).toBe(1300);
    const second = cluster.askFrom(socket, 'fd00:10:244:2::7', 53, 1380);
    expect(second.serverSaw, cluster.journey()).toMatch(/^\[fd00:10:244:1::5\]:/);
  });
});

describe('Services', () => {
  it('lead to a backend, whose answers come from the Service', () => {
    const cluster = new TestCluster();
    const [a, b] = [cluster.pod('10.244.1.5'), cluster.pod('10.244.2.7')];
    cluster.udpServer(b.host, 53, 'b');
    cluster.services(service('[fd00:10:244:2::7]:53'));
    const { answerFrom, serverSaw } = cluster.ask(a.host, SERVICE, 53, 40_000);
    expect(answerFrom, cluster.journey()).toBe(`[${SERVICE}]:53`);
    expect(serverSaw).toBe('[fd00:10:244:1::5]:40000');
    const rows = connectionRows(cluster.node(1).conntrack, cluster.engine.nowUs);
    expect(formatConnections(rows.filter(({ original }) => original.dst === SERVICE))).toMatch(
      /^udp {6}17 30 src=fd00:10:244:1::5 dst=fd00:10:96::80 sport=40000 dport=53 src=fd00:10:244:2::7 dst=fd00:10:244:1::5 sport=53 dport=40000 mark=0 use=1\n$/,
    );
    expect(cluster.node(1).rules.list({ family: 'ipv6', table: 'nat' })).toContain(
      '-A KUBE-SEP-WEB-0 -p udp -j DNAT --to-destination [fd00:10:244:2::7]:53',
    );
    expect(cluster.node(1).rules.list({ family: 'ipv4', table: 'nat' })).not.toContain('KUBE-SVC-WEB');
  });

  it('on the same node: the answer is translated back on the bridge', () => {
    const cluster = new TestCluster(1);
    const [a, b] = [cluster.pod('10.244.1.5'), cluster.pod('10.244.1.6')];
    cluster.udpServer(b.host, 53, 'b');
    cluster.services(service('[fd00:10:244:1::6]:53'));
    expect(cluster.ask(a.host, SERVICE, 53).answerFrom, cluster.journey()).toBe(`[${SERVICE}]:53`);
  });

  it('hairpin: a pod reaches itself through its Service, masqueraded', () => {
    const cluster = new TestCluster(1);
    const a = cluster.pod('10.244.1.5');
    cluster.udpServer(a.host, 53, 'a');
    cluster.services(service('[fd00:10:244:1::5]:53'));
    const { answerFrom, serverSaw } = cluster.ask(a.host, SERVICE, 53);
    expect(answerFrom, cluster.journey()).toBe(`[${SERVICE}]:53`);
    expect(serverSaw).toMatch(/^\[fd00:10:244:1::1\]:/);
  });

  it('a NodePort from another node is masqueraded', () => {
    const cluster = new TestCluster(3);
    const b = cluster.pod('10.244.2.7');
    cluster.udpServer(b.host, 53, 'b');
    cluster.services(service('[fd00:10:244:2::7]:53'));
    const { answerFrom, serverSaw } = cluster.ask(cluster.node(3).root, 'fd00:192:168:1::10', 30_053);
    expect(answerFrom, cluster.journey()).toBe('[fd00:192:168:1::10]:30053');
    expect(serverSaw).toMatch(/^\[fd00:10:244:1::\]:/);
  });

  it('without backends refuse', () => {
    const cluster = new TestCluster(1);
    const a = cluster.pod('10.244.1.5');
    cluster.services(service());
    expect(cluster.ask(a.host, SERVICE, 53).error, cluster.journey()).toBe('ECONNREFUSED');
  });

  it('an error about a translated packet speaks of what its sender sent', () => {
    const cluster = new TestCluster();
    const a = cluster.pod('10.244.1.5');
    cluster.pod('10.244.2.7');
    cluster.services(service('[fd00:10:244:2::7]:53'));
    expect(cluster.ask(a.host, SERVICE, 53).error, cluster.journey()).toBe('ECONNREFUSED');
  });

  it('of both versions stand beside each other', () => {
    const cluster = new TestCluster();
    const [a, b] = [cluster.pod('10.244.1.5'), cluster.pod('10.244.2.7')];
    cluster.udpServer(b.host, 53, 'b');
    const four = { ...service('10.244.2.7:53'), clusterIp: '10.96.0.80' };
    cluster.services(service('[fd00:10:244:2::7]:53'), four);
    expect(cluster.ask(a.host, '10.96.0.80', 53)).toMatchObject({ answerFrom: '10.96.0.80:53' });
    expect(cluster.ask(a.host, SERVICE, 53)).toMatchObject({ answerFrom: `[${SERVICE}]:53` });
  });
});

describe('TCP', () => {
  it('through a Service to another node, 1 MB each way', () => {
    const cluster = new TestCluster(2, 1, { traced: false });
    const [a, b] = [cluster.pod('10.244.1.5'), cluster.pod('10.244.2.7')];
    cluster.services({ ...service('[fd00:10:244:2::7]:80'), protocol: 'tcp', port: 80 });
    const data = Uint8Array.from({ length: 1_000_000 }, (_, i) => (i * 7) % 253);
    const echoed: Uint8Array[] = [];
    const listener = b.host.tcp.listen({ port: 80, address: ip('::') });
    listener.onConnection = (connection) => {
      connection.onData = (chunk) => connection.write(chunk);
    };
    const connection = a.host.tcp.connect({ remoteAddress: ip(SERVICE), remotePort: 80 });
    connection.onData = (chunk) => echoed.push(chunk.slice());
    let sent = 0;
    const more = () => {
      while (sent < data.length) {
        const part = data.subarray(sent, sent + 16_384);
        sent += part.length;
        if (!connection.write(part)) return;
      }
    };
    connection.onEstablished = more;
    connection.onWritable = more;
    cluster.advance(20_000_000);
    expect(Buffer.concat(echoed).equals(data)).toBe(true);
    expect(connection.path.mssBytes()).toBe(1450 - 60);
  });
});

it('neighbour discovery on the bridge is untracked, not invalid, probes of one neighbour included', () => {
  const cluster = new TestCluster(1);
  const [a] = [cluster.pod('10.244.1.5'), cluster.pod('10.244.1.6')];
  const ping = () => cluster.ping(a.host, { to: 'fd00:10:244:1::6' });
  expect(ping()).toMatchObject({ kind: 'reply' });
  cluster.advance(40_000_000);
  expect(ping()).toMatchObject({ kind: 'reply' });
  cluster.advance(10_000_000);
  const neighbour = a.host.neighbours.list().find(({ address }) => address === ip('fd00:10:244:1::6'));
  expect(neighbour?.state).toBe('REACHABLE');
  expect(cluster.node(1).conntrack.invalid).toBe(0);
});
