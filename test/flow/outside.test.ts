/** A client beyond the nodes: how its packets enter at a node's eth0, and who the server takes it for. */
import { describe, expect, it } from 'vitest';
import { connectOutside } from '../../node-agent/datapath/outside.ts';
import { ip, TestCluster } from './cluster.testkit.ts';

function clusterWithOutside(backends: string[]) {
  const cluster = new TestCluster();
  for (const address of ['10.244.1.6', '10.244.2.7']) cluster.udpServer(cluster.pod(address).host, 8080);
  cluster.services({ name: 'web', protocol: 'udp', clusterIp: '10.96.12.3', port: 80, nodePort: 30080, backends });
  const outside = connectOutside({
    engine: cluster.engine,
    memory: cluster.memory,
    datapath: cluster.node(1),
    secret: new TextEncoder().encode('secret of the outside'),
  });
  return { cluster, outside };
}

describe('a client outside', () => {
  it.each([
    ['on the node it asks', '10.244.1.6', '10.244.1.1'],
    ['on another node', '10.244.2.7', '10.244.1.0'],
  ])('reaches a NodePort whose backend is %s, masqueraded', (_, backend, seenAs) => {
    const { cluster, outside } = clusterWithOutside([`${backend}:8080`]);
    const exchange = cluster.ask(outside, '192.168.1.10', 30080);
    expect(exchange.answer, cluster.journey()).toContain('heard');
    expect(exchange.answerFrom).toBe('192.168.1.10:30080');
    expect(exchange.serverSaw).toMatch(new RegExp(`^${seenAs}:`));
    expect(cluster.memory.inUse).toBe(0);
  });

  it('reaches a LoadBalancer address of the network of the nodes, which no card has', () => {
    const { cluster, outside } = clusterWithOutside(['10.244.2.7:8080']);
    // To the rules it is one more address that leads to the backends.
    cluster.services({
      name: 'balanced',
      protocol: 'udp',
      clusterIp: '192.168.1.240',
      port: 80,
      nodePort: 30081,
      backends: ['10.244.2.7:8080'],
    });
    const exchange = cluster.ask(outside, '192.168.1.240', 80);
    expect(exchange.answerFrom, cluster.journey()).toBe('192.168.1.240:80');
  });

  it('is refused where there is no endpoint', () => {
    const { cluster, outside } = clusterWithOutside([]);
    expect(cluster.ask(outside, '192.168.1.10', 30080).error).toBe('ECONNREFUSED');
  });

  it.each([
    ['on that node, as itself', '10.244.1.6', '192.168.1.1'],
    ['on another node, masqueraded by flannel', '10.244.2.7', '10.244.1.0'],
  ])('reaches a pod by its address %s', (_, address, seenAs) => {
    const { cluster, outside } = clusterWithOutside([]);
    const exchange = cluster.ask(outside, address, 8080);
    expect([exchange.answer?.includes('heard'), exchange.serverSaw?.split(':')[0]]).toEqual([true, seenAs]);
  });

  it('is pinged from a pod, which goes out as its node', () => {
    const { cluster } = clusterWithOutside([]);
    const pod = cluster.pod('10.244.1.9').host;
    expect(cluster.ping(pod, { to: '192.168.1.1' }).kind, cluster.journey()).toBe('reply');
    expect(cluster.ping(cluster.node(1).root, { to: '192.168.1.1' }).kind).toBe('reply');
  });

  it('has one end at each node; another node has none of it', () => {
    const { cluster } = clusterWithOutside([]);
    expect(cluster.ping(cluster.node(2).root, { to: '192.168.1.1' }).kind).not.toBe('reply');
    expect(ip('192.168.1.1')).toBe(cluster.node(2).gateway);
  });
});
