/** Services that change while connections last, and rules that only some addresses pass, in each mode. */
import { describe, expect, it, vi } from 'vitest';
import { connectOutside } from '../../node-agent/datapath/outside.ts';
import { staleUdpConnections } from '../../proxy/kube-proxy/modes/udp-flows.ts';
import { TestLoop } from '../../shared/podnet/pod-pair.testkit.ts';
import { StackNetwork } from '../../shared/podnet/stack-network.ts';
import { decodeTransaction } from '../../shared/rules/decode-transaction.ts';
import { TestCluster } from './cluster.testkit.ts';
import { NodeProxy, PROXY_MODES, type ProxyMode, serviceState, type TestedService } from './service-world.testkit.ts';

const ADDRESSES = ['10.244.1.6', '10.244.2.7', '10.244.2.8'];

const service = (backends: readonly string[], more: Partial<TestedService['spec']> = {}): TestedService => ({
  spec: {
    type: 'LoadBalancer',
    clusterIP: '10.96.12.3',
    ports: [{ port: 80, nodePort: 30080, protocol: 'UDP' }],
    ...more,
  },
  loadBalancerIps: ['192.168.1.240'],
  backends: backends.map((address) => ({ address })),
});

function world(mode: ProxyMode, ...services: readonly TestedService[]) {
  const cluster = new TestCluster(2);
  for (const address of ADDRESSES) cluster.udpServer(cluster.pod(address).host, 8080, address);
  const client = cluster.pod('10.244.1.5').host;
  const proxy = new NodeProxy(mode, cluster.node(1));
  proxy.update(...services);
  proxy.sync();
  return { cluster, client, proxy };
}

const answeredBy = (answer: string | null): string | undefined => answer?.split(' ')[0];

describe.each(PROXY_MODES)('%s', (mode) => {
  it('keeps a client with affinity at its backend until the time-out', () => {
    const sessionAffinityConfig = { clientIP: { timeoutSeconds: 60 } };
    const { cluster, client } = world(mode, service(ADDRESSES, { sessionAffinity: 'ClientIP', sessionAffinityConfig }));
    const ask = () => answeredBy(cluster.ask(client, '10.96.12.3', 80).answer);
    const first = ask();
    for (let i = 0; i < 30; i++) {
      cluster.advance(59_000_000 / 30);
      expect(ask(), cluster.journey()).toBe(first);
    }
    const later = Array.from({ length: 20 }, () => {
      cluster.advance(61_000_000);
      return ask();
    });
    expect(new Set(later).size).toBeGreaterThan(1);
  });

  it('brings clients to another backend when theirs goes', () => {
    const { cluster, client, proxy } = world(mode, service([ADDRESSES[0]!]));
    expect(answeredBy(cluster.ask(client, '10.96.12.3', 80).answer)).toBe(ADDRESSES[0]);
    proxy.update(service([ADDRESSES[1]!]));
    expect(proxy.sync()).toBeGreaterThan(0);
    expect(answeredBy(cluster.ask(client, '10.96.12.3', 80).answer), cluster.journey()).toBe(ADDRESSES[1]);
    proxy.update(service([]));
    proxy.sync();
    expect(cluster.ask(client, '10.96.12.3', 80).error).toBe(mode === 'ebpf' ? 'EHOSTUNREACH' : 'ECONNREFUSED');
  });

  it('forgets UDP connections to a backend that is gone', () => {
    const before = service([ADDRESSES[0]!]);
    const after = service([ADDRESSES[1]!]);
    const { cluster, client, proxy } = world(mode, before);
    const socket = client.udp.bind({ port: 40_000 });
    expect(answeredBy(cluster.askFrom(socket, '10.96.12.3', 80).answer)).toBe(ADDRESSES[0]);
    proxy.update(after);
    proxy.sync(staleUdpConnections(serviceState(before), serviceState(after)));
    expect(answeredBy(cluster.askFrom(socket, '10.96.12.3', 80).answer), cluster.journey()).toBe(ADDRESSES[1]);
  });

  it('serves a socket that connected before its Service was there', () => {
    const { cluster, client, proxy } = world(mode);
    const socket = client.udp.bind({ port: 40_000 });
    expect(cluster.askFrom(socket, '10.96.12.3', 80).answer).toBeNull();
    const made = service([ADDRESSES[0]!]);
    proxy.update(made);
    proxy.sync(staleUdpConnections(undefined, serviceState(made)));
    let answer = '';
    socket.onMessage = (data) => {
      answer = new TextDecoder().decode(data);
    };
    socket.send(new Uint8Array([63]));
    cluster.settle();
    expect(answeredBy(answer), cluster.journey()).toBe(ADDRESSES[0]);
  });

  it('answers a connected socket of a program from the backend that it is connected to', async () => {
    const { cluster, client } = world(mode, service(ADDRESSES));
    const loop = new TestLoop(cluster.engine);
    const network = new StackNetwork({ host: client, loop });
    const peer = { address: '10.96.12.3', port: 80 };
    for (let i = 0; i < 20; i++) {
      const socket = await network.bindUdp({ remote: peer });
      const answers: string[] = [];
      socket.on('message', (data: Uint8Array) => answers.push(new TextDecoder().decode(data)));
      for (let question = 1; question <= 3; question++) {
        await socket.send(new Uint8Array([63]), peer.port, peer.address);
        await vi.waitUntil(() => answers.length === question, { interval: 1, timeout: 5000 });
      }
      expect(new Set(answers.map(answeredBy)).size).toBe(1);
      socket.close();
    }
    loop.close();
  });

  it('takes all of a Service away', () => {
    const { cluster, client, proxy } = world(mode, service(ADDRESSES));
    proxy.update({ spec: { type: 'ExternalName', externalName: 'elsewhere.example' }, backends: [] });
    proxy.sync();
    expect(cluster.ask(client, '10.96.12.3', 80).answer).toBeNull();
    expect(cluster.node(1).root.deviceByName('kube-ipvs0')).toBeUndefined();
    expect(proxy.sync()).toBe(0);
  });

  it('keeps loadBalancerSourceRanges', () => {
    const open = world(mode, service(ADDRESSES, { loadBalancerSourceRanges: ['192.168.1.0/24'] }));
    const shut = world(mode, service(ADDRESSES, { loadBalancerSourceRanges: ['172.16.0.0/12'] }));
    const answers = [open, shut].map(({ cluster }) => {
      const secret = new TextEncoder().encode('secret of the outside');
      const { engine, memory } = cluster;
      const outside = connectOutside({ engine, memory, datapath: cluster.node(1), secret });
      return cluster.ask(outside, '192.168.1.240', 80).answer !== null;
    });
    expect(answers).toEqual([true, false]);
  });

  it('prefers the endpoints of its zone', () => {
    const { cluster, client } = world(mode);
    const proxy = new NodeProxy(mode, cluster.node(1), { zone: 'a' });
    proxy.update({
      ...service([], { trafficDistribution: 'PreferClose' }),
      backends: ADDRESSES.map((address, i) => ({ address, zones: [i === 2 ? 'a' : 'b'] })),
    });
    proxy.sync();
    const answers = Array.from({ length: 10 }, () => answeredBy(cluster.ask(client, '10.96.12.3', 80).answer));
    expect(new Set(answers)).toEqual(new Set([ADDRESSES[2]]));
  });

  it('prefers the endpoints of its node', () => {
    const { cluster, client, proxy } = world(mode);
    const state = (addresses: readonly string[]): TestedService => ({
      ...service([], { trafficDistribution: 'PreferSameNode' }),
      backends: addresses.map((address) => ({ address, nodes: [`worker-${address.split('.')[2]}`] })),
    });
    const asked = (): Set<string | undefined> =>
      new Set(Array.from({ length: 10 }, () => answeredBy(cluster.ask(client, '10.96.12.3', 80).answer)));
    proxy.update(state(ADDRESSES));
    proxy.sync();
    expect(asked()).toEqual(new Set([ADDRESSES[0]]));
    proxy.update(state(ADDRESSES.slice(1)));
    proxy.sync();
    expect([...asked()].every((address) => ADDRESSES.slice(1).includes(address ?? ''))).toBe(true);
  });

  it('sends a program that its decoder takes for what it is', () => {
    const { proxy, cluster } = world(mode, service(ADDRESSES, { sessionAffinity: 'ClientIP' }));
    const { part } = proxy.compiler.step(true)!;
    const sent = JSON.stringify({ owner: 'kube-proxy', bootId: cluster.node(1).bootId, base: null, ...part });
    const decoded = decodeTransaction(JSON.parse(sent));
    const { ipvs, nft, bpf } = JSON.parse(JSON.stringify(decoded));
    expect({ ipvs, nft, bpf }).toEqual(JSON.parse(JSON.stringify({ ipvs: part.ipvs, nft: part.nft, bpf: part.bpf })));
  });
});
