/** What routers say about a connection's segments: RFC 1191, and what RFC 5927 believes of it. */
import { describe, expect, test } from 'vitest';
import * as icmp from '../../wire/icmp.ts';
import { ScriptedPeer } from './peer.testkit.ts';

const data = (length: number): Uint8Array => new TextEncoder().encode('x'.repeat(length));
const { CODE_FRAGMENTATION_NEEDED, CODE_HOST_UNREACHABLE, CODE_PORT_UNREACHABLE, TIME_EXCEEDED } = icmp;

describe('"fragmentation needed" (RFC 1191)', () => {
  test('makes segments that fit, of what is in flight too, and of connections that follow', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost({ mss: 1460 });
    connection.write(data(2920));
    expect(peer.take().map((segment) => segment.data.length)).toEqual([1460, 1460]);
    peer.sendUnreachable(CODE_FRAGMENTATION_NEEDED, hostSeq, 1000);
    expect(peer.take()[0]).toMatchObject({ seq: hostSeq, data: 'x'.repeat(960) });
    expect(connection.sender.mssBytes).toBe(960);
    expect(peer.connectFromHost().syn.mss).toBe(960);
  });

  test('does not halve the window: nothing is congested', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost({ mss: 1460 });
    connection.write(data(14_600));
    peer.take();
    peer.sendUnreachable(CODE_FRAGMENTATION_NEEDED, hostSeq, 1000);
    expect(connection.sender.congestion.slowStartThresholdBytes).toBe(Number.POSITIVE_INFINITY);
  });

  test('RFC 5927: about a segment that is not in flight it is not believed', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost({ mss: 1460 });
    connection.write(data(1460));
    peer.take();
    for (const sequence of [hostSeq - 1, hostSeq + 1460, hostSeq + 2 ** 31]) {
      peer.sendUnreachable(CODE_FRAGMENTATION_NEEDED, sequence >>> 0, 600);
    }
    expect(peer.take()).toEqual([]);
    expect(connection.sender.mssBytes).toBe(1460);
    expect(peer.host.tcp.counters.strayErrors).toBe(3);
    expect(peer.connectFromHost().syn.mss).toBe(1460);
  });

  test('below the least MTU it is not obeyed', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost({ mss: 1460 });
    connection.write(data(1460));
    peer.take();
    peer.sendUnreachable(CODE_FRAGMENTATION_NEEDED, hostSeq, 68);
    expect(connection.sender.mssBytes).toBe(512);
  });
});

describe('"unreachable" (RFC 1122 section 4.2.3.9)', () => {
  test.each([
    [CODE_PORT_UNREACHABLE, 'ECONNREFUSED'],
    [CODE_HOST_UNREACHABLE, 'EHOSTUNREACH'],
  ])('code %i ends an attempt with %s', (code, error) => {
    const peer = new ScriptedPeer();
    const { connection, syn } = peer.connectFromHost();
    const ends: unknown[] = [];
    connection.onClose = (reason) => ends.push(reason);
    peer.sendUnreachable(code, syn.seq);
    expect(ends).toEqual([error]);
  });

  test('a time to live that ran out ends a connection that is being opened', () => {
    const peer = new ScriptedPeer();
    const { connection, syn } = peer.connectFromHost();
    const ends: unknown[] = [];
    connection.onClose = (reason) => ends.push(reason);
    peer.sendError(TIME_EXCEEDED, 0, syn.seq);
    expect(ends).toEqual(['EHOSTUNREACH']);
  });

  test('leaves an established connection alone, and says why it timed out', () => {
    const peer = new ScriptedPeer({ retries: 2 });
    const { connection, hostSeq } = peer.connectToHost();
    const ends: unknown[] = [];
    connection.onClose = (reason) => ends.push(reason);
    connection.write(data(10));
    peer.sendUnreachable(CODE_HOST_UNREACHABLE, hostSeq);
    expect(ends).toEqual([]);
    peer.net.advance(60_000_000);
    expect(ends).toEqual(['EHOSTUNREACH']);
  });
});
