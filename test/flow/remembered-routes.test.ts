/** What a flow, a socket and a host remember of the way is forgotten as soon as routes, addresses or forwarding change. */
import { describe, expect, it } from 'vitest';
import { parseAddress, parsePrefix } from '../../shared/wire/ip-address.ts';
import { TestCluster } from './cluster.testkit.ts';

const CLIENT = '10.244.1.5';
const SERVER = '10.244.2.7';
const PORT = 8080;

function running() {
  const cluster = new TestCluster();
  const client = cluster.pod(CLIENT).host;
  const server = cluster.pod(SERVER).host;
  cluster.udpServer(server, PORT);
  const socket = client.udp.bind();
  const answered = (): boolean => cluster.askFrom(socket, SERVER, PORT).answer !== null;
  for (let i = 0; i < 3; i++) expect(answered(), cluster.journey()).toBe(true);
  return { cluster, client, server, socket, answered };
}

describe('a flow that was routed before', () => {
  it('follows a route that is added, and one that is taken away', () => {
    const { cluster, answered } = running();
    const { routes } = cluster.node(1).root;
    const narrower = { destination: parseAddress(SERVER)!, prefixLength: 32 };
    routes.add({ ...narrower, type: 'blackhole' });
    expect(answered()).toBe(false);
    routes.remove(narrower);
    expect(answered(), cluster.journey()).toBe(true);
    const network = parsePrefix('10.244.2.0/24')!;
    routes.remove({ destination: network.address, prefixLength: network.prefixLength });
    routes.add({ destination: network.address, prefixLength: network.prefixLength, type: 'unreachable' });
    expect(answered()).toBe(false);
  });

  it('stops where forwarding does', () => {
    const { cluster, answered } = running();
    cluster.node(2).root.ipForward = false;
    expect(answered()).toBe(false);
    cluster.node(2).root.ipForward = true;
    expect(answered(), cluster.journey()).toBe(true);
  });

  it('loses a hop of its TTL on every node all the same', () => {
    const { cluster, socket } = running();
    socket.ttl = 1;
    expect(cluster.askFrom(socket, SERVER, PORT).answer).toBeNull();
    expect(cluster.node(1).root.drops.get('ttl-exceeded')).toBe(1);
  });

  it('is delivered here once its destination is an address of this node', () => {
    const { cluster, answered } = running();
    const { root, eth0 } = cluster.node(1);
    root.addAddress(eth0, parseAddress(SERVER)!, 32);
    expect(answered()).toBe(false);
    expect(root.drops.get('udp-no-socket')).toBe(1);
    root.removeAddress(eth0, parseAddress(SERVER)!);
    expect(answered(), cluster.journey()).toBe(true);
  });
});

describe('a host that took packets of a sender before', () => {
  it('takes none any more once their address is another host’s, or the sender’s is its own', () => {
    const { server, answered } = running();
    const [device] = [...server.interfaces.keys()].filter(({ name }) => name === 'eth0');
    server.addAddress(device!, parseAddress(CLIENT)!, 32);
    expect(answered()).toBe(false);
    expect(server.drops.get('martian-source')).toBe(1);
    server.removeAddress(device!, parseAddress(CLIENT)!);
    expect(answered()).toBe(true);
    server.removeAddress(device!, parseAddress(SERVER)!);
    expect(answered()).toBe(false);
  });
});

describe('a bridge that forwarded between two ports before', () => {
  it('finds a pod again that came back with its address and another MAC', () => {
    const cluster = new TestCluster();
    const client = cluster.pod(CLIENT).host;
    const socket = client.udp.bind();
    const neighbour = '10.244.1.9';
    const first = cluster.pod(neighbour);
    cluster.udpServer(first.host, PORT);
    for (let i = 0; i < 3; i++) expect(cluster.askFrom(socket, neighbour, PORT).answer).not.toBeNull();
    first.detach();
    expect(cluster.askFrom(socket, neighbour, PORT).answer).toBeNull();
    const second = cluster.pod(neighbour);
    cluster.udpServer(second.host, PORT);
    client.neighbours.remove([...client.interfaces.keys()][1]!, parseAddress(neighbour)!);
    expect(cluster.askFrom(socket, neighbour, PORT).answer, cluster.journey()).not.toBeNull();
  });
});
