/**
 * The same connectivity on every network that a CNI plugin can make, with the MTU, the path and the form on the wire that it
 * promises. A new one is a row of `network-cases.testkit.ts`.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import type { PodAttachment } from '../../node-agent/datapath/pod-attachment.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';
import { ip, TestCluster } from './cluster.testkit.ts';
import { NETWORKS } from './network-cases.testkit.ts';

const ICMP_HEADERS_BYTES = 28;
/** In a datagram between nodes: behind the headers of VXLAN and Ethernet. */
const PROTOCOL_OFFSET = 8 + 14 + 9;
const PORT_OFFSET = 8 + 14 + 20 + 2;
const NEAR = '10.244.1.6';
const FAR = '10.244.2.7';

describe.each(Object.entries(NETWORKS))('%s', (_, { network, mtuBytes, vni, route, outerProtocol = 17, ...rest }) => {
  let cluster: TestCluster;
  let client: PodAttachment;

  beforeEach(() => {
    cluster = new TestCluster(2, 1, { network });
    client = cluster.pod('10.244.1.5');
    for (const address of [NEAR, FAR]) {
      const { host } = cluster.pod(address);
      cluster.udpServer(host, 80, address);
      host.tcp.listen({ port: 80 }).onConnection = (connection) => {
        connection.onEnd = () => connection.end();
      };
    }
  });

  it.each([NEAR, FAR])('a pod reaches %s, and is seen with its own address', (server) => {
    const { answer, answerFrom, serverSaw } = cluster.ask(client.host, server, 80);
    expect(answer, cluster.journey()).toContain(`${server} heard`);
    expect(answerFrom).toBe(`${server}:80`);
    expect(serverSaw).toMatch(/^10\.244\.1\.5:/);
  });

  it.each([NEAR, FAR])('TCP opens and closes to %s', (server) => {
    const connection = client.host.tcp.connect({ remoteAddress: ip(server), remotePort: 80 });
    const seen: string[] = [];
    connection.onEstablished = () => {
      seen.push('established');
      connection.end();
    };
    connection.onEnd = () => seen.push('end');
    cluster.settle();
    expect(seen, cluster.journey()).toEqual(['established', 'end']);
  });

  it('a node reaches its own pods and those of the other', () => {
    const { root } = cluster.node(1);
    expect(cluster.ask(root, NEAR, 80).answer).toContain('heard');
    expect(cluster.ask(root, FAR, 80).answer).toContain('heard');
  });

  it('a Service leads to the pod of another node', () => {
    cluster.services({ name: 'web', clusterIp: '10.96.0.20', port: 80, protocol: 'udp', backends: [`${FAR}:80`] });
    const { answer, answerFrom } = cluster.ask(client.host, '10.96.0.20', 80);
    expect(answer, cluster.journey()).toContain(`${FAR} heard`);
    expect(answerFrom).toBe('10.96.0.20:80');
  });

  it('has the MTU it promises: one byte more does not pass whole', () => {
    expect(client.podDevice.mtuBytes).toBe(rest.cableMtuBytes ?? mtuBytes);
    const ping = (payloadBytes: number) =>
      cluster.ping(client.host, { to: FAR, payloadBytes, dontFragment: true }).kind;
    expect(ping(mtuBytes - ICMP_HEADERS_BYTES)).toBe('reply');
    expect(ping(mtuBytes - ICMP_HEADERS_BYTES + 1)).not.toBe('reply');
  });

  it('leaves the node as it promises', () => {
    cluster.ask(client.host, FAR, 80); // neighbours are known from here on
    cluster.captured.length = 0;
    cluster.ask(client.host, FAR, 80);
    expect(cluster.captured.map(vniOf)).toEqual([vni, vni]);
    expect(cluster.captured.map((datagram) => datagram[PROTOCOL_OFFSET])).toEqual([outerProtocol, outerProtocol]);
    if (rest.outerPort !== undefined)
      expect(cluster.captured.map(outerPortOf)).toEqual([rest.outerPort, rest.outerPort]);
    const used = cluster.node(1).root.route(ip(FAR));
    expect(used?.device?.name).toBe(route.device);
    expect(used?.gateway).toBe(ip(route.gateway));
  });

  it('a trace names the node at the other end of a tunnel', () => {
    const filter = { addresses: [ip(FAR)] };
    const traces = cluster.nodes.map((node) => node.trace(filter));
    cluster.ask(client.host, FAR, 80);
    const events = traces.flatMap(({ hops }) => hops.map(({ event }) => event));
    expect(events).toContainEqual(expect.stringMatching(/^(encapsulated for|sent to) worker-2$/));
    expect(events).toContainEqual(expect.stringMatching(/^(decapsulated|received) from worker-1$/));
    const ways = events.filter((event) => /capsulated|sent to|received from/.test(event));
    expect(ways.filter((event) => !/worker-[12]$/.test(event))).toEqual([]);
    for (const trace of traces) trace.stop();
  });

  it('a node that goes takes its routes along', () => {
    cluster.node(1).removePeer('worker-2');
    expect(cluster.node(1).root.route(ip(FAR))?.gateway).toBe(ip(rest.isFabric ? '0.0.0.0' : '192.168.1.1'));
    expect(cluster.ask(client.host, FAR, 80).answer).toBeNull();
  });
});

function vniOf(datagram: Uint8Array): number {
  return vxlan.vni(new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength), 0);
}

function outerPortOf(datagram: Uint8Array): number {
  return (datagram[PORT_OFFSET]! << 8) | datagram[PORT_OFFSET + 1]!;
}
