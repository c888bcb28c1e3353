/** RFC 1812 section 5.2 and 5.3, RFC 791 fragmentation, and the order of netfilter's hooks. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as checksum from '../wire/checksum.ts';
import * as ethernet from '../wire/ethernet.ts';
import * as ipv4 from '../wire/ipv4.ts';
import type { Packet } from '../wire/packet-memory.ts';
import * as udp from '../wire/udp.ts';
import type { NetfilterHooks, Verdict } from './hooks.ts';
import type { Host } from './host.ts';
import type { PingResult } from './icmp.ts';
import { ip, TestNetwork } from './network.testkit.ts';
import { MAX_DATAGRAMS, REASSEMBLY_TIMEOUT_US } from './reassembly.ts';
import { seededRandom } from './seeded-random.ts';
import type { VethDevice } from './veth.ts';

/** A datagram from outside the process, all checksums in place, for the test to spoil. */
function outsideDatagram(net: TestNetwork, to: VethDevice, from: string, destination: string, bytes = 20): Packet {
  const packet = net.memory.allocate(ethernet.HEADER_BYTES + 28 + bytes)!;
  const { view } = net.memory;
  const network = packet.offset + ethernet.HEADER_BYTES;
  ethernet.encode(view, packet.offset, to.macAddress, 0x0200_0000_0077, ethernet.TYPE_IPV4);
  ipv4.encode(view, network, 28 + bytes, 1, true, 64, ipv4.PROTOCOL_UDP, ip(from), ip(destination));
  udp.encode(view, network + 20, 1111, 53, 8 + bytes);
  net.memory.bytes.fill(7, network + 28, network + 28 + bytes);
  const pseudo = checksum.pseudoHeaderSum(ip(from), ip(destination), ipv4.PROTOCOL_UDP, 8 + bytes);
  udp.setChecksum(view, network + 20, checksum.finish(pseudo + net.memory.sum(network + 20, 8 + bytes)));
  return packet;
}

function receive(net: TestNetwork, device: VethDevice, packet: Packet): void {
  net.engine.enqueue(device, packet);
  net.settle();
}

describe('packets from outside', () => {
  const arrival = (spoil: (view: DataView, network: number) => void): { host: Host; received: number } => {
    const { net, b, link } = TestNetwork.pair();
    let received = 0;
    b.udp.bind({ port: 53 }).onMessage = () => received++;
    const packet = outsideDatagram(net, link[1], '10.0.0.1', '10.0.0.2');
    spoil(net.memory.view, packet.offset + ethernet.HEADER_BYTES);
    receive(net, link[1], packet);
    return { host: b, received };
  };

  test('are delivered when all their checksums are right', () => {
    expect(arrival(() => undefined).received).toBe(1);
  });

  test.each<[string, (view: DataView, network: number) => void]>([
    ['ip-checksum', (view, network) => view.setUint8(network + 11, view.getUint8(network + 11) ^ 1)],
    ['udp-checksum', (view, network) => view.setUint8(network + 40, 99)],
    ['ip-malformed', (view, network) => view.setUint8(network, 0x44)],
    ['ip-malformed', (view, network) => view.setUint16(network + 2, 2000)],
    ['udp-malformed', (view, network) => view.setUint16(network + 24, 2000)],
  ])('are dropped with the reason %s', (reason, spoil) => {
    const { host, received } = arrival(spoil);
    expect(received).toBe(0);
    expect([...host.drops]).toEqual([[reason, 1]]);
  });

  test('a UDP checksum of 0 means that there is none', () => {
    expect(arrival((view, network) => udp.clearChecksum(view, network + 20)).received).toBe(1);
  });

  test('link padding behind the packet is cut off', () => {
    const { net, b, link } = TestNetwork.pair();
    const got: number[] = [];
    b.udp.bind({ port: 53 }).onMessage = (data) => got.push(data.length);
    const packet = outsideDatagram(net, link[1], '10.0.0.1', '10.0.0.2', 4);
    packet.length = 60;
    receive(net, link[1], packet);
    expect(got).toEqual([4]);
  });

  test('mutated frames of any kind do not throw and lose no memory', () => {
    const random = seededRandom(7);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(61), fc.nat(255)), { minLength: 1, maxLength: 6 }), (changes) => {
        const { net, link } = TestNetwork.pair();
        const packet = outsideDatagram(net, link[1], '10.0.0.1', '10.0.0.2');
        for (const [at, value] of changes) net.memory.bytes[packet.offset + at] = value;
        packet.length = Math.floor(random() * packet.length);
        receive(net, link[1], packet);
        net.advance(REASSEMBLY_TIMEOUT_US + 10_000_000);
        expect(net.memory.inUse).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});

describe('martians (RFC 1812 section 5.3.7)', () => {
  test.each([
    ['127.0.0.1', '10.0.0.2', 'martian-source'],
    ['224.0.0.1', '10.0.0.2', 'martian-source'],
    ['255.255.255.255', '10.0.0.2', 'martian-source'],
    ['0.0.0.0', '10.0.0.2', 'martian-source'],
    ['10.0.0.2', '10.0.0.2', 'martian-source'],
    ['10.0.0.255', '10.0.0.2', 'martian-source'],
    ['10.0.0.1', '127.0.0.1', 'martian-destination'],
    ['10.0.0.1', '0.0.0.0', 'martian-destination'],
    ['10.0.0.1', '224.0.0.5', 'multicast-not-joined'],
    ['10.0.0.1', '10.9.9.9', 'not-forwarding'],
  ])('%s to %s is dropped: %s', (from, to, reason) => {
    const { net, b, link } = TestNetwork.pair();
    receive(net, link[1], outsideDatagram(net, link[1], from, to));
    expect([...b.drops]).toEqual([[reason, 1]]);
  });

  test('the reverse path filter: strict asks for the same device, loose for any route', () => {
    const { net, router, near } = TestNetwork.routed();
    const arrive = (from: string): void => receive(net, near[1], outsideDatagram(net, near[1], from, '10.0.2.2'));
    router.reversePathFilter = 'strict';
    arrive('10.0.2.9');
    arrive('10.0.1.9');
    expect(router.drops.get('reverse-path')).toBe(1);
    router.reversePathFilter = 'loose';
    arrive('10.0.2.9');
    arrive('172.16.0.1');
    expect(router.drops.get('reverse-path')).toBe(2);
  });
});

describe('fragments', () => {
  test('any sizes put together give the datagram, in any order', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9000 }),
        fc.integer({ min: 576, max: 1500 }),
        fc.nat(),
        (size, mtu, seed) => {
          const { net, a, b, link } = TestNetwork.pair(mtu);
          a.neighbours.setPermanent(link[0], ip('10.0.0.2'), link[1].macAddress);
          const held: Packet[] = [];
          link[0].transmit = (frame) => held.push(frame);
          const got: Uint8Array[] = [];
          b.udp.bind({ port: 53 }).onMessage = (data) => got.push(data);
          const data = Uint8Array.from({ length: size }, (_, i) => i * 31);
          a.udp.bind().sendTo(data, ip('10.0.0.2'), 53);
          const random = seededRandom(seed);
          held.sort(() => random() - 0.5);
          for (const frame of held) receive(net, link[1], frame);
          expect(got).toEqual([data]);
          expect(net.memory.inUse).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('datagrams that never get whole are bounded, time out, and their sender is told', () => {
    const { net, a, b, link } = TestNetwork.pair();
    a.neighbours.setPermanent(link[0], ip('10.0.0.2'), link[1].macAddress);
    let passed = 0;
    const transmit = link[0].transmit.bind(link[0]);
    link[0].transmit = (frame) => {
      if (passed++ % 2 === 0) transmit(frame);
      else net.memory.free(frame);
    };
    const results: PingResult[] = [];
    const ping = { address: ip('10.0.0.2'), identifier: 1, payloadBytes: 2000, timeoutUs: 60_000_000 };
    for (let i = 0; i < MAX_DATAGRAMS + 6; i++) a.icmp.ping({ ...ping, sequence: i }, (result) => results.push(result));
    net.settle();
    expect(b.reassembly.size).toBe(MAX_DATAGRAMS);
    expect(b.drops.get('reassembly-full')).toBe(6);
    net.advance(REASSEMBLY_TIMEOUT_US);
    expect(b.reassembly.size).toBe(0);
    expect(results.filter((result) => result.kind === 'time-exceeded').length).toBeGreaterThan(0);
    net.advance(60_000_000);
    expect(net.memory.inUse).toBe(0);
  });
});

describe('hooks', () => {
  const recording = (log: string[], verdict: (hook: string, packet: Packet) => Verdict): NetfilterHooks => {
    const at = (hook: string, packet: Packet, ...devices: { name: string }[]): Verdict => {
      log.push([hook, ...devices.map(({ name }) => name)].join(' '));
      return verdict(hook, packet);
    };
    return {
      prerouting: (packet, device) => at('prerouting', packet, device),
      input: (packet, device) => at('input', packet, device),
      forward: (packet, from, to) => at('forward', packet, from, to),
      output: (packet) => at('output', packet),
      postrouting: (packet, device) => at('postrouting', packet, device),
      flowRoute: () => null,
    };
  };

  test('a forwarded packet passes prerouting, forward, postrouting', () => {
    const log: string[] = [];
    const { net, a } = TestNetwork.routed({ router: { hooks: recording(log, () => null) } });
    a.udp.bind().sendTo(new Uint8Array(1), ip('10.0.2.99'), 9);
    net.settle();
    expect(log).toEqual(['prerouting eth0', 'forward eth0 eth1', 'postrouting eth1']);
  });

  test('a local one passes prerouting and input, its answer output and postrouting', () => {
    const log: string[] = [];
    const { net, a } = TestNetwork.routed({ router: { hooks: recording(log, () => null) } });
    a.icmp.ping({ address: ip('10.0.1.1'), identifier: 1, sequence: 1 }, () => undefined);
    net.settle();
    expect(log).toEqual(['prerouting eth0', 'input eth0', 'output', 'postrouting eth0']);
  });

  test('output that changes the destination changes the route', () => {
    const log: string[] = [];
    const net = new TestNetwork();
    const memory = net.memory;
    const hooks = recording(log, (hook, packet) => {
      if (hook === 'output') {
        ipv4.setDestination(memory.view, packet.networkOffset, ip('10.0.2.2'));
        ipv4.writeChecksum(memory.view, packet.networkOffset);
      }
      return null;
    });
    const node = net.host('node', { hooks });
    const b = net.host('b');
    net.join(node, '10.0.1.1/24', net.host('other'), '10.0.1.2/24');
    net.join(node, '10.0.2.1/24', b, '10.0.2.2/24');
    net.defaultRoute(node, '10.0.1.2');
    node.udp.bind().sendTo(new Uint8Array(1), ip('10.96.0.10'), 53);
    net.settle();
    expect(log.slice(0, 2)).toEqual(['output', 'postrouting eth1']);
    expect(b.counters.ipDelivered).toBe(1);
  });

  test('a drop has its reason and cause, reject answers', () => {
    const reason = { code: 'policy-denied', cause: 'NetworkPolicy default/deny' };
    const drops: string[] = [];
    const observer = {
      dropped: (_packet: Packet, { code, cause }: { code: string; cause?: string }, where: string): void => {
        drops.push(`${code} ${cause} ${where}`);
      },
    };
    let verdict: Verdict = reason;
    const hooks = recording([], (hook) => (hook === 'forward' ? verdict : null));
    const { net, a, router } = TestNetwork.routed({ router: { hooks, observer } });
    const socket = a.udp.bind();
    const errors: string[] = [];
    socket.onError = (code) => errors.push(code);
    socket.connect(ip('10.0.2.2'), 53);
    socket.send(new Uint8Array(1));
    net.settle();
    expect(drops).toEqual(['policy-denied NetworkPolicy default/deny forward']);
    expect(errors).toEqual([]);
    verdict = { reject: 'port-unreachable', reason };
    socket.send(new Uint8Array(1));
    net.settle();
    expect(errors).toEqual(['ECONNREFUSED']);
    verdict = { reject: 'tcp-reset', reason };
    const connection = a.tcp.connect({ remoteAddress: ip('10.0.2.2'), remotePort: 80 });
    let closed: string | null = null;
    connection.onClose = (error) => {
      closed = error;
    };
    net.settle();
    expect(closed).toBe('ECONNREFUSED');
    expect(router.drops.get('policy-denied')).toBe(3);
    expect(net.memory.inUse).toBe(0);
  });
});

describe('the host', () => {
  test('RFC 1122 section 3.2.2: no ICMP error answers a broadcast', () => {
    const { net, a, b } = TestNetwork.pair();
    const socket = a.udp.bind();
    socket.broadcast = true;
    expect(socket.sendTo(new Uint8Array(1), ip('10.0.0.255'), 9)).toBe(null);
    net.settle();
    expect(b.drops.get('udp-no-socket')).toBe(1);
    expect(b.counters.icmpErrorsSent).toBe(0);
  });

  test('ICMP errors are bounded per second', () => {
    const { net, a, b } = TestNetwork.pair();
    const socket = a.udp.bind();
    for (let i = 0; i < 500; i++) {
      socket.sendTo(new Uint8Array(1), ip('10.0.0.2'), 9);
      net.settle();
    }
    expect(b.counters.icmpErrorsSent).toBe(50);
    net.advance(1_000_000);
    for (let i = 0; i < 10; i++) socket.sendTo(new Uint8Array(1), ip('10.0.0.2'), 9);
    net.settle();
    expect(b.counters.icmpErrorsSent).toBe(60);
  });

  test('removing a device takes its addresses, routes and neighbours with it', () => {
    const { net, a, link } = TestNetwork.pair();
    a.icmp.ping({ address: ip('10.0.0.2'), identifier: 1, sequence: 1 }, () => undefined);
    net.settle();
    a.removeDevice(link[0]);
    expect(a.routes.list()).toEqual([]);
    expect(a.neighbours.list()).toEqual([]);
    expect(a.isLocal(ip('10.0.0.1'))).toBe(false);
    expect(a.udp.bind().sendTo(new Uint8Array(1), ip('10.0.0.2'), 9)).toBe('ENETUNREACH');
  });

  test('PMTU (RFC 1191): a TCP connection learns the smaller MTU of the way and goes on', () => {
    const { net, a, b } = TestNetwork.routed({ farMtuBytes: 800 });
    // b would announce a small MSS of its own; the way is narrower than what both ends know.
    b.pathMtu.towards = () => 1500;
    let received = 0;
    b.tcp.listen({ port: 80 }).onConnection = (connection) => {
      connection.onData = (data) => {
        received += data.length;
      };
    };
    const connection = a.tcp.connect({ remoteAddress: ip('10.0.2.2'), remotePort: 80 });
    connection.write(new Uint8Array(100_000));
    net.advance(2_000_000);
    expect(received).toBe(100_000);
    expect(connection.sender.mssBytes).toBe(800 - 40 - 12);
    expect(connection.counters.timeouts).toBe(0);
  });

  test("all 127.0.0.0/8 and the host's own addresses lead through lo", () => {
    const { net, a } = TestNetwork.pair();
    const got: string[] = [];
    a.udp.bind({ port: 53 }).onMessage = (_data, from) => got.push(from === ip('127.0.0.1') ? 'lo' : 'own');
    const socket = a.udp.bind();
    socket.sendTo(new Uint8Array(1), ip('127.0.0.1'), 53);
    socket.sendTo(new Uint8Array(1), ip('10.0.0.1'), 53);
    net.settle();
    expect(got).toEqual(['lo', 'own']);
    expect(a.loopback.counters.rxPackets).toBe(2);
  });
});
