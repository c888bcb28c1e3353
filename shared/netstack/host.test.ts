import { describe, expect, test } from 'vitest';
import * as icmpWire from '../wire/icmp.ts';
import type { PingResult } from './icmp.ts';
import { ip, TestNetwork } from './network.testkit.ts';

const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('echo', () => {
  test('a neighbour answers, and no packet memory is lost', () => {
    const { net, a } = TestNetwork.pair();
    const results: PingResult[] = [];
    a.icmp.ping({ address: ip('10.0.0.2'), identifier: 7, sequence: 1 }, (result) => results.push(result));
    net.settle();
    expect(results).toEqual([{ kind: 'reply', from: ip('10.0.0.2'), bytes: 64, ttl: 64, rttUs: 0 }]);
    expect(net.memory.inUse).toBe(0);
  });

  test('through a router the TTL is one less', () => {
    const { net, a, router } = TestNetwork.routed();
    const results: PingResult[] = [];
    a.icmp.ping({ address: ip('10.0.2.2'), identifier: 7, sequence: 1 }, (result) => results.push(result));
    net.settle();
    expect(results).toMatchObject([{ kind: 'reply', ttl: 63 }]);
    expect(router.counters.ipForwarded).toBe(2);
    expect(net.memory.inUse).toBe(0);
  });

  test('a host answers itself, on its address and on the whole of 127.0.0.0/8', () => {
    const { net, a } = TestNetwork.pair();
    const results: PingResult[] = [];
    for (const [index, target] of ['10.0.0.1', '127.0.0.1', '127.9.9.9'].entries()) {
      a.icmp.ping({ address: ip(target), identifier: 7, sequence: index }, (result) => results.push(result));
    }
    net.settle();
    expect(results.map((result) => result.kind)).toEqual(['reply', 'reply', 'reply']);
  });

  test('RFC 1812 section 5.3.1: TTL 1 ends at the router with time exceeded', () => {
    const { net, a } = TestNetwork.routed();
    const results: PingResult[] = [];
    a.icmp.ping({ address: ip('10.0.2.2'), identifier: 7, sequence: 1, ttl: 1 }, (result) => results.push(result));
    net.settle();
    expect(results).toEqual([{ kind: 'time-exceeded', from: ip('10.0.1.1') }]);
  });

  test('RFC 1812 section 4.3.3.1: without a route the router says net unreachable', () => {
    const { net, a } = TestNetwork.routed();
    const results: PingResult[] = [];
    a.icmp.ping({ address: ip('10.9.9.9'), identifier: 7, sequence: 1 }, (result) => results.push(result));
    net.settle();
    expect(results).toEqual([{ kind: 'unreachable', from: ip('10.0.1.1'), code: icmpWire.CODE_NET_UNREACHABLE }]);
  });

  test('a silent neighbour becomes host unreachable after three requests', () => {
    const { net, a } = TestNetwork.routed();
    const results: PingResult[] = [];
    a.icmp.ping({ address: ip('10.0.2.99'), identifier: 7, sequence: 1 }, (result) => results.push(result));
    net.advance(2_900_000);
    expect(results).toEqual([]);
    net.advance(200_000);
    expect(results).toEqual([{ kind: 'unreachable', from: ip('10.0.1.1'), code: icmpWire.CODE_HOST_UNREACHABLE }]);
    expect(net.memory.inUse).toBe(0);
  });

  test('RFC 1191: a router that may not cut says how much fits', () => {
    const { net, a } = TestNetwork.routed({ farMtuBytes: 1000 });
    const results: PingResult[] = [];
    const ping = { address: ip('10.0.2.2'), identifier: 7, sequence: 1, payloadBytes: 1400, dontFragment: true };
    a.icmp.ping(ping, (result) => results.push(result));
    net.settle();
    expect(results).toMatchObject([{ kind: 'unreachable', from: ip('10.0.1.1'), code: 4, mtuBytes: 1000 }]);
  });

  test('a datagram longer than the MTU is cut, cut again by the router, and put together', () => {
    const { net, a } = TestNetwork.routed({ farMtuBytes: 576 });
    const results: PingResult[] = [];
    const ping = { address: ip('10.0.2.2'), identifier: 7, sequence: 1, payloadBytes: 5000 };
    a.icmp.ping(ping, (result) => results.push(result));
    net.settle();
    expect(results).toMatchObject([{ kind: 'reply', bytes: 5008 }]);
    expect(net.memory.inUse).toBe(0);
  });
});

describe('UDP', () => {
  test('a datagram and its answer', () => {
    const { net, a, b } = TestNetwork.routed();
    const server = b.udp.bind({ port: 53 });
    server.onMessage = (data, from, port) => server.sendTo(bytes(`echo ${text(data)}`), from, port);
    const client = a.udp.bind();
    const answers: string[] = [];
    client.onMessage = (data) => answers.push(text(data));
    expect(client.sendTo(bytes('hello'), ip('10.0.2.2'), 53)).toBe(null);
    net.settle();
    expect(answers).toEqual(['echo hello']);
    expect(net.memory.inUse).toBe(0);
  });

  test('RFC 1122 section 4.1.3.1: no socket answers port unreachable; a connected sender is told ECONNREFUSED', () => {
    const { net, a } = TestNetwork.routed();
    const client = a.udp.bind();
    const errors: string[] = [];
    client.onError = (code) => errors.push(code);
    expect(client.connect(ip('10.0.2.2'), 9)).toBe(null);
    client.send(bytes('x'));
    net.settle();
    expect(errors).toEqual(['ECONNREFUSED']);
  });

  test('a paused socket keeps a bounded queue and counts the rest', () => {
    const { net, a, b } = TestNetwork.pair();
    const server = b.udp.bind({ port: 53 });
    let received = 0;
    server.onMessage = () => received++;
    server.pause();
    const client = a.udp.bind();
    for (let i = 0; i < 200; i++) {
      client.sendTo(new Uint8Array(1400), ip('10.0.0.2'), 53);
      net.settle();
    }
    expect(received).toBe(0);
    expect(server.receiveDrops).toBeGreaterThan(0);
    server.resume();
    expect(received + server.receiveDrops).toBe(200);
  });
});
