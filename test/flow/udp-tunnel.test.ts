/** flannel's backend `udp`: what its device refuses, with the reason. */
import { beforeEach, expect, it } from 'vitest';
import { udpNetwork } from '../../node-agent/datapath/network/bridged-network.ts';
import { UDP_TUNNEL_PORT } from '../../node-agent/datapath/udp-tunnel-device.ts';
import { ip, TestCluster } from './cluster.testkit.ts';

const NODE_1 = '192.168.1.10';

let cluster: TestCluster;
beforeEach(() => {
  cluster = new TestCluster(2, 1, { network: udpNetwork });
});
const flannel0 = (node: number) => cluster.node(node).devices.find(({ name }) => name === 'flannel0')!;

it('a datagram that holds no packet is dropped and counted', () => {
  const { root } = cluster.node(2);
  const socket = root.udp.bind({ port: 0 });
  socket.sendTo(new TextEncoder().encode('not a packet, whatever it is'), ip(NODE_1), UDP_TUNNEL_PORT);
  socket.sendTo(new Uint8Array(0), ip(NODE_1), UDP_TUNNEL_PORT);
  cluster.settle();
  expect(flannel0(1).counters).toMatchObject({ rxPackets: 0, rxDropped: 2 });
  socket.close();
});

it('a packet for a pod of no node goes nowhere', () => {
  const { host } = cluster.pod('10.244.1.5');
  expect(cluster.ask(host, '10.244.9.7', 80).answer).toBeNull();
  expect(flannel0(1).counters).toMatchObject({ txPackets: 0, txDropped: 1 });
});

it('carries IPv6 too', () => {
  const client = cluster.pod('10.244.1.5').host;
  cluster.udpServer(cluster.pod('10.244.2.7').host, 80, 'server');
  const far = 'fd00:10:244:2::7';
  expect(cluster.ask(client, far, 80).answer, cluster.journey()).toContain('server heard');
  expect(flannel0(1).counters).toMatchObject({ rxPackets: 1, txPackets: 1 });
});
