/** What a trace shows of one request, and that it costs nothing once it is stopped. */
import { describe, expect, it } from 'vitest';
import { MAX_TRACES } from '../../node-agent/datapath/trace.ts';
import { PROTOCOL_UDP } from '../../shared/wire/ipv4.ts';
import { ip, TestCluster } from './cluster.testkit.ts';

function clusterWithService(backend: string) {
  const cluster = new TestCluster();
  const client = cluster
    .node(1)
    .attachPod({ id: 'default/client', address: ip('10.244.1.5'), hostDeviceName: 'veth000000aa' });
  cluster.udpServer(cluster.pod(backend).host, 8080);
  cluster.services({ name: 'web', protocol: 'udp', clusterIp: '10.96.12.3', port: 80, backends: [`${backend}:8080`] });
  cluster.ask(client.host, '10.96.12.3', 80); // neighbours are known from here on
  return { cluster, client: client.host };
}

describe('trace', () => {
  it('follows a request through translation and tunnel, and its answer back', () => {
    const { cluster, client } = clusterWithService('10.244.2.7');
    const filter = { addresses: [ip('10.96.12.3')] };
    const traces = cluster.nodes.map((node) => node.trace(filter));
    cluster.ask(client, '10.96.12.3', 80, 40_000);
    const stages = traces[0]!.hops
      .filter(({ event }) => !event.startsWith('-A '))
      .map(({ stage, event }) => `${stage}: ${event}`);
    expect(stages).toEqual([
      'veth000000aa: received',
      'PREROUTING: in cni0',
      'nat PREROUTING: DNAT 10.96.12.3:80 -> 10.244.2.7:8080',
      'FORWARD: in cni0 out flannel.1, routed via 10.244.2.0 dev flannel.1',
      'POSTROUTING: out flannel.1',
      'flannel.1: encapsulated for worker-2',
      'flannel.1: decapsulated from worker-2',
      'PREROUTING: in flannel.1',
      'FORWARD: in flannel.1 out cni0, routed dev cni0',
      'POSTROUTING: out cni0',
      'nat POSTROUTING: un-DNAT 10.244.2.7:8080 -> 10.96.12.3:80',
      'veth000000aa: sent',
    ]);
    expect(traces[0]!.hops[0]?.packet).toMatch(/^UDP 10\.244\.1\.5:40000 > 10\.96\.12\.3:80 ttl 64, \d+ bytes$/);
    expect(traces[0]!.hops.map(({ event }) => event)).toContainEqual(
      expect.stringContaining('-j DNAT --to-destination 10.244.2.7:8080'),
    );
    // The other node never sees the Service's address: there the filter has to name the client.
    expect(traces[1]!.hops).toEqual([]);
    for (const trace of traces) trace.stop();
  });

  it('fits by port, protocol and address, and keeps apart what does not', () => {
    const { cluster, client } = clusterWithService('10.244.1.6');
    const node = cluster.node(1);
    const counts = [
      { ports: [8080] },
      { ports: [81] },
      { protocol: PROTOCOL_UDP },
      { protocol: 6 },
      { addresses: [ip('10.244.1.6')], ports: [8080] },
    ].map((filter) => node.trace(filter));
    cluster.ask(client, '10.96.12.3', 80);
    expect(counts.map(({ hops }) => hops.length > 0)).toEqual([true, false, true, false, true]);
    for (const trace of counts) trace.stop();
  });

  it('says which rule or policy dropped a packet', () => {
    const { cluster, client } = clusterWithService('10.244.1.6');
    const node = cluster.node(1);
    node.setPolicy({ judge: () => ({ code: 'policy-denied', cause: 'NetworkPolicy default/deny-all' }) });
    const trace = node.trace({ addresses: [ip('10.244.1.5')] });
    cluster.ask(client, '10.244.1.6', 8080);
    expect(trace.hops.at(-1)).toMatchObject({
      stage: 'worker-1 forward',
      event: 'dropped: policy-denied by NetworkPolicy default/deny-all',
    });
  });

  it('leaves no mark when it is stopped, and starts no more than its bound', () => {
    const { cluster, client } = clusterWithService('10.244.1.6');
    const node = cluster.node(1);
    const trace = node.trace({ protocol: PROTOCOL_UDP });
    cluster.ask(client, '10.96.12.3', 80);
    const recorded = trace.hops.length;
    trace.stop();
    trace.stop();
    cluster.ask(client, '10.96.12.3', 80);
    expect(trace.hops.length).toBe(recorded);
    for (const connection of node.conntrack.table.connections()) expect(connection.traceBits & trace.bit).toBe(0);
    // One runs for the cluster's own journal.
    for (let i = 1; i < MAX_TRACES; i++) node.trace({});
    expect(() => node.trace({})).toThrow(`worker-1 runs ${MAX_TRACES} traces already`);
  });
});
