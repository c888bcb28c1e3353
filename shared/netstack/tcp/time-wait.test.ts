/** What TIME-WAIT answers, and what begins anew in its place: RFC 9293 sections 3.6.1 and 3.10.7.4, RFC 1337, RFC 6191. */
import { describe, expect, test } from 'vitest';
import { ScriptedPeer } from './peer.testkit.ts';

describe('TIME-WAIT', () => {
  const timeWait = (): { peer: ScriptedPeer; hostSeq: number } => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    connection.end();
    peer.send({ flags: 'F.', ack: hostSeq + 1 });
    peer.take();
    return { peer, hostSeq };
  };

  test('acknowledges a repeated FIN, and waits anew', () => {
    const { peer, hostSeq } = timeWait();
    peer.net.advance(50_000_000);
    peer.send({ flags: 'F.', ack: hostSeq + 1 });
    expect(peer.takeOne()).toMatchObject({ flags: '.', seq: hostSeq + 1, ack: peer.seq + 1 });
    peer.net.advance(50_000_000);
    expect(peer.host.tcp.list()).toHaveLength(1);
    peer.net.advance(11_000_000);
    expect(peer.host.tcp.list()).toHaveLength(0);
  });

  test('RFC 1337: a reset does not end it', () => {
    const { peer } = timeWait();
    peer.send({ flags: 'R', seq: peer.seq + 1 });
    expect(peer.host.tcp.list()).toHaveLength(1);
    expect(peer.take()).toEqual([]);
  });

  test('a SYN beyond the old sequence numbers begins a new connection, beyond its own (section 3.6.1)', () => {
    const { peer, hostSeq } = timeWait();
    peer.send({ flags: 'SEW', seq: peer.seq + 5000 });
    const answer = peer.takeOne();
    expect(answer).toMatchObject({ flags: 'S.', ack: peer.seq + 5001 });
    expect((answer.seq - hostSeq) | 0).toBeGreaterThan(0xffff);
    expect(peer.host.tcp.list().map((endpoint) => endpoint.state)).toEqual(['SYN-RECEIVED']);
  });
});

describe('TIME-WAIT with timestamps (RFC 6191)', () => {
  test.each([
    ['newer', 51, -500, 'S.'],
    ['the same, beyond in sequence', 50, 500, 'S.'],
    ['the same, not beyond in sequence', 50, -500, '.'],
    ['older, though beyond in sequence', 49, 500, '.'],
  ])('a SYN whose timestamp is %s', (_name, timestamp, offset, flags) => {
    const peer = new ScriptedPeer({ timestamps: true });
    const { connection, hostSeq } = peer.connectToHost({ timestamp: [40, 0] });
    connection.end();
    peer.send({ flags: 'F.', ack: hostSeq + 1, timestamp: [50, 0] });
    peer.take();
    peer.send({ flags: 'S', seq: peer.seq + offset, timestamp: [timestamp, 0] });
    expect(peer.takeOne().flags).toBe(flags);
  });
});
