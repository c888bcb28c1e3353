/** What the SYNs agree on, where connections wait to be accepted, and what nobody outside can guess. */
import { describe, expect, test } from 'vitest';
import { ip } from '../network.testkit.ts';
import { EndpointSecrets } from './isn.ts';
import { ScriptedPeer } from './peer.testkit.ts';
import { MAX_TIME_WAIT } from './tcp.ts';

describe('options of the SYNs (RFC 7323, RFC 2018)', () => {
  const options = { timestamps: true, windowScaling: true, sack: true };

  test('are offered, and used when the peer takes them', () => {
    const peer = new ScriptedPeer({ ...options, receiveBufferBytes: 1 << 20 });
    const { connection, syn } = peer.connectFromHost();
    expect(syn).toMatchObject({ mss: 1460, windowScale: 5, timestamp: [expect.any(Number), 0] });
    const taken = { mss: 1400, windowScale: 3, timestamp: [77, syn.timestamp![0]] as const, sackPermitted: true };
    peer.send({ flags: 'S.', ack: syn.seq + 1, ...taken });
    expect(peer.takeOne()).toMatchObject({ flags: '.', timestamp: [expect.any(Number), 77] });
    // The peer's window is scaled by its shift, except on its SYN.
    expect(connection.sender.window.bytes).toBe(65_535);
    peer.seq++;
    peer.send({ flags: '.', ack: syn.seq + 1, window: 100, timestamp: [78, syn.timestamp![0]] });
    expect(connection.sender.window.bytes).toBe(800);
    // 12 bytes of every segment are the timestamps.
    expect(connection.sender.mssBytes).toBe(1388);
    expect(connection.sackEnabled).toBe(true);
  });

  test('are not used when the peer does not answer them', () => {
    const peer = new ScriptedPeer(options);
    const { connection, syn } = peer.connectFromHost();
    peer.send({ flags: 'S.', ack: syn.seq + 1, mss: 1400 });
    expect(peer.takeOne()).toMatchObject({ timestamp: undefined });
    expect(connection).toMatchObject({ timestampsEnabled: false, windowScalingEnabled: false, sackEnabled: false });
    peer.seq++;
    peer.send({ flags: '.', ack: syn.seq + 1, window: 100 });
    expect(connection.sender.window.bytes).toBe(100);
  });

  test('a shift above 14 is taken for 14 (RFC 7323 section 2.3)', () => {
    const peer = new ScriptedPeer(options);
    const { connection, syn } = peer.connectFromHost();
    peer.send({ flags: 'S.', ack: syn.seq + 1, windowScale: 200 });
    expect(connection.sender.window.shift).toBe(14);
  });
});

describe('the accept queue', () => {
  test('full, it admits no SYN and completes no handshake, and goes on when the program accepts', () => {
    const peer = new ScriptedPeer();
    const listener = peer.host.tcp.listen({ port: 80, backlog: 2 });
    let connections = 0;
    listener.onConnection = () => {
      connections++;
      listener.queued();
    };
    const begin = (port: number): number => {
      peer.peerPort = port;
      peer.send({ flags: 'S', seq: 1000 });
      return peer.take()[0]?.seq ?? -1;
    };
    const complete = (port: number, hostSeq: number): void => {
      peer.peerPort = port;
      peer.send({ flags: '.', seq: 1001, ack: hostSeq + 1 });
    };
    const first = begin(5000);
    const second = begin(5001);
    complete(5000, first);
    const third = begin(5002);
    complete(5001, second);
    expect([connections, listener.unaccepted]).toEqual([2, 2]);
    complete(5002, third);
    expect([connections, listener.acceptQueueDrops]).toEqual([2, 1]);
    expect(begin(5003)).toBe(-1);
    expect(listener.backlogDrops).toBe(1);
    listener.accepted();
    // The SYN-ACK goes again; the peer's answer completes the handshake now.
    peer.net.advance(1_100_000);
    expect(peer.take().map(({ flags }) => flags)).toEqual(['S.']);
    complete(5002, third);
    expect(connections).toBe(3);
  });
});

describe('numbers nobody can guess', () => {
  const secrets = (text: string): EndpointSecrets => new EndpointSecrets(new TextEncoder().encode(text.padEnd(16)));
  const here = ip('10.0.0.1');
  const there = ip('10.0.0.2');

  test('RFC 6528: an initial sequence number depends on the endpoints and the secret, and a clock of 4 us moves it', () => {
    const isn = (nowUs: number, port: number, secret = 'one'): number =>
      secrets(secret).initialSequence(nowUs, here, port, there, 80);
    expect(isn(4_000_000, 1000) - isn(0, 1000)).toBe(1_000_000);
    const numbers = new Set([isn(0, 1000), isn(0, 1001), isn(0, 1000, 'two'), isn(0, 1001, 'two')]);
    expect(numbers.size).toBe(4);
  });

  test('RFC 6056: ephemeral ports of one destination follow each other from a start that the secret hides', () => {
    const peer = new ScriptedPeer();
    const portsTo = (address: string): number[] =>
      [80, 80, 80].map((remotePort) => peer.host.tcp.connect({ remoteAddress: ip(address), remotePort }).localPort);
    const ports = [...portsTo('10.0.0.2'), ...portsTo('10.0.0.3')];
    expect(ports.every((port) => port >= 32_768 && port <= 60_999)).toBe(true);
    expect(new Set(ports).size).toBe(6);
    expect(Math.abs(ports[3]! - ports[2]!)).toBeGreaterThan(1);
  });
});

test('TIME-WAIT is bounded: the oldest gives way, counted', () => {
  const peer = new ScriptedPeer();
  const listener = peer.host.tcp.listen({ port: 80 });
  listener.onConnection = (connection) => connection.end();
  for (let i = 0; i <= MAX_TIME_WAIT; i++) {
    peer.peerPort = 1 + i;
    peer.send({ flags: 'S', seq: 1000 });
    const { seq } = peer.takeOne();
    peer.send({ flags: '.', seq: 1001, ack: seq + 1 });
    peer.send({ flags: 'F.', seq: 1001, ack: seq + 2 });
    peer.take();
  }
  expect(peer.host.tcp.list()).toHaveLength(MAX_TIME_WAIT);
  expect(peer.host.tcp.counters.timeWaitEvicted).toBe(1);
  peer.net.advance(61_000_000);
  expect(peer.host.tcp.list()).toEqual([]);
});

describe('a SYN-ACK that was lost', () => {
  function afterLosing(times: number): { peer: ScriptedPeer; segments: number } {
    const peer = new ScriptedPeer();
    peer.host.tcp.listen({ port: 80 }).onConnection = (connection) => connection.write(new Uint8Array(20_000));
    peer.send({ flags: 'S', mss: 1000 });
    const { seq } = peer.takeOne();
    for (let i = 0; i < times; i++) {
      peer.net.advance(2 ** i * 1_000_000);
      peer.takeOne();
    }
    peer.send({ flags: '.', seq: peer.seq + 1, ack: seq + 1 });
    return { peer, segments: peer.take().length };
  }

  test('once, leaves a time-out of 3 s for the data (RFC 6298 section 5.7)', () => {
    const { peer, segments } = afterLosing(1);
    expect(segments).toBe(10);
    peer.net.advance(2_900_000);
    expect(peer.take()).toEqual([]);
    peer.net.advance(200_000);
    expect(peer.take()).not.toEqual([]);
  });

  test('twice, leaves a window of one segment (RFC 5681 section 3.1)', () => {
    expect(afterLosing(2).segments).toBe(1);
  });
});
