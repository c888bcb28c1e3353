/** Pods of two nodes behind an encrypted tunnel: what is on the wire, and what becomes of what is not right. */
import { describe, expect, it } from 'vitest';
import { createNodeKeys } from '../../node-agent/cni/wireguard/node-keys.ts';
import { wireguardNetwork } from '../../node-agent/datapath/network/bridged-network.ts';
import { WireguardDevice } from '../../node-agent/datapath/wireguard/wireguard-device.ts';
import { nodeKernelView } from '../../node-agent/kernel-view/kernel-view.ts';
import type { Host } from '../../shared/netstack/host.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import { parseAddress } from '../../shared/wire/ip-address.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import * as udp from '../../shared/wire/udp.ts';
import { TestCluster } from './cluster.testkit.ts';

const SECRET = 'the plain text that nobody may see on the wire';
const PORT = 8080;
/** Within a captured datagram: VXLAN (8), Ethernet (14), IPv4 (20), UDP (8), then WireGuard's message. */
const MESSAGE = 50;

function running() {
  const cluster = new TestCluster(2, 1, { prepare: (node) => node.use(wireguardNetwork(createNodeKeys())) });
  const client = cluster.pod('10.244.1.5').host;
  const server = cluster.pod('10.244.2.7').host;
  cluster.udpServer(server, PORT);
  const device = (number: number): WireguardDevice =>
    cluster.node(number).devices.find((candidate) => candidate instanceof WireguardDevice)!;
  return { cluster, client, server, device };
}

function contains(bytes: Uint8Array, text: string): boolean {
  return Buffer.from(bytes).includes(text);
}

/** Datagrams of the tunnel among all that nodes sent each other. */
function sealedDatagrams(cluster: TestCluster): Uint8Array[] {
  return cluster.captured.filter((bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return bytes.length > MESSAGE && bytes[31] === ipv4.PROTOCOL_UDP && view.getUint16(44) === 51_820;
  });
}

/** Once more into worker-2, as from worker-1's socket. */
function inject(cluster: TestCluster, bytes: Uint8Array): void {
  const packet = cluster.memory.allocate(bytes.length)!;
  cluster.memory.bytes.set(bytes, packet.offset);
  cluster.links.get('127.0.1.11')!.deliver({ address: '127.0.1.10', port: 4789 }, packet);
  cluster.settle();
}

/** UDP over IPv4 may leave its checksum out, so that a change is the cipher's to notice. */
function withoutUdpChecksum(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[48] = 0;
  copy[49] = 0;
  return copy;
}

/** Sends the secret and answers what came back. */
function ask(cluster: TestCluster, client: Host, to = '10.244.2.7'): string {
  const socket = client.udp.bind({ address: 0 });
  let answer = '';
  socket.onMessage = (data) => {
    answer = new TextDecoder().decode(data);
  };
  socket.sendTo(new TextEncoder().encode(SECRET), parseAddress(to)!, PORT);
  cluster.settle();
  socket.close();
  return answer;
}

describe('flannel-wg', () => {
  it('carries packets both ways, of which nobody sees a word', () => {
    const { cluster, client } = running();
    expect(ask(cluster, client), cluster.journey()).toContain(SECRET);
    expect(sealedDatagrams(cluster)).toHaveLength(2);
    for (const bytes of cluster.captured) expect(contains(bytes, 'plain text')).toBe(false);
  });

  it('drops a replayed datagram, and counts it', () => {
    const { cluster, client, server, device } = running();
    ask(cluster, client);
    const [first] = sealedDatagrams(cluster);
    const before = server.counters.udpReceived;
    for (let i = 0; i < 3; i++) inject(cluster, first!);
    expect(server.counters.udpReceived).toBe(before);
    expect(cluster.node(2).root.drops.get('wireguard-replayed')).toBe(3);
    expect(device(2).counters.rxDropped).toBe(3);
    expect(cluster.memory.inUse).toBe(0);
  });

  it('drops a datagram of which any byte was changed, and the right one still arrives', () => {
    const { cluster, client, server } = running();
    ask(cluster, client);
    // The next message of the client, which never arrived.
    const link = cluster.links.get('127.0.1.11')!;
    const receive = link.onReceive;
    link.onReceive = (_, datagrams) => {
      for (const datagram of datagrams) cluster.memory.free(datagram);
    };
    ask(cluster, client);
    link.onReceive = receive;
    const held = withoutUdpChecksum(sealedDatagrams(cluster).at(-1)!);
    const before = server.counters.udpReceived;
    for (let at = MESSAGE; at < held.length; at++) {
      const changed = held.slice();
      changed[at]! ^= 0x10;
      inject(cluster, changed);
    }
    expect(server.counters.udpReceived).toBe(before);
    const { drops } = cluster.node(2).root;
    const [strange, forged] = [drops.get('wireguard-no-session') ?? 0, drops.get('wireguard-not-authentic') ?? 0];
    expect(forged).toBeGreaterThan(held.length - MESSAGE - 16);
    expect(strange + forged + (drops.get('wireguard-replayed') ?? 0)).toBe(held.length - MESSAGE);
    inject(cluster, held);
    expect(server.counters.udpReceived).toBe(before + 1);
    expect(cluster.memory.inUse).toBe(0);
  });

  it('takes from a peer only what its pods may send', () => {
    const { cluster, client, device } = running();
    ask(cluster, client);
    const { memory } = cluster;
    const frame = memory.allocate(ethernet.HEADER_BYTES + ipv4.HEADER_BYTES + udp.HEADER_BYTES)!;
    const network = frame.offset + ethernet.HEADER_BYTES;
    ethernet.encode(memory.view, frame.offset, 0, 0, ethernet.TYPE_IPV4);
    ipv4.encode(memory.view, network, 28, 1, false, 64, ipv4.PROTOCOL_UDP, 0x0a09_0909, parseAddress('10.244.2.7')!);
    udp.encode(memory.view, network + ipv4.HEADER_BYTES, 9, PORT, udp.HEADER_BYTES);
    device(1).transmit(frame);
    cluster.settle();
    expect(cluster.node(2).root.drops.get('wireguard-not-allowed'), cluster.journey()).toBe(1);
  });

  it('sends nothing to an address that is no peer’s', () => {
    const { cluster, client } = running();
    const socket = client.udp.bind();
    socket.sendTo(new Uint8Array(4), 0x0af4_0907, PORT);
    cluster.settle();
    expect(cluster.node(1).root.drops.get('wireguard-no-peer')).toBe(1);
    expect(cluster.memory.inUse).toBe(0);
  });

  it('has an MTU that fits sealed packets into eth0’s, whatever their version', () => {
    const { cluster, client, device } = running();
    expect(device(1).mtuBytes).toBe(1420);
    for (const bytes of [1300, 1392, 1393, 4000]) {
      const socket = client.udp.bind({ address: 0 });
      const { answer } = cluster.askFrom(socket, '10.244.2.7', PORT, bytes);
      expect(answer?.length).toBe(bytes + 'default/pod-10.244.2.7 heard '.length);
      socket.close();
    }
    expect(cluster.ask(client, 'fd00:10:244:2::7', PORT).answer, cluster.journey()).not.toBeNull();
    for (const bytes of cluster.captured) expect(bytes.length).toBeLessThanOrEqual(8 + 14 + 1500);
  });

  it('a node that starts anew has another key, and what was sealed before is nobody’s', () => {
    const { cluster, client } = running();
    ask(cluster, client);
    const [old] = sealedDatagrams(cluster);
    const before = cluster.node(2).devices.find((device) => device instanceof WireguardDevice)!.publicKey;
    cluster.nodes[1] = cluster.createNode(1);
    const now = cluster.node(2).devices.find((device) => device instanceof WireguardDevice)!.publicKey;
    expect(now).not.toBe(before);
    inject(cluster, old!);
    expect(cluster.node(2).root.drops.get('wireguard-no-session')).toBe(1);
    cluster.udpServer(cluster.pod('10.244.2.9').host, PORT);
    expect(ask(cluster, client, '10.244.2.9'), cluster.journey()).toContain(SECRET);
  });
});

describe('its listings', () => {
  it('wg show prints peers, the latest handshake and what was transferred', () => {
    const { cluster, client, device } = running();
    const view = nodeKernelView(cluster.node(1));
    const text = () => view.run(['wg', 'show', 'flannel-wg']).stdout;
    const head = `interface: flannel-wg\n  public key: ${device(1).publicKey}\n  private key: (hidden)\n  listening port: 51820\n\npeer: ${device(2).publicKey}\n  endpoint: 192.168.1.11:51820\n  allowed ips: 10.244.2.0/24, fd00:10:244:2::/64\n`;
    expect(text()).toBe(head);
    ask(cluster, client);
    expect(text()).toBe(
      `${head}  latest handshake: Now\n  transfer: ${device(1).listPeers()[0]!.receivedBytes} B received, ${device(1).listPeers()[0]!.sentBytes} B sent\n`,
    );
    cluster.advance(90_061_000_000);
    expect(text()).toContain('latest handshake: 1 day, 1 hour, 1 minute, 1 second ago\n');
    expect(view.run(['wg', 'show', 'all', 'allowed-ips']).stdout).toBe(
      `flannel-wg\t${device(2).publicKey}\t10.244.2.0/24 fd00:10:244:2::/64\n`,
    );
    expect(view.run(['wg', 'show', 'flannel-wg', 'bogus']).stderr).toContain("Invalid parameter: `bogus'");
  });

  it('ip link and ip route show the tunnel as Linux does', () => {
    const { cluster } = running();
    const view = nodeKernelView(cluster.node(1));
    expect(view.run(['ip', '-d', 'link', 'show', 'flannel-wg']).stdout).toMatch(
      /^\d+: flannel-wg: <POINTOPOINT,NOARP,UP,LOWER_UP> mtu 1420 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000\n {4}link\/none {2}promiscuity 0 .*\n {4}wireguard addrgenmode .*\n$/,
    );
    expect(view.run(['ip', 'route']).stdout).toContain('10.244.0.0/16 dev flannel-wg scope link');
    expect(view.run(['ip', '-br', 'addr', 'show', 'flannel-wg']).stdout).toMatch(
      /^flannel-wg +UNKNOWN +10\.244\.1\.0\/32/,
    );
  });
});
