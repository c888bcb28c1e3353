/** ARP (RFC 826) and the states of RFC 4861 section 7.3.2. */
import { describe, expect, test } from 'vitest';
import { DELAY_TIME_US, MAX_NEIGHBOURS, MAX_WAITING_PACKETS, REACHABLE_TIME_US } from './neighbour.ts';
import { ip, TestNetwork } from './network.testkit.ts';

const ping = { identifier: 1, sequence: 1 };

describe('resolution', () => {
  test('the asker becomes REACHABLE, the asked one learns STALE from the request', () => {
    const { net, a, b, link } = TestNetwork.pair();
    a.icmp.ping({ address: ip('10.0.0.2'), ...ping }, () => undefined);
    net.settle();
    expect(a.neighbours.lookup(link[0], ip('10.0.0.2'))).toMatchObject({
      state: 'REACHABLE',
      macAddress: link[1].macAddress,
    });
    // Its answer to the ping used the entry.
    expect(b.neighbours.lookup(link[1], ip('10.0.0.1'))).toMatchObject({
      state: 'DELAY',
      macAddress: link[0].macAddress,
    });
  });

  test('packets that wait are bounded: the oldest goes', () => {
    const { net, a } = TestNetwork.pair();
    const socket = a.udp.bind();
    for (let i = 0; i < MAX_WAITING_PACKETS + 5; i++) socket.sendTo(new Uint8Array(1), ip('10.0.0.99'), 9);
    expect(a.drops.get('neighbour-queue-full')).toBe(5);
    net.advance(4_000_000);
    expect(a.drops.get('neighbour-failed')).toBe(MAX_WAITING_PACKETS);
    expect(net.memory.inUse).toBe(0);
  });

  test('a failed one is asked again when it is needed again', () => {
    const { net, a, b, link } = TestNetwork.pair();
    link[1].up = false;
    a.icmp.ping({ address: ip('10.0.0.2'), ...ping }, () => undefined);
    net.advance(4_000_000);
    expect(a.neighbours.list().map(({ state }) => state)).toEqual(['FAILED']);
    link[1].up = true;
    let kind = '';
    a.icmp.ping({ address: ip('10.0.0.2'), ...ping }, (result) => {
      kind = result.kind;
    });
    net.settle();
    expect(kind).toBe('reply');
    expect(b.counters.ipDelivered).toBe(1);
  });
});

describe('unreachability detection', () => {
  test('REACHABLE ages to STALE; use makes it DELAY, then PROBE, and an answer REACHABLE again', () => {
    const { net, a, link } = TestNetwork.pair();
    const states: string[] = [];
    const note = (): void => {
      states.push(a.neighbours.list()[0]!.state);
    };
    const socket = a.udp.bind();
    socket.sendTo(new Uint8Array(1), ip('10.0.0.2'), 9);
    net.settle();
    note();
    net.advance(REACHABLE_TIME_US + 1);
    note();
    link[1].up = false;
    socket.sendTo(new Uint8Array(1), ip('10.0.0.2'), 9);
    note();
    net.advance(DELAY_TIME_US);
    note();
    link[1].up = true;
    net.advance(1_000_000);
    note();
    expect(states).toEqual(['REACHABLE', 'STALE', 'DELAY', 'PROBE', 'REACHABLE']);
  });

  test('something heard from above saves the probe', () => {
    const { net, a, link } = TestNetwork.pair();
    const socket = a.udp.bind();
    socket.sendTo(new Uint8Array(1), ip('10.0.0.2'), 9);
    net.advance(REACHABLE_TIME_US + 1);
    a.neighbours.confirm(link[0], ip('10.0.0.2'));
    a.neighbours.list();
    socket.sendTo(new Uint8Array(1), ip('10.0.0.2'), 9);
    expect(a.neighbours.list()[0]!.state).not.toBe('PROBE');
  });
});

describe('learning', () => {
  test('a gratuitous announcement updates an entry and makes none', () => {
    const { net, a, b, link } = TestNetwork.pair();
    b.neighbours.announce(link[1], ip('10.0.0.2'));
    net.settle();
    expect(a.neighbours.size).toBe(0);
    a.icmp.ping({ address: ip('10.0.0.2'), ...ping }, () => undefined);
    net.advance(2_000_000);
    const entry = a.neighbours.lookup(link[0], ip('10.0.0.2'))!;
    entry.macAddress = 0x0200_0000_0099;
    b.neighbours.announce(link[1], ip('10.0.0.2'));
    net.settle();
    expect(entry).toMatchObject({ macAddress: link[1].macAddress, state: 'STALE' });
  });

  test('a permanent entry stays as it is', () => {
    const { net, a, b, link } = TestNetwork.pair();
    a.neighbours.setPermanent(link[0], ip('10.0.0.2'), 0x0200_0000_0099);
    b.neighbours.announce(link[1], ip('10.0.0.2'));
    net.settle();
    expect(a.neighbours.list()).toMatchObject([{ state: 'PERMANENT', macAddress: 0x0200_0000_0099 }]);
  });

  test('proxy ARP answers for what is routed elsewhere, and only where it is on', () => {
    const { net, router, near } = TestNetwork.routed();
    const asker = net.host('asker');
    const [device] = net.join(asker, '10.0.9.2/8', router, '10.0.9.1/24');
    asker.icmp.ping({ address: ip('10.0.2.2'), ...ping }, () => undefined);
    net.settle();
    expect(asker.neighbours.lookup(device, ip('10.0.2.2'))?.state).toBe('INCOMPLETE');
    for (const attached of router.interfaces.values()) attached.proxyArp = attached.device !== near[1];
    net.advance(1_100_000);
    expect(asker.neighbours.lookup(device, ip('10.0.2.2'))?.state).toBe('REACHABLE');
  });
});

test('the table is bounded: the stale entry unused for longest gives way, and without one the packet is dropped', () => {
  const { a, link } = TestNetwork.pair();
  for (let i = 0; i < MAX_NEIGHBOURS; i++) a.neighbours.setPermanent(link[0], ip('10.1.0.0') + i, 1);
  a.udp.bind().sendTo(new Uint8Array(1), ip('10.0.0.2'), 9);
  expect(a.drops.get('neighbour-table-full')).toBe(1);
  a.neighbours.lookup(link[0], ip('10.1.0.7'))!.state = 'STALE';
  a.udp.bind().sendTo(new Uint8Array(1), ip('10.0.0.2'), 9);
  expect(a.neighbours.lookup(link[0], ip('10.1.0.7'))).toBe(undefined);
  expect(a.neighbours.size).toBe(MAX_NEIGHBOURS);
});
