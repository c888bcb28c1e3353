/** IPv6 through the same stack: discovery, forwarding, errors, fragments, path MTU, sockets of both versions. */
import { describe, expect, test } from 'vitest';
import { completeIpChecksums } from '../wire/complete-checksums.ts';
import * as ethernet from '../wire/ethernet.ts';
import * as icmp from '../wire/icmp.ts';
import { formatAddress } from '../wire/ip-address.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { ANY_IPV6, linkLocalOf } from '../wire/ipv6-address.ts';
import type { Host } from './host.ts';
import type { PingResult } from './icmp.ts';
import { ip, TestNetwork } from './network.testkit.ts';

function pair(mtuBytes = 1500) {
  const net = new TestNetwork();
  const a = net.host('a', { ipv6: true });
  const b = net.host('b', { ipv6: true });
  const link = net.join(a, '10.0.0.1/24', b, '10.0.0.2/24', mtuBytes);
  a.addAddress(link[0], ip('fd00::1'), 64);
  b.addAddress(link[1], ip('fd00::2'), 64);
  return { net, a, b, link };
}

function routed(mtuBytes = 1500, farMtuBytes = 1500) {
  const net = new TestNetwork();
  const [a, router, b] = ['a', 'router', 'b'].map((name) =>
    net.host(name, { ipv6: true, ipForward: name === 'router' }),
  );
  net.join(a!, 'fd00:1::2/64', router!, 'fd00:1::1/64', mtuBytes);
  net.join(router!, 'fd00:2::1/64', b!, 'fd00:2::2/64', farMtuBytes);
  net.defaultRoute(a!, 'fd00:1::1');
  net.defaultRoute(b!, 'fd00:2::1');
  return { net, a: a!, router: router!, b: b! };
}

function ping(
  net: TestNetwork,
  host: Host,
  to: string,
  more: { ttl?: number; payloadBytes?: number } = {},
): PingResult {
  let result: PingResult | undefined;
  host.icmp.ping({ address: ip(to), identifier: 7, sequence: 1, ...more }, (answer) => {
    result = answer;
  });
  net.advance(12_000_000);
  return result!;
}

const ignored = () => undefined;

const collect = (host: Host, address: number, port: number) => {
  const socket = host.udp.bind({ address, port });
  const got: { data: Uint8Array; from: string; port: number }[] = [];
  socket.onMessage = (data, from, fromPort) => got.push({ data, from: formatAddress(from), port: fromPort });
  return { socket, got };
};

describe('neighbour discovery', () => {
  test('solicitation and advertisement make the entries of ARP', () => {
    const { net, a, b, link } = pair();
    expect(ping(net, a, 'fd00::2')).toMatchObject({ kind: 'reply', ttl: 64, bytes: 64 });
    expect(a.neighbours.lookup(link[0], ip('fd00::2'))).toMatchObject({ macAddress: link[1].macAddress });
    expect(b.neighbours.lookup(link[1], ip('fd00::1'))).toMatchObject({ macAddress: link[0].macAddress });
    expect(net.memory.inUse).toBe(0);
  });

  test('who does not answer is unreachable', () => {
    const { net, a } = pair();
    expect(ping(net, a, 'fd00::99')).toMatchObject({ kind: 'unreachable', code: icmp.CODE_HOST_UNREACHABLE });
    expect(a.neighbours.list().find(({ address }) => address === ip('fd00::99'))?.state).toBe('FAILED');
  });

  test('a link-local address is reached through the device it is a neighbour on', () => {
    const { net, a, link } = pair();
    const far = linkLocalOf(link[1].macAddress);
    expect(ping(net, a, formatAddress(far))).toMatchObject({ kind: 'reply', from: far });
  });

  test('an announcement changes what neighbours know', () => {
    const { net, a, b, link } = pair();
    ping(net, a, 'fd00::2');
    b.removeDevice(link[1]);
    const other = net.host('other', { ipv6: true });
    other.addDevice(link[1]);
    other.addAddress(link[1], ip('fd00::2'), 64);
    other.neighbours.announce(link[1], ip('fd00::2'));
    net.settle();
    expect(ping(net, a, 'fd00::2')).toMatchObject({ kind: 'reply' });
  });

  test('a forwarded solicitation (hop limit below 255) is not believed', () => {
    const { net, a, b, link } = pair();
    a.neighbours.announce(link[0], ip('fd00::1'));
    net.settle();
    expect(b.drops.size).toBe(0);
    const frame = net.memory.allocate(ethernet.HEADER_BYTES + 72)!;
    const network = frame.offset + ethernet.HEADER_BYTES;
    ethernet.encode(net.memory.view, frame.offset, link[1].macAddress, link[0].macAddress, ethernet.TYPE_IPV6);
    ipv6.encode(net.memory.view, network, 72, 64, ipv6.PROTOCOL_ICMPV6, ip('fd00::1'), ip('fd00::2'));
    net.memory.bytes.fill(0, network + 40, network + 72);
    net.memory.view.setUint8(network + 40, 135);
    completeIpChecksums(net.memory, network, 72);
    link[0].transmit(frame);
    net.settle();
    expect(b.drops.get('icmp-malformed')).toBe(1);
  });
});

describe('forwarding', () => {
  test('takes one from the hop limit', () => {
    const { net, a } = routed();
    expect(ping(net, a, 'fd00:2::2')).toMatchObject({ kind: 'reply', ttl: 63 });
  });

  test('hop limit exceeded', () => {
    const { net, a } = routed();
    expect(ping(net, a, 'fd00:2::2', { ttl: 1 })).toEqual({ kind: 'time-exceeded', from: ip('fd00:1::1') });
  });

  test('no route', () => {
    const { net, a } = routed();
    expect(ping(net, a, 'fd00:9::9')).toEqual({
      kind: 'unreachable',
      from: ip('fd00:1::1'),
      code: icmp.CODE_NET_UNREACHABLE,
    });
  });

  test('the longest prefix wins', () => {
    const { net, router, a } = routed();
    const device = router.deviceByName('eth1')!;
    router.routes.add({ destination: ip('fd00:9::'), prefixLength: 32, type: 'prohibit' });
    router.routes.add({ destination: ip('fd00:9:1::'), prefixLength: 48, gateway: ip('fd00:2::2'), device });
    expect(router.routes.lookup(ip('fd00:9:1::1'))?.prefixLength).toBe(48);
    expect(router.routes.lookup(ip('fd00:9:2::1'))?.prefixLength).toBe(32);
    expect(ping(net, a, 'fd00:9:2::1')).toMatchObject({ code: icmp.CODE_ADMINISTRATIVELY_PROHIBITED });
    expect(router.routes.remove({ destination: ip('fd00:9:1::'), prefixLength: 48 })).toBe(true);
    expect(router.routes.lookup(ip('fd00:9:1::1'))?.prefixLength).toBe(32);
  });

  test('link-local addresses stay on their link', () => {
    const { net, a, router } = routed();
    const source = a.addresses().find(({ scope }) => scope === 'link')!.address;
    a.icmp.ping({ address: ip('fd00:2::2'), source, identifier: 1, sequence: 1 }, ignored);
    net.settle();
    expect(router.drops.get('beyond-scope')).toBe(1);
  });
});

describe('packets that are too long', () => {
  test('a source cuts, routers do not, and the parts meet at the destination', () => {
    const { net, a, b } = routed();
    const { got } = collect(b, ANY_IPV6, 53);
    const data = Uint8Array.from({ length: 4000 }, (_, i) => i % 251);
    expect(a.udp.bind({ address: ip('fd00:1::2') }).sendTo(data, ip('fd00:2::2'), 53)).toBeNull();
    net.settle();
    expect(got).toHaveLength(1);
    expect(got[0]!.data).toEqual(data);
    expect(a.counters.fragmentsSent).toBe(3);
    expect(net.memory.inUse).toBe(0);
  });

  test('"packet too big" teaches the path MTU, to UDP and to TCP', () => {
    const { net, a, b } = routed(1500, 1280);
    const { got } = collect(b, ANY_IPV6, 53);
    const socket = a.udp.bind({ address: ANY_IPV6 });
    const data = new Uint8Array(1400).fill(7);
    socket.sendTo(data, ip('fd00:2::2'), 53);
    net.settle();
    expect(got).toHaveLength(0);
    expect(a.pathMtu.towards(ip('fd00:2::2'), a.route(ip('fd00:2::2'))!)).toBe(1280);
    socket.sendTo(data, ip('fd00:2::2'), 53);
    net.settle();
    expect(got.map((datagram) => datagram.data.length)).toEqual([1400]);
    let received = 0;
    const listener = b.tcp.listen({ address: ANY_IPV6, port: 80 });
    listener.onConnection = (connection) => {
      connection.onData = (chunk) => {
        received += chunk.length;
      };
    };
    const connection = a.tcp.connect({ remoteAddress: ip('fd00:2::2'), remotePort: 80 });
    connection.onEstablished = () => connection.write(new Uint8Array(100_000));
    net.advance(5_000_000);
    expect(received).toBe(100_000);
    expect(connection.path.mssBytes()).toBe(1280 - 60);
  });

  /** Sends fragments of one datagram from host a to b by their start and size, in bytes. */
  function fragmentSender() {
    const { net, b, link } = pair();
    const send = (start: number, more: boolean, size: number) => {
      const total = 40 + 8 + size;
      const frame = net.memory.allocate(ethernet.HEADER_BYTES + total)!;
      const network = frame.offset + ethernet.HEADER_BYTES;
      const { view } = net.memory;
      ethernet.encode(view, frame.offset, link[1].macAddress, link[0].macAddress, ethernet.TYPE_IPV6);
      ipv6.encode(view, network, total, 64, ipv6.FRAGMENT, ip('fd00::1'), ip('fd00::2'));
      ipv6.encodeFragment(view, network + 40, 17, start, more, 99);
      link[0].transmit(frame);
      net.settle();
    };
    return { net, b, send };
  }

  test('overlapping fragments discard the datagram (RFC 5722)', () => {
    const { net, b, send } = fragmentSender();
    send(0, true, 64);
    send(32, false, 64);
    expect(b.drops.get('fragment-malformed')).toBe(2);
    expect(b.reassembly.size).toBe(0);
    expect(net.memory.inUse).toBe(0);
  });

  test('an atomic fragment is whole, and leaves alone what has its name (RFC 6946)', () => {
    const { b, send } = fragmentSender();
    send(0, true, 64);
    send(0, false, 64);
    expect([b.counters.reassembled, b.reassembly.size]).toEqual([1, 1]);
    send(64, false, 64);
    expect([b.counters.reassembled, b.reassembly.size]).toEqual([2, 0]);
    expect(b.drops.get('fragment-malformed')).toBeUndefined();
  });
});

describe('sockets', () => {
  test('one bound to :: hears both versions', () => {
    const { net, a, b } = pair();
    const { socket, got } = collect(b, ANY_IPV6, 53);
    const [four, six] = [a.udp.bind(), a.udp.bind({ address: ANY_IPV6 })];
    four.sendTo(Uint8Array.of(4), ip('10.0.0.2'), 53);
    six.sendTo(Uint8Array.of(6), ip('fd00::2'), 53);
    net.settle();
    expect(got.map(({ from }) => from)).toEqual(['10.0.0.1', 'fd00::1']);
    expect(() => b.udp.bind({ port: 53 })).toThrow('EADDRINUSE');
    expect(four.sendTo(Uint8Array.of(6), ip('fd00::2'), 53)).toBe('EINVAL');
    expect(socket.closed).toBe(false);
  });

  test('a closed port is refused', () => {
    const { net, a } = pair();
    const socket = a.udp.bind({ address: ANY_IPV6 });
    const errors: string[] = [];
    socket.onError = (code) => errors.push(code);
    socket.connect(ip('fd00::2'), 53);
    socket.send(Uint8Array.of(1));
    const connection = a.tcp.connect({ remoteAddress: ip('fd00::2'), remotePort: 80 });
    connection.onClose = (code) => errors.push(String(code));
    net.advance(1_000_000);
    expect(errors).toEqual(['ECONNREFUSED', 'ECONNREFUSED']);
  });

  test('::1 is local, and an address of nobody is not to be had', () => {
    const { net, a } = pair();
    const { got } = collect(a, ip('::1'), 53);
    a.udp.bind({ address: ANY_IPV6 }).sendTo(Uint8Array.of(1), ip('::1'), 53);
    net.settle();
    expect(got.map(({ from }) => from)).toEqual(['::1']);
    expect(() => a.tcp.listen({ address: ip('fd00::77'), port: 80 })).toThrow('listen EADDRNOTAVAIL [fd00::77]:80');
  });

  test('a host without IPv6 does not speak it', () => {
    const net = new TestNetwork();
    const a = net.host('a', { ipv6: true });
    const b = net.host('b');
    const link = net.join(a, 'fd00::1/64', b, '10.0.0.2/24');
    a.neighbours.setPermanent(link[0], ip('fd00::2'), link[1].macAddress);
    expect(ping(net, a, 'fd00::2')).toEqual({ kind: 'timeout' });
    expect(b.drops.get('ethertype-unknown')).toBe(1);
  });
});

test('a packet of 240.0.0.0/4 is dropped: its numbers are those of IPv6 addresses', () => {
  const { net, a, b, link } = pair();
  a.neighbours.setPermanent(link[0], ip('10.0.0.2'), link[1].macAddress);
  a.icmp.ping({ address: ip('10.0.0.2'), source: 0xf000_0001, identifier: 1, sequence: 1 }, ignored);
  net.settle();
  expect(b.drops.get('martian-source')).toBe(1);
});
