/** kube-router's plugin on a few nodes in virtual time: each node's pod CIDR reaches the others by BGP, and so do packets. */
import { beforeEach, describe, expect, it } from 'vitest';
import { KubeRouter } from '../../node-agent/cni/kube-router/kube-router.ts';
import { formatLinks, linkRows } from '../../node-agent/datapath/show/link.ts';
import { nodeNamespace } from '../../node-agent/datapath/show/namespace.ts';
import { iptablesSave } from '../../shared/rules/iptables-save.ts';
import { PluginCluster } from './plugin-cluster.testkit.ts';

describe.each(['ipip-cross-subnet', 'ipip'] as const)('kube-router with %s', (tunnelling) => {
  let world: PluginCluster<KubeRouter>;
  beforeEach(() => {
    world = new PluginCluster((context) => new KubeRouter(context, tunnelling));
  });

  it('routes are as the original makes them', () => {
    const route = {
      'ipip-cross-subnet': '10.244.2.0/24 via 192.168.1.11 dev eth0 proto 17',
      ipip: '10.244.2.0/24 dev tun-192168111 proto 17 src 192.168.1.10',
    }[tunnelling];
    expect(world.routes(1)).toContain(route);
    expect(world.routes(1)).toContain('10.244.1.0/24 dev kube-bridge proto kernel scope link src 10.244.1.1');
  });

  it('pods reach each other, and see each other as they are', () => {
    const [client, server] = [world.pod(1, 'client'), world.pod(2, 'server')];
    world.cluster.udpServer(server.host, 80, 'server');
    const { answer, serverSaw } = world.cluster.ask(client.host, '10.244.2.2', 80);
    expect(answer).toContain('server heard');
    expect(serverSaw).toMatch(/^10\.244\.1\.2:/);
  });

  it('gobgp shows the sessions and the table', () => {
    const run = (...words: string[]) => world.run(1, 'gobgp', ...words);
    expect(run('neighbor').split('\n').slice(0, 2).join('\n')).toMatch(
      /^Peer +AS +Up\/Down State +\|#Received +Accepted\n192\.168\.1\.11 64512 00:00:0\d Establ +\| +1 +1$/,
    );
    expect(run('global', 'rib')).toMatch(
      /\*> 10\.244\.1\.0\/24 +192\.168\.1\.10 .*\n\*> 10\.244\.2\.0\/24 +192\.168\.1\.11 +00:00:0\d +\[\{Origin: i\} \{LocalPref: 100\}\]/,
    );
  });

  it('pods are masqueraded beyond pods and nodes', () => {
    const { rules } = world.cluster.node(1);
    const saved = iptablesSave(rules.ipv4.ruleset, { table: 'nat' });
    expect(saved).toContain(
      '-A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -m set ! --match-set kube-router-node-ips dst -j MASQUERADE',
    );
  });
});

it('a tunnel is shown with both of its ends', () => {
  const { cluster } = new PluginCluster((context) => new KubeRouter(context, 'ipip'));
  const text = formatLinks(linkRows(nodeNamespace(cluster.node(1))), { details: true });
  expect(text).toMatch(/tun-192168111@NONE: <NOARP,UP,LOWER_UP> mtu 1480/);
  expect(text).toContain('link/ipip 192.168.1.10 peer 192.168.1.11');
});
