/** What goes wrong on the way, and what its sender is told: refusals, expired TTLs, packets that are too long, silence. */
import { describe, expect, it } from 'vitest';
import type { Host } from '../../shared/netstack/host.ts';
import type { PingResult } from '../../shared/netstack/icmp.ts';
import { ip, TestCluster } from './cluster.testkit.ts';
import type { TestService } from './service-rules.testkit.ts';

const service = (backends: string[], more: Partial<TestService> = {}): TestService => ({
  name: 'web',
  protocol: 'udp',
  clusterIp: '10.96.12.3',
  port: 80,
  backends,
  ...more,
});

describe('ICMP', () => {
  it.each([
    ['a pod of the same node', '10.244.1.6', 64],
    ['a pod of another node', '10.244.2.7', 62],
    ['the own gateway', '10.244.1.1', 64],
    ['the node itself', '192.168.1.10', 64],
    ['another node', '192.168.1.11', 63],
  ])('ping %s', (_, to, ttl) => {
    const cluster = new TestCluster();
    const client = cluster.pod('10.244.1.5').host;
    if (to.startsWith('10.244') && to !== '10.244.1.1') cluster.pod(to);
    expect(cluster.ping(client, { to }), cluster.journey()).toMatchObject({ kind: 'reply', from: ip(to), ttl });
  });

  it('traceroute shows the gateway, the other node and the pod', () => {
    const cluster = new TestCluster();
    const client = cluster.pod('10.244.1.5').host;
    cluster.pod('10.244.2.7');
    const path = [1, 2, 3].map((ttl) => cluster.ping(client, { to: '10.244.2.7', ttl }));
    expect(path, cluster.journey()).toMatchObject([
      { kind: 'time-exceeded', from: ip('10.244.1.1') },
      { kind: 'time-exceeded', from: ip('10.244.2.0') },
      { kind: 'reply', from: ip('10.244.2.7') },
    ]);
  });

  /** As `traceroute` (UDP) and `traceroute -T` ask. */
  const probe = (
    cluster: TestCluster,
    host: Host,
    to: string,
    port: number,
    ttl: number,
    protocol: 'udp' | 'tcp',
    payload?: Uint8Array,
  ) => {
    let result: PingResult | undefined;
    const common = { protocol, address: ip(to), port, payloadBytes: 32, dontFragment: false, timeoutUs: 1_000_000 };
    host.probes.send({ ...common, ttl, payload }, (outcome) => {
      result = outcome;
    });
    cluster.advance(2_000_000);
    return result;
  };

  it('traceroute -T to a Service hears the Service at each hop, as errors about what was translated come from there', () => {
    const cluster = new TestCluster();
    cluster.services(service(['10.244.2.7:8080'], { protocol: 'tcp' }));
    const client = cluster.pod('10.244.1.5').host;
    const server = cluster.pod('10.244.2.7').host;
    server.tcp.listen({ port: 8080 });
    const hops = (port: number) => [1, 2, 3].map((ttl) => probe(cluster, client, '10.96.12.3', port, ttl, 'tcp'));
    expect(hops(80), cluster.journey()).toMatchObject([
      { kind: 'time-exceeded', from: ip('10.96.12.3') },
      { kind: 'time-exceeded', from: ip('10.96.12.3') },
      { kind: 'reply', from: ip('10.96.12.3') },
    ]);
    expect(server.tcp.list()).toHaveLength(0); // it got a reset
  });

  it('a SYN is told from a reset, and a datagram that is awaited comes to no program', () => {
    const cluster = new TestCluster();
    cluster.services(service(['10.244.2.7:8080']));
    const client = cluster.pod('10.244.1.5').host;
    const server = cluster.pod('10.244.2.7').host;
    server.tcp.listen({ port: 8080 });
    expect(probe(cluster, client, '10.244.2.7', 8080, 64, 'tcp')).not.toHaveProperty('refused');
    expect(probe(cluster, client, '10.244.2.7', 8081, 64, 'tcp')).toMatchObject({ kind: 'reply', refused: true });

    const got: string[] = [];
    server.udp.bind({ port: 8080 }).onMessage = (data) => got.push(new TextDecoder().decode(data));
    const payload = new TextEncoder().encode('a token');
    server.probes.expect(payload, 3_000_000);
    const ask = () => probe(cluster, client, '10.96.12.3', 80, 64, 'udp', payload);
    expect(ask(), cluster.journey()).toMatchObject({ kind: 'reply', from: ip('10.96.12.3') });
    expect(got).toEqual([]);
    cluster.advance(3_000_000);
    expect(ask()).toEqual({ kind: 'timeout' });
    expect(got).toEqual(['a token']);
  });

  it.each(['10.244.2.7', 'fd00:10:244:2::7'])('traceroute to %s ends where nobody listens', (to) => {
    const cluster = new TestCluster();
    const client = cluster.pod('10.244.1.5').host;
    cluster.pod('10.244.2.7');
    const path = [1, 2, 3].map((ttl) => probe(cluster, client, to, 33_433 + ttl, ttl, 'udp'));
    expect(path, cluster.journey()).toMatchObject([
      { kind: 'time-exceeded' },
      { kind: 'time-exceeded' },
      { kind: 'unreachable', from: ip(to), code: 3 },
    ]);
    expect(probe(cluster, client, to, 9, 64, 'tcp')).toMatchObject({ kind: 'reply', from: ip(to) });
  });

  it('a network without a way is unreachable, once its gateway has not answered', () => {
    const cluster = new TestCluster();
    const client = cluster.pod('10.244.1.5').host;
    cluster.ping(client, { to: '8.8.8.8', timeoutUs: 1_000_000 });
    const result = cluster.ping(client, { to: '8.8.8.8', timeoutUs: 10_000_000 });
    cluster.advance(10_000_000);
    expect(result.kind, cluster.journey()).toBe('unreachable');
  });
});

describe('refusals reach the client as if the Service had sent them', () => {
  it.each([
    ['no endpoints at all', []],
    ['a backend on this node without a listener', ['10.244.1.6:8080']],
    ['a backend on another node without a listener', ['10.244.2.7:8080']],
  ])('%s', (_, backends) => {
    const cluster = new TestCluster();
    const client = cluster.pod('10.244.1.5').host;
    cluster.pod('10.244.1.6');
    cluster.pod('10.244.2.7');
    cluster.services(service(backends));
    expect(cluster.ask(client, '10.96.12.3', 80).error, cluster.journey()).toBe('ECONNREFUSED');
    expect(cluster.memory.inUse).toBe(0);
  });

  it('counts the refusal with the rule that made it', () => {
    const cluster = new TestCluster();
    const client = cluster.pod('10.244.1.5').host;
    cluster.services(service([]));
    cluster.ask(client, '10.96.12.3', 80);
    expect(cluster.node(1).drops.list()).toContainEqual({
      where: 'worker-1 forward',
      code: 'rule-reject',
      cause: 'filter KUBE-SERVICES rule 1',
      packets: 1,
    });
  });

  it('an expired TTL behind a Service names the Service', () => {
    const cluster = new TestCluster();
    const client = cluster.pod('10.244.1.5').host;
    cluster.pod('10.244.2.7');
    cluster.services(service(['10.244.2.7:8080']));
    const socket = client.udp.bind({});
    socket.ttl = 1;
    cluster.askFrom(socket, '10.96.12.3', 80);
    const answer = cluster.hops.findLast((hop) => hop.packet.includes('time exceeded'));
    expect(answer?.packet, cluster.journey()).toContain('ICMP 10.96.12.3 > 10.244.1.5');
  });
});

describe('MTU', () => {
  it('the overlay has 50 bytes less than the underlay, and the pods as much', () => {
    const node = new TestCluster(1).node(1);
    expect([node.eth0.mtuBytes, node.overlay?.mtuBytes, node.bridge?.mtuBytes]).toEqual([1500, 1450, 1450]);
  });

  it('a full packet crosses as a datagram that fits the underlay', () => {
    const cluster = new TestCluster();
    const client = cluster.pod('10.244.1.5').host;
    cluster.pod('10.244.2.7');
    const full = cluster.ping(client, { to: '10.244.2.7', payloadBytes: 1422, dontFragment: true });
    expect(full, cluster.journey()).toMatchObject({ kind: 'reply' });
    const outer = 20 + 8;
    expect(Math.max(...cluster.captured.map((datagram) => datagram.length + outer))).toBe(1500);
    const longer = cluster.ping(client, { to: '10.244.2.7', payloadBytes: 1423, dontFragment: true });
    expect(longer).toMatchObject({ kind: 'error', error: 'EMSGSIZE' });
  });

  it('a router in between says how long packets may be, in the words of the NodePort that was asked', () => {
    const cluster = new TestCluster(3);
    cluster.udpServer(cluster.pod('10.244.3.7').host, 8080);
    cluster.services(service(['10.244.3.7:8080'], { nodePort: 30080 }));
    const socket = cluster.node(1).root.udp.bind({});
    socket.dontFragment = true;
    const long = cluster.askFrom(socket, '192.168.1.11', 30080, 1460);
    expect(long.error, cluster.journey()).toBe('EMSGSIZE');
    socket.onError = null;
    expect(cluster.askFrom(socket, '192.168.1.11', 30080, 1422).answer, cluster.journey()).toContain('heard');
  });

  it.each([
    ['on this node', '10.244.1.6'],
    ['on another node', '10.244.2.7'],
  ])('fragments of one datagram all reach the backend %s, and those of the answer come back', (_, backend) => {
    const cluster = new TestCluster();
    const client = cluster.pod('10.244.1.5').host;
    cluster.udpServer(cluster.pod(backend).host, 8080);
    cluster.services(service([`${backend}:8080`]));
    const { answer, answerFrom } = cluster.askFrom(client.udp.bind({}), '10.96.12.3', 80, 4000);
    expect(answer?.length, cluster.journey()).toBeGreaterThan(4000);
    expect(answerFrom).toBe('10.96.12.3:80');
    expect(cluster.memory.inUse).toBe(0);
  });
});

describe('strangers', () => {
  it('a node that was removed is no longer heard, nor sent to', () => {
    const cluster = new TestCluster();
    const client = cluster.pod('10.244.1.5').host;
    cluster.udpServer(cluster.pod('10.244.2.7').host, 8080);
    cluster.node(2).removePeer('worker-1');
    expect(cluster.ask(client, '10.244.2.7', 8080).answer).toBeNull();
    expect(cluster.unknownSenders).toBe(1);
    cluster.node(1).removePeer('worker-2');
    const sent = cluster.captured.length;
    cluster.ask(client, '10.244.2.7', 8080);
    expect(cluster.captured.slice(sent).filter((datagram) => datagram.length > 50 + 14)).toEqual([]);
  });

  it('a martian source is dropped', () => {
    const cluster = new TestCluster();
    const pod = cluster.pod('10.244.1.5');
    pod.host.addAddress(pod.podDevice, ip('127.0.0.9'), 32);
    const socket = pod.host.udp.bind({ address: ip('127.0.0.9') });
    cluster.askFrom(socket, '192.168.1.10', 9);
    expect(
      cluster
        .node(1)
        .drops.list()
        .map(({ code }) => code),
    ).toContain('martian-source');
  });
});
