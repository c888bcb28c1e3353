/** aws-vpc on nodes of three interfaces with six addresses each: which interface a packet takes, and what nodes show of it. */
import { beforeEach, describe, expect, it } from 'vitest';
import { awsVpc } from '../../node-agent/cni/aws-vpc/aws-vpc.ts';
import { COOLDOWN_US } from '../../node-agent/cni/aws-vpc/ipamd.ts';
import type { FabricCni } from '../../node-agent/cni/fabric-cni.ts';
import type { CniAttachment } from '../../node-agent/cni/plugin.ts';
import { connectOutside } from '../../node-agent/datapath/outside.ts';
import type { NodeDatapath } from '../../node-agent/datapath/path.ts';
import { nodeKernelView } from '../../node-agent/kernel-view/kernel-view.ts';
import { iptablesSave } from '../../shared/rules/iptables-save.ts';
import { formatIpv4 } from '../../shared/wire/address.ts';
import { PluginCluster } from './plugin-cluster.testkit.ts';

/** How many pods of a node eth0 has addresses for. */
const OF_ETH0 = 5;

let world: PluginCluster<FabricCni>;
beforeEach(() => {
  world = new PluginCluster((context) => awsVpc({ ...context, instanceType: 't3.medium' }));
});

/** The sixth pod of a node is the first of eth1. */
function podOfEth1(node: number): CniAttachment {
  for (let i = 0; i < OF_ETH0; i++) world.pod(node, `filler-${i}`);
  return world.pod(node, `pod-of-eth1-${node}`);
}

function run(node: NodeDatapath, command: string): string {
  return nodeKernelView(node).run(command.split(' ')).stdout;
}

function framesOf(node: NodeDatapath, name: string): number {
  const device = node.devices.find((each) => each.name === name)!;
  return device.counters.txPackets + device.counters.rxPackets;
}

function outsideOf(node: NodeDatapath) {
  const { engine, memory } = world.cluster;
  return connectOutside({ engine, memory, datapath: node, secret: new TextEncoder().encode('secret of the outside') });
}

describe('aws-vpc', () => {
  it('pods of further interfaces reach each other by these, with their own addresses', () => {
    const [client, server] = [podOfEth1(1), podOfEth1(2)];
    expect([client, server].map(({ address }) => formatIpv4(address))).toEqual(['10.244.1.8', '10.244.2.8']);
    world.cluster.udpServer(server.host, 80, 'server');
    const before = framesOf(world.cluster.node(1), 'eth0');
    const { answer, serverSaw } = world.cluster.ask(client.host, '10.244.2.8', 80);
    expect(answer, world.cluster.journey()).toContain('server heard');
    expect(serverSaw).toMatch(/^10\.244\.1\.8:/);
    expect(framesOf(world.cluster.node(1), 'eth0')).toBe(before);
    expect(framesOf(world.cluster.node(1), 'eth1')).toBeGreaterThan(2);
  });

  it.each([
    ['eth0 and eth1 of another node', 1, '10.244.1.2', 2, '10.244.2.8'],
    ['eth1 and eth0 of another node', 1, '10.244.1.8', 2, '10.244.2.2'],
    ['eth0 and eth1 of one node', 1, '10.244.1.2', 1, '10.244.1.8'],
  ])('pods reach each other between %s', (_, clientNode, from, serverNode, to) => {
    for (const node of [1, 2]) podOfEth1(node);
    const host = (node: number, address: string) =>
      [...world.cluster.node(node).pods.values()].find((pod) => formatIpv4(pod.address) === address)!.host;
    world.cluster.udpServer(host(serverNode, to), 80, 'server');
    const { serverSaw, answer } = world.cluster.ask(host(clientNode, from), to, 80);
    expect([answer?.includes('heard'), serverSaw?.split(':')[0]], world.cluster.journey()).toEqual([true, from]);
  });

  it('nodes and pods of further interfaces reach each other', () => {
    const pod = podOfEth1(2);
    world.cluster.udpServer(pod.host, 80, 'pod');
    expect(world.cluster.ask(world.cluster.node(1).root, '10.244.2.8', 80).serverSaw).toMatch(/^192\.168\.1\.10:/);
    expect(world.cluster.ask(world.cluster.node(2).root, '10.244.2.8', 80).answer).toContain('pod heard');
    world.cluster.udpServer(world.cluster.node(1).root, 81, 'node');
    expect(world.cluster.ask(pod.host, '192.168.1.10', 81).serverSaw).toMatch(/^10\.244\.2\.8:/);
  });

  it('what leaves the VPC goes by eth0, with its address', () => {
    const outside = outsideOf(world.cluster.node(1));
    outside.addAddress(outside.deviceByName('eth0')!, 0xcb00_7109, 32);
    const pod = podOfEth1(1);
    world.cluster.udpServer(outside, 90, 'outside');
    const before = framesOf(world.cluster.node(1), 'eth1');
    expect(world.cluster.ask(pod.host, '203.0.113.9', 90).serverSaw).toMatch(/^192\.168\.1\.10:/);
    expect(framesOf(world.cluster.node(1), 'eth1')).toBe(before);
    expect(run(world.cluster.node(1), 'conntrack -L')).toMatch(/dst=203\.0\.113\.9 .*mark=128/);
  });

  it('a NodePort of a pod of eth1 is answered by eth0, which was asked', () => {
    const outside = outsideOf(world.cluster.node(1));
    const pod = podOfEth1(1);
    world.cluster.udpServer(pod.host, 8080, 'pod');
    world.cluster.services({
      name: 'web',
      protocol: 'udp',
      clusterIp: '10.96.12.3',
      port: 80,
      nodePort: 30080,
      backends: ['10.244.1.8:8080'],
    });
    const before = framesOf(world.cluster.node(1), 'eth1');
    expect(world.cluster.ask(outside, '192.168.1.10', 30080).answerFrom).toBe('192.168.1.10:30080');
    expect(framesOf(world.cluster.node(1), 'eth1')).toBe(before);
  });

  it('ip shows the interfaces, the rules and the tables', () => {
    podOfEth1(1);
    const node = world.cluster.node(1);
    expect(run(node, 'ip -br link').match(/^eth\d/gm)).toEqual(['eth0', 'eth1', 'eth2']);
    expect(run(node, 'ip addr show eth1')).toContain('inet 10.244.1.7/16');
    const rules = run(node, 'ip rule list').split('\n');
    expect(rules).toEqual(
      expect.arrayContaining([
        '512:\tfrom all to 10.244.1.8 lookup main',
        '1024:\tfrom all fwmark 0x80/0x80 lookup main',
        '1536:\tfrom 10.244.1.8 lookup 2',
      ]),
    );
    expect(rules).toHaveLength(3 + 6 + 1 + 1 + 1);
    expect(run(node, 'ip route show table 2')).toContain('default via 192.168.1.1 dev eth1 \n');
    expect(run(node, 'ip route')).toContain('10.244.0.0/16 dev eth0 proto kernel scope link src 192.168.1.10');
    expect(nodeKernelView(node).run(['ip', 'route', 'show', 'table', '9']).stderr).toContain(
      'FIB table does not exist',
    );
  });

  it('ipam.json has the addresses of pods', () => {
    world.pod(1, 'client');
    expect(JSON.parse(world.plugins[0]!.files()['/var/run/aws-node/ipam.json']!())).toEqual({
      version: 'vpc-cni-ipam/1',
      allocations: [
        {
          networkName: 'aws-cni',
          ifName: 'eth0',
          ipv4: '10.244.1.2',
          metadata: { k8sPodNamespace: 'default', k8sPodName: 'client' },
        },
      ],
    });
  });

  it('iptables-save shows the marks', () => {
    const saved = iptablesSave(world.cluster.node(1).rules.ipv4.ruleset, {});
    for (const rule of [
      '-A PREROUTING -i eth0 -m comment --comment "AWS, primary ENI" -m addrtype --dst-type LOCAL --limit-iface-in -j CONNMARK --set-xmark 0x80/0x80',
      '-A PREROUTING -i eni+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80',
      '-A AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL -j SNAT --to-source 192.168.1.10 --random-fully',
    ]) {
      expect(saved).toContain(rule);
    }
  });

  it('a pod more than there are addresses waits until one has cooled down', () => {
    const pods = Array.from({ length: 15 }, (_, i) => world.pod(1, `pod-${i}`));
    expect(() => world.pod(1, 'one-more')).toThrow(/^add cmd: failed to assign an IP address to container$/);
    pods[14]!.detach();
    expect(() => world.pod(1, 'one-more')).toThrow('failed to assign an IP address');
    world.cluster.advance(COOLDOWN_US);
    expect(formatIpv4(world.pod(1, 'one-more').address)).toBe('10.244.1.18');
  });

  it('interfaces without pods go, and with them their tables', () => {
    const pods = Array.from({ length: 6 }, (_, i) => world.pod(1, `pod-${i}`));
    for (const pod of pods) pod.detach();
    world.cluster.advance(COOLDOWN_US + 1);
    const node = world.cluster.node(1);
    expect(run(node, 'ip -br link').match(/^eth\d/gm)).toEqual(['eth0']);
    expect(run(node, 'ip rule')).toBe(
      '0:\tfrom all lookup local\n1024:\tfrom all fwmark 0x80/0x80 lookup main\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n',
    );
    expect(run(node, 'ip route')).toContain('10.244.0.0/16 dev eth0');
  });
});
