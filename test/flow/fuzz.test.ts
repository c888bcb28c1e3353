/** Nothing that arrives makes the data path throw, leak a packet or let a lie through. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';
import { TestCluster } from './cluster.testkit.ts';

/** A datagram from worker-2, as if its process had been taken over. */
function inject(cluster: TestCluster, bytes: Uint8Array): void {
  const packet = cluster.memory.allocate(bytes.length);
  if (packet === undefined) return;
  cluster.memory.bytes.set(bytes, packet.offset);
  cluster.links.get('127.0.1.10')!.deliver({ address: '127.0.1.11', port: 4789 }, packet);
}

/** A frame as the pod's own process might forge it. */
function injectFromPod(cluster: TestCluster, bytes: Uint8Array): void {
  const packet = cluster.memory.allocate(bytes.length);
  if (packet === undefined) return;
  cluster.memory.bytes.set(bytes, packet.offset);
  cluster.node(1).pods.get('default/pod-10.244.1.5')!.podDevice.transmit(packet);
}

function recorded(): { cluster: TestCluster; datagrams: Uint8Array[] } {
  const cluster = new TestCluster();
  const client = cluster.pod('10.244.1.5').host;
  cluster.udpServer(cluster.pod('10.244.2.7').host, 8080);
  cluster.services({ name: 'web', protocol: 'udp', clusterIp: '10.96.12.3', port: 80, backends: ['10.244.2.7:8080'] });
  cluster.ask(client, '10.96.12.3', 80);
  cluster.ask(client, '10.244.2.7', 9);
  cluster.ping(client, { to: '10.244.2.7' });
  cluster.ping(client, { to: '10.244.2.7', ttl: 2 });
  cluster.ask(cluster.node(1).root, '192.168.1.11', 9);
  return { cluster, datagrams: [...cluster.captured] };
}

/**
 * A recorded datagram with a few bytes changed and its end cut off or stretched; at times with a right IP checksum again,
 * or nothing would get past it. `network` is the offset of the IP header.
 */
function mutant(datagrams: readonly Uint8Array[], network: number): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(
      fc.nat(datagrams.length - 1),
      fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 6 }),
      fc.oneof(fc.constant(0), fc.integer({ min: -120, max: 40 })),
      fc.boolean(),
    )
    .map(([index, changes, growth, repaired]) => {
      const original = datagrams[index]!;
      const bytes = new Uint8Array(Math.max(0, original.length + growth));
      bytes.set(original.subarray(0, bytes.length));
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      const view = new DataView(bytes.buffer);
      if (repaired && ipv4.check(view, network, bytes.length - network)) ipv4.writeChecksum(view, network);
      return bytes;
    });
}

describe('malformed datagrams and frames', () => {
  const { cluster, datagrams } = recorded();
  const arbitrary = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    mutant(datagrams, vxlan.HEADER_BYTES + ethernet.HEADER_BYTES),
  );

  it('from another node are dropped and counted, never thrown over', () => {
    fc.assert(
      fc.property(arbitrary, (bytes) => {
        inject(cluster, bytes);
        cluster.settle();
      }),
      { numRuns: 3000, verbose: true },
    );
    cluster.advance(60_000_000);
    expect(cluster.memory.inUse).toBe(0);
    expect(cluster.node(1).drops.list().length).toBeGreaterThan(3);
  });

  it('from a pod are dropped and counted, never thrown over', () => {
    const frames = datagrams.map((datagram) => datagram.subarray(vxlan.HEADER_BYTES));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutant(frames, ethernet.HEADER_BYTES)), (bytes) => {
        injectFromPod(cluster, bytes);
        cluster.settle();
      }),
      { numRuns: 3000, verbose: true },
    );
    cluster.advance(60_000_000);
    expect(cluster.memory.inUse).toBe(0);
  });

  it('and the network still works afterwards', () => {
    cluster.advance(600_000_000);
    const client = cluster.node(1).pods.get('default/pod-10.244.1.5')!.host;
    expect(cluster.ask(client, '10.96.12.3', 80).answer).toContain('heard');
  });
});
