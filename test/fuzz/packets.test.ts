/**
 * Mutated packets through every decoder and through whole nodes: nothing throws, nothing hangs, nothing grows.
 *
 * A quick run stands in the normal suite; `PODWIRE_FUZZ_PACKETS=5000000 npx vitest run test/fuzz` is the long one, and
 * `PODWIRE_SEED` repeats a run.
 */
import { describe, expect, it } from 'vitest';
import { MAX_FDB_ENTRIES } from '../../node-agent/datapath/fdb.ts';
import { FrameText } from '../../node-agent/images/commands/tcpdump/frame-text.ts';
import { parseTcpdump } from '../../node-agent/images/commands/tcpdump/options.ts';
import * as arp from '../../shared/wire/arp.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as geneve from '../../shared/wire/geneve.ts';
import * as gre from '../../shared/wire/gre.ts';
import * as icmp from '../../shared/wire/icmp.ts';
import * as icmpv6 from '../../shared/wire/icmpv6.ts';
import * as ipip from '../../shared/wire/ipip.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import * as ipv6 from '../../shared/wire/ipv6.ts';
import { compileFilter } from '../../shared/wire/pcap-filter/compile.ts';
import { FRAMES } from '../../shared/wire/pcap-filter/frames.testkit.ts';
import * as tcp from '../../shared/wire/tcp.ts';
import * as udp from '../../shared/wire/udp.ts';
import * as vlan from '../../shared/wire/vlan.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';
import * as wireguard from '../../shared/wire/wireguard.ts';
import { TestCluster } from '../flow/cluster.testkit.ts';
import { heldBytes } from './held-bytes.testkit.ts';
import { Mutator } from './mutator.testkit.ts';

const QUICK_PACKETS = 40_000;
const PACKETS = Number(process.env.PODWIRE_FUZZ_PACKETS ?? QUICK_PACKETS);
const SEED = Number(process.env.PODWIRE_SEED ?? 1);
const MEBIBYTE = 1024 * 1024;
/** Tables that fill up to their bounds, and no more. */
const MAX_GROWTH_BYTES = 24 * MEBIBYTE;
const LIMIT_MS = 60_000 + PACKETS;
const PACKETS_A_TURN = 16;
/** Virtual time that passes with each batch, so that timers and ageing have their turn. */
const BATCH = 2000;
const BATCH_US = 500_000;

const options = new tcp.TcpOptions();
const filters = ['host 10.244.1.5 and tcp[tcpflags] & tcp-syn != 0', 'vxlan and port 80', 'vlan or ip6 or arp'].map(
  compileFilter,
);
const texts = ['-nevvX', '-nq'].map((letters) => new FrameText(parseTcpdump([letters])));

/** Each format at the offset where its header would be, however little the bytes are one. */
function decode(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const at of [0, 8, 14, 34, 42, 50]) {
    const length = bytes.length - at;
    if (ethernet.check(view, at, length)) ethernet.type(view, at);
    if (vlan.check(view, at, length)) vlan.id(view, at);
    if (arp.check(view, at, length)) arp.targetIp(view, at);
    if (ipv4.check(view, at, length)) decodeIpv4(view, at, length);
    if (ipv6.check(view, at, length)) ipv6.protocol(view, at);
    if (icmp.check(view, at, length)) icmp.nextHopMtu(view, at);
    if (icmpv6.checkDiscovery(view, at, length)) decodeDiscovery(view, at);
    if (udp.check(view, at, length)) udp.length(view, at);
    if (tcp.check(view, at, length)) tcp.readOptions(view, at, options);
    if (vxlan.check(view, at, length)) vxlan.vni(view, at);
    if (wireguard.check(view, at, length)) wireguard.counter(view, at);
    if (gre.check(view, at, length)) gre.checksumValid(view, at, length);
    if (geneve.check(view, at, length))
      for (const { data } of geneve.options(view, at)) expect(data.length % 4).toBe(0);
  }
  for (const passes of filters) passes(view, 0, bytes.length);
  for (const text of texts) {
    text.frameText({ timestampNs: 0n, bytes, wireBytes: bytes.length, outbound: false, cooked: undefined });
  }
}

function decodeDiscovery(view: DataView, at: number): void {
  const type = view.getUint8(at);
  if (type === icmpv6.NEIGHBOUR_SOLICITATION || type === icmpv6.NEIGHBOUR_ADVERTISEMENT) icmpv6.target(view, at);
}

function decodeIpv4(view: DataView, at: number, length: number): void {
  ipv4.optionsKind(view, at);
  ipv4.checksumValid(view, at);
  if (ipip.check(view, at, length)) ipip.innerOffset(view, at);
}

function report(what: string, seconds: number, before: number, after: number): void {
  if (PACKETS === QUICK_PACKETS) return;
  const mebibytes = (bytes: number) => Math.round(bytes / MEBIBYTE);
  console.log(
    `${what}: ${PACKETS} packets, ${seconds.toFixed(1)} s, held ${mebibytes(before)} -> ${mebibytes(after)} MiB`,
  );
}

/** What the packets of a few real exchanges look like between nodes, VXLAN header first. */
function recorded(): { cluster: TestCluster; datagrams: Uint8Array[] } {
  const cluster = new TestCluster(2, 1, { traced: false });
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

describe(`mutated packets (PODWIRE_SEED=${SEED})`, () => {
  it(
    'are read or refused by every decoder, filter and printer',
    () => {
      const mutator = new Mutator(Object.values(FRAMES), 14, SEED);
      for (let i = 0; i < BATCH; i++) decode(mutator.next());
      const before = heldBytes();
      const start = performance.now();
      for (let i = 0; i < PACKETS; i++) decode(mutator.next());
      const after = heldBytes();
      report('decoders', (performance.now() - start) / 1000, before, after);
      expect(after - before).toBeLessThan(MAX_GROWTH_BYTES);
    },
    LIMIT_MS,
  );

  it.each([
    ['from another node', 8 + 14, 0],
    ['from a pod', 14, 8],
  ] as const)(
    '%s leave a node with its memory, its tables within bounds, and at work',
    (from, network, strip) => {
      const { cluster, datagrams } = recorded();
      const { memory } = cluster;
      const node = cluster.node(1);
      const pod = node.pods.get('default/pod-10.244.1.5')!;
      const link = cluster.links.get('127.0.1.10')!;
      const mutator = new Mutator(
        datagrams.map((datagram) => datagram.subarray(strip)),
        network,
        SEED,
      );
      const inject = (): void => {
        const bytes = mutator.next();
        const packet = memory.allocate(bytes.length);
        if (packet === undefined) throw new Error('packet memory is exhausted');
        memory.bytes.set(bytes, packet.offset);
        if (strip === 0) link.deliver({ address: '127.0.1.11', port: 4789 }, packet);
        else pod.podDevice.transmit(packet);
      };
      const batch = (): void => {
        for (let i = 0; i < BATCH; i++) {
          inject();
          if (i % PACKETS_A_TURN === 0) cluster.settle();
        }
        cluster.advance(BATCH_US);
        cluster.captured.length = 0;
        cluster.hops.length = 0;
      };
      cluster.advance(60_000_000);
      const inUse = memory.inUse;
      for (let i = 0; i < 5; i++) batch();
      const before = heldBytes();
      const start = performance.now();
      for (let sent = 0; sent < PACKETS; sent += BATCH) batch();
      const seconds = (performance.now() - start) / 1000;
      const { connections, maxConnections } = node.counters();
      expect(connections).toBeLessThanOrEqual(maxConnections);
      expect(node.bridge!.fdb.list(cluster.engine.nowUs).length).toBeLessThanOrEqual(MAX_FDB_ENTRIES);
      expect(node.drops.list().length).toBeLessThanOrEqual(4096);
      cluster.advance(900_000_000);
      const after = heldBytes();
      report(from, seconds, before, after);
      expect(memory.inUse).toBe(inUse);
      expect(after - before).toBeLessThan(MAX_GROWTH_BYTES);
      expect(cluster.ask(pod.host, '10.96.12.3', 80).answer).toContain('heard');
    },
    LIMIT_MS,
  );
});
