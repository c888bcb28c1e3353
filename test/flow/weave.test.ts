/** weave's plugin on a few nodes in virtual time: they agree on their addresses, and their pods are on one Ethernet segment. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Weave } from '../../node-agent/cni/weave/weave.ts';
import { formatLinks, linkRows } from '../../node-agent/datapath/show/link.ts';
import { nodeNamespace } from '../../node-agent/datapath/show/namespace.ts';
import { iptablesSave } from '../../shared/rules/iptables-save.ts';
import { formatIpv4 } from '../../shared/wire/address.ts';
import { familyOf } from '../../shared/wire/ip-address.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';
import { HOLD_SECONDS, PluginCluster, SECOND_US } from './plugin-cluster.testkit.ts';

let world: PluginCluster<Weave>;
beforeEach(() => {
  world = new PluginCluster((context) => new Weave(context, { overlays: ['fastdp', 'sleeve'], password: undefined }));
});

const pod = (node: number, name: string) => {
  const attachment = world.pod(node, name);
  return { ...attachment, text: formatIpv4(attachment.address) };
};

describe('addresses', () => {
  it('the peers share the range by agreement: one block each, by halves', () => {
    expect(world.up).toBe(3);
    const gateways = world.cluster.nodes.map(({ root }) =>
      root
        .addresses()
        .flatMap(({ device, address }) =>
          device.name === 'weave' && familyOf(address) === 'ipv4' ? [formatIpv4(address)] : [],
        ),
    );
    expect(gateways.flat().sort()).toEqual(['10.244.0.1', '10.244.128.0', '10.244.192.0']);
    expect(world.routes(1)).toMatch(/10\.244\.0\.0\/16 dev weave proto kernel scope link src 10\.244\./);
  });

  it('a peer that leaves for good leaves its addresses to another', () => {
    world.plugins[0]!.removePeer('worker-3');
    world.plugins[1]!.removePeer('worker-3');
    world.cluster.advance(SECOND_US);
    const shares = world.run(1, 'weave', 'status', 'ipam');
    expect(shares.split('\n').filter(Boolean)).toHaveLength(2);
    expect(shares).toMatch(/\(\d+\.\d% of total\)/);
    expect(world.run(2, 'weave', 'status', 'ipam').split('\n').filter(Boolean)).toHaveLength(2);
  });
});

describe('packets', () => {
  it('pods reach each other without a router between them, and see each other as they are', () => {
    const [client, server] = [pod(1, 'client'), pod(2, 'server')];
    world.cluster.udpServer(server.host, 80, 'server');
    const { answer, serverSaw } = world.cluster.ask(client.host, server.text, 80);
    expect(answer).toContain('server heard');
    expect(serverSaw).toContain(client.text);
    expect(client.host.route(server.address)?.gateway).toBe(0);
  });

  it('a frame to a MAC that is known goes to its node alone, in VXLAN, with an identifier of both nodes', () => {
    const [client, server] = [pod(1, 'client'), pod(2, 'server')];
    world.cluster.udpServer(server.host, 80, 'server');
    world.cluster.ask(client.host, server.text, 80);
    const { captured } = world.cluster;
    captured.length = 0;
    world.cluster.ask(client.host, server.text, 80);
    const identifiers = captured.map((datagram) =>
      vxlan.vni(new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength), 0),
    );
    expect(identifiers).toHaveLength(2);
    const [there = 0, back = 0] = identifiers;
    expect([there >> 12, there & 0xfff]).toEqual([back & 0xfff, back >> 12]);
  });

  it('has an MTU of 1376: one byte more does not pass whole', () => {
    const [client, server] = [pod(1, 'client'), pod(2, 'server')];
    const ping = (bytes: number) =>
      world.cluster.ping(client.host, { to: server.text, payloadBytes: bytes - 28, dontFragment: true }).kind;
    expect(ping(1376)).toBe('reply');
    expect(ping(1377)).not.toBe('reply');
  });

  it('a Service leads to a pod of another node', () => {
    const [client, server] = [pod(1, 'client'), pod(3, 'server')];
    world.cluster.udpServer(server.host, 80, 'server');
    world.cluster.services({
      name: 'web',
      clusterIp: '10.96.0.20',
      port: 80,
      protocol: 'udp',
      backends: [`${server.text}:80`],
    });
    const { answer, answerFrom } = world.cluster.ask(client.host, '10.96.0.20', 80);
    expect(answer).toContain('server heard');
    expect(answerFrom).toBe('10.96.0.20:80');
  });
});

describe('what a node shows', () => {
  it('devices under their own names', () => {
    pod(1, 'client');
    const text = formatLinks(linkRows(nodeNamespace(world.cluster.node(1))));
    for (const device of ['weave: ', 'vethwe-datapath@', 'vethwe-bridge@', 'vxlan-6784: ', 'vethwepl']) {
      expect(text).toContain(device);
    }
    expect(text).toMatch(/vethwe-bridge.* mtu 1376 .*master weave/);
  });

  it('its chain', () => {
    const saved = iptablesSave(world.cluster.node(1).rules.ipv4.ruleset, { table: 'nat' });
    expect(saved).toContain('-A WEAVE -m set --match-set weaver-no-masq-local dst');
    expect(saved).toContain('-A WEAVE ! -s 10.244.0.0/16 -d 10.244.0.0/16 -j MASQUERADE');
  });

  it('weave status', () => {
    const status = world.run(1, 'weave', 'status');
    expect(status).toMatch(/Connections: 2 \(2 established\)\n +Peers: 3 \(with 6 established connections\)/);
    expect(status).toMatch(/Status: ready\n +Range: 10\.244\.0\.0\/16/);
    expect(world.run(1, 'weave', 'status', 'targets')).toBe('192.168.1.11\n192.168.1.12\n');
    expect(world.run(1, 'weave', 'status', 'connections')).toMatch(
      /^<- 192\.168\.1\.11:6783 +established fastdp [0-9a-f:]{17}\(worker-2\) mtu=1376$/m,
    );
  });

  it('a silent peer is given up after the hold time, and is there again', () => {
    const { eth0 } = world.cluster.node(2);
    eth0.up = false;
    world.cluster.advance((HOLD_SECONDS + 3) * SECOND_US);
    expect(world.run(1, 'weave', 'status')).toContain('Connections: 2 (1 established, 1 failed)');
    eth0.up = true;
    world.cluster.advance(30 * SECOND_US);
    expect(world.run(1, 'weave', 'status')).toContain('Connections: 2 (2 established)');
  });
});
