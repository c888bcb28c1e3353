/** What the plugins of clouds do with the source of packets that leave the pods' network. */
import { describe, expect, it } from 'vitest';
import { AWS_VPC_NETWORK } from '../../node-agent/cni/aws-vpc/aws-vpc.ts';
import { azure, azureNetwork } from '../../node-agent/cni/azure/azure.ts';
import { FabricNetwork } from '../../node-agent/datapath/network/fabric-network.ts';
import { connectOutside } from '../../node-agent/datapath/outside.ts';
import { podNamespace } from '../../node-agent/datapath/show/namespace.ts';
import { formatRoutes, routeRows } from '../../node-agent/datapath/show/route.ts';
import { formatMac } from '../../shared/wire/address.ts';
import { ip, TestCluster } from './cluster.testkit.ts';
import { PluginCluster } from './plugin-cluster.testkit.ts';

const POD = '10.244.1.5';
const NODE = '192.168.1.10';
const BEYOND = '203.0.113.9';

describe.each([
  ['aws-vpc', AWS_VPC_NETWORK, /^eni[0-9a-f]{11}$/, POD],
  ['azure transparent', azureNetwork('transparent'), /^azv[0-9a-f]{11}$/, POD],
  ['azure overlay', azureNetwork('overlay'), /^azv[0-9a-f]{11}$/, NODE],
] as const)('%s', (_, options, cableName, seenByNodes) => {
  const cluster = new TestCluster(2, 1, { network: (parts) => new FabricNetwork(parts, options) });
  const pod = cluster.pod(POD);
  const heardFrom = (exchange: { readonly serverSaw: string | null }) => exchange.serverSaw?.split(':')[0];

  it('a pod has one neighbour, whose MAC it need not ask for', () => {
    expect(pod.hostDevice.name).toMatch(cableName);
    expect(formatRoutes(routeRows(podNamespace(pod.host).host, 'ipv4'))).toBe(
      'default via 169.254.1.1 dev eth0 \n169.254.1.1 dev eth0 scope link \n',
    );
    expect(pod.host.neighbours.lookup(pod.podDevice, ip('169.254.1.1'))?.macAddress).toBe(pod.hostDevice.macAddress);
  });

  it('another node sees who it promises', () => {
    cluster.udpServer(cluster.node(2).root, 90, 'node');
    expect(heardFrom(cluster.ask(pod.host, '192.168.1.11', 90)), cluster.journey()).toBe(seenByNodes);
  });

  it('the outside sees the node', () => {
    const { engine, memory } = cluster;
    const secret = new TextEncoder().encode('the secret of the outside');
    const outside = connectOutside({ engine, memory, datapath: cluster.node(1), secret });
    outside.addAddress(outside.deviceByName('eth0')!, ip(BEYOND), 32);
    cluster.udpServer(outside, 90, 'outside');
    expect(heardFrom(cluster.ask(pod.host, BEYOND, 90)), cluster.journey()).toBe(NODE);
  });
});

it('azure-vnet.json has the endpoints', () => {
  const world = new PluginCluster((context) => azure(context, 'transparent'));
  const { hostDevice, podDevice } = pod(world.cluster, world.pod(1, 'client').address);
  const id = `${hostDevice.name.slice(3, 11)}-eth0`;
  const { Network } = JSON.parse(world.plugins[0]!.files()['/var/run/azure-vnet.json']!());
  expect(Network.ExternalInterfaces.eth0.Networks.azure).toEqual({
    Id: 'azure',
    Mode: 'transparent',
    VlanId: 0,
    Endpoints: {
      [id]: {
        Id: id,
        IfName: 'eth0',
        HostIfName: hostDevice.name,
        MacAddress: formatMac(podDevice.macAddress),
        IPAddresses: [{ IP: '10.244.1.2', Mask: '/////w==' }],
        PODName: 'client',
        PODNameSpace: 'default',
      },
    },
  });
});

function pod(cluster: TestCluster, address: number) {
  return [...cluster.node(1).pods.values()].find((each) => each.address === address)!;
}
