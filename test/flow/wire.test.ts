/** What leaves a node: every datagram is well-formed VXLAN with good checksums inside, by our own reading and by tshark's. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { macOfIpv4 } from '../../shared/wire/address.ts';
import { fold, pseudoHeaderSum, sumRangeScalar } from '../../shared/wire/checksum.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import { enhancedPacket, interfaceDescription, sectionHeader } from '../../shared/wire/pcap.ts';
import * as udp from '../../shared/wire/udp.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';
import { ip, TestCluster } from './cluster.testkit.ts';

/** DNS-like questions, TCP, ping, errors and fragments between two nodes, through Services and directly. */
function busyCluster(): TestCluster {
  const cluster = new TestCluster();
  const client = cluster.pod('10.244.1.5').host;
  const server = cluster.pod('10.244.2.7').host;
  cluster.udpServer(server, 8080);
  server.tcp.listen({ port: 8080 }).onConnection = (connection) => {
    connection.onData = (bytes) => connection.write(bytes);
    connection.onEnd = () => connection.end();
  };
  const web = { clusterIp: '10.96.12.3', port: 80, nodePort: 30080, backends: ['10.244.2.7:8080'] };
  cluster.services({ name: 'tcp', protocol: 'tcp', ...web }, { name: 'udp', protocol: 'udp', ...web });
  cluster.ask(client, '10.96.12.3', 80);
  cluster.ask(cluster.node(1).root, '192.168.1.11', 30080);
  cluster.ask(client, '10.244.2.7', 9);
  cluster.askFrom(client.udp.bind({}), '10.96.12.3', 80, 4001);
  cluster.ping(client, { to: '10.244.2.7', payloadBytes: 33 });
  cluster.ping(client, { to: '10.244.2.7', ttl: 2 });
  const connection = client.tcp.connect({ remoteAddress: ip('10.96.12.3'), remotePort: 80 });
  connection.onEstablished = () => {
    connection.write(new Uint8Array(20_001).fill(7));
    connection.end();
  };
  cluster.advance(5_000_000);
  return cluster;
}

/** undefined when fine. */
function defectOf(datagram: Uint8Array): string | undefined {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  if (!vxlan.check(view, 0, view.byteLength)) return 'no VXLAN header';
  const at = vxlan.HEADER_BYTES + ethernet.HEADER_BYTES;
  if (ethernet.type(view, vxlan.HEADER_BYTES) !== ethernet.TYPE_IPV4) return undefined;
  if (!ipv4.check(view, at, view.byteLength - at)) return 'bad IPv4 header';
  if (!ipv4.checksumValid(view, at)) return 'bad IPv4 checksum';
  if (ipv4.isFragment(view, at)) return undefined;
  const transport = at + ipv4.headerBytes(view, at);
  const size = at + ipv4.totalLength(view, at) - transport;
  const protocol = ipv4.protocol(view, at);
  const pseudo =
    protocol === ipv4.PROTOCOL_ICMP
      ? 0
      : pseudoHeaderSum(ipv4.source(view, at), ipv4.destination(view, at), protocol, size);
  return fold(pseudo + sumRangeScalar(view, transport, size)) === 0xffff
    ? undefined
    : `bad checksum, protocol ${protocol}`;
}

/** The datagram as it would look on the wire between two machines. */
function outerFrame(datagram: Uint8Array): Uint8Array {
  const headers = ethernet.HEADER_BYTES + ipv4.HEADER_BYTES + udp.HEADER_BYTES;
  const frame = new Uint8Array(headers + datagram.length);
  const view = new DataView(frame.buffer);
  const [from, to] = [ip('127.0.1.10'), ip('127.0.1.11')];
  ethernet.encode(view, 0, macOfIpv4(to), macOfIpv4(from), ethernet.TYPE_IPV4);
  const length = udp.HEADER_BYTES + datagram.length;
  ipv4.encode(view, ethernet.HEADER_BYTES, ipv4.HEADER_BYTES + length, 1, true, 64, ipv4.PROTOCOL_UDP, from, to);
  udp.encode(view, ethernet.HEADER_BYTES + ipv4.HEADER_BYTES, vxlan.PORT, vxlan.PORT, length);
  frame.set(datagram, headers);
  return frame;
}

function captureFile(datagrams: readonly Uint8Array[]): Uint8Array {
  const packets = datagrams.map((datagram, i) =>
    enhancedPacket({ interfaceId: 0, timestampNs: BigInt(i) * 1000n, bytes: outerFrame(datagram) }),
  );
  return Buffer.concat([sectionHeader('podwire'), interfaceDescription({ name: 'lo' }), ...packets]);
}

const tsharkMissing = spawnSync('tshark', ['--version']).error !== undefined;

describe('datagrams between nodes', () => {
  const { captured } = busyCluster();

  it('are all well-formed, with good checksums', () => {
    const defects = captured.map(defectOf);
    expect(captured.length).toBeGreaterThan(40);
    expect(defects.filter((defect) => defect !== undefined)).toEqual([]);
  });

  it('are of both networks: VNI 1 for the overlay, VNI 0 between the nodes', () => {
    const vnis = captured.map((datagram) => vxlan.vni(new DataView(datagram.buffer), 0));
    expect(new Set(vnis)).toEqual(new Set([0, 1]));
  });

  it.skipIf(tsharkMissing)(`decode in tshark${tsharkMissing ? ' (skipped: no tshark on PATH)' : ''}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'podwire-flow-'));
    try {
      const file = join(folder, 'flow.pcapng');
      writeFileSync(file, captureFile(captured));
      const checks = ['ip.check_checksum', 'tcp.check_checksum', 'udp.check_checksum'].flatMap((name) => [
        '-o',
        `${name}:TRUE`,
      ]);
      const read = (filter: string) =>
        execFileSync('tshark', ['-r', file, '-d', `udp.port==${vxlan.PORT},vxlan`, ...checks, '-Y', filter], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        })
          .split('\n')
          .filter((line) => line !== '');
      const bad = '_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || icmp.checksum.status == 0';
      expect(read(bad)).toEqual([]);
      // The outer UDP checksum is left out here, as the link leaves it to the kernel; the inner ones must be good.
      expect(read('udp.checksum.status == 0')).toEqual([]);
      expect(read('vxlan')).toHaveLength(captured.length);
      expect(read('tcp.flags.syn == 1 && tcp.flags.ack == 0 && ip.dst == 10.244.2.7').length).toBe(1);
      expect(read('arp').length).toBeGreaterThan(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
