/** The rules of RFC 9293 section 3.10.7, RFC 5961 and RFC 7323, one test a rule; those of TIME-WAIT are beside. */
import { describe, expect, test } from 'vitest';
import { ip } from '../network.testkit.ts';
import { ScriptedPeer } from './peer.testkit.ts';

const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('no connection (RFC 9293 section 3.10.7.1)', () => {
  test('a segment without ACK is reset with the sequence number 0 and an acknowledgement of all it took', () => {
    const peer = new ScriptedPeer();
    peer.send({ flags: 'S', seq: 500, data: 'abc' });
    expect(peer.takeOne()).toMatchObject({ flags: 'R.', seq: 0, ack: 504 });
  });

  test('a segment with ACK is reset at the number it acknowledges', () => {
    const peer = new ScriptedPeer();
    peer.send({ flags: '.', seq: 500, ack: 777 });
    expect(peer.takeOne()).toMatchObject({ flags: 'R', seq: 777 });
  });

  test('a reset is never answered', () => {
    const peer = new ScriptedPeer();
    peer.send({ flags: 'R.', seq: 500, ack: 777 });
    expect(peer.take()).toEqual([]);
  });

  test('nothing to everybody is answered (RFC 1122 section 4.2.3.10)', () => {
    const peer = new ScriptedPeer();
    peer.host.tcp.listen({ port: 80 });
    for (const to of ['10.0.0.255', '255.255.255.255', '224.0.0.1']) {
      peer.send({ flags: 'S', to: ip(to) });
      peer.send({ flags: '.', ack: 1, to: ip(to) });
    }
    expect(peer.take()).toEqual([]);
    expect(peer.host.tcp.list()).toEqual([]);
  });
});

describe('SYN-SENT (section 3.10.7.3)', () => {
  test('an acknowledgement of something else is reset', () => {
    const peer = new ScriptedPeer();
    const { connection, syn } = peer.connectFromHost();
    peer.send({ flags: 'S.', ack: syn.seq + 2 });
    expect(peer.takeOne()).toMatchObject({ flags: 'R', seq: syn.seq + 2 });
    expect(connection.state).toBe('SYN-SENT');
  });

  test('a reset that acknowledges the SYN means refused; one that does not is dropped', () => {
    const peer = new ScriptedPeer();
    const { connection, syn } = peer.connectFromHost();
    let closed: string | null = null;
    connection.onClose = (error) => {
      closed = error;
    };
    peer.send({ flags: 'R', seq: 0 });
    expect(connection.state).toBe('SYN-SENT');
    peer.send({ flags: 'R.', seq: 0, ack: syn.seq + 1 });
    expect(closed).toBe('ECONNREFUSED');
  });

  test('simultaneous open: a SYN that crosses is answered with SYN-ACK, and an ACK establishes', () => {
    const peer = new ScriptedPeer();
    const { connection, syn } = peer.connectFromHost();
    peer.send({ flags: 'S', seq: 1000 });
    expect(connection.state).toBe('SYN-RECEIVED');
    expect(peer.takeOne()).toMatchObject({ flags: 'S.', seq: syn.seq, ack: 1001 });
    peer.send({ flags: '.', seq: 1001, ack: syn.seq + 1 });
    expect(connection.state).toBe('ESTABLISHED');
  });

  test('the SYN is sent again after 1, 2 and 4 seconds, and given up after its retries (RFC 6298)', () => {
    const peer = new ScriptedPeer({ synRetries: 3 });
    const { connection } = peer.connectFromHost();
    let closed: string | null = null;
    connection.onClose = (error) => {
      closed = error;
    };
    for (const seconds of [1, 2, 4]) {
      peer.net.advance(seconds * 1_000_000 - 1000);
      expect(peer.take()).toEqual([]);
      peer.net.advance(1000);
      expect(peer.takeOne().flags).toBe('S');
    }
    peer.net.advance(8_000_000);
    expect(closed).toBe('ETIMEDOUT');
    expect(peer.host.tcp.list()).toEqual([]);
  });
});

describe('SYN-RECEIVED', () => {
  test('a repeated SYN that offers ECN (RFC 3168) gets the SYN-ACK again, and no more than that', () => {
    const peer = new ScriptedPeer();
    peer.host.tcp.listen({ port: 80 });
    peer.send({ flags: 'SEW' });
    const first = peer.takeOne();
    expect(first.flags).toBe('S.');
    peer.send({ flags: 'SEW' });
    expect(peer.takeOne()).toMatchObject({ flags: 'S.', seq: first.seq, ack: first.ack });
  });

  test('a SYN with a FIN begins nothing', () => {
    const peer = new ScriptedPeer();
    peer.host.tcp.listen({ port: 80 });
    peer.send({ flags: 'SF' });
    expect(peer.take()).toEqual([]);
    expect(peer.host.tcp.list()).toEqual([]);
  });

  test('a repeated SYN gets the SYN-ACK again', () => {
    const peer = new ScriptedPeer();
    peer.host.tcp.listen({ port: 80 });
    peer.send({ flags: 'S' });
    const first = peer.takeOne();
    peer.send({ flags: 'S' });
    expect(peer.takeOne()).toMatchObject({ flags: 'S.', seq: first.seq, ack: first.ack });
  });

  test('an acknowledgement of something else is reset', () => {
    const peer = new ScriptedPeer();
    peer.host.tcp.listen({ port: 80 });
    peer.send({ flags: 'S' });
    const { seq } = peer.takeOne();
    peer.send({ flags: '.', seq: 1001, ack: seq + 9 });
    expect(peer.takeOne()).toMatchObject({ flags: 'R', seq: seq + 9 });
  });

  test('the backlog is bounded: SYNs beyond it are dropped and counted', () => {
    const peer = new ScriptedPeer();
    const listener = peer.host.tcp.listen({ port: 80, backlog: 2 });
    for (let i = 0; i < 5; i++) {
      peer.peerPort = 5000 + i;
      peer.send({ flags: 'S' });
    }
    expect(peer.take()).toHaveLength(2);
    expect(listener.backlogDrops).toBe(3);
    expect(listener.pendingConnections).toBe(2);
  });

  test('a handshake that is never finished is forgotten after its retries', () => {
    const peer = new ScriptedPeer({ synAckRetries: 2 });
    const listener = peer.host.tcp.listen({ port: 80 });
    peer.send({ flags: 'S' });
    peer.net.advance(10_000_000);
    expect(listener.pendingConnections).toBe(0);
    expect(peer.host.tcp.list()).toEqual([]);
  });
});

describe('first check: the sequence number', () => {
  test('an old segment is acknowledged again and changes nothing', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    const got: string[] = [];
    connection.onData = (data) => got.push(text(data));
    peer.send({ flags: '.', ack: hostSeq, data: 'hello' });
    peer.net.advance(50_000);
    peer.take();
    peer.send({ flags: '.', ack: hostSeq, data: 'hello' });
    expect(peer.takeOne()).toMatchObject({ flags: '.', ack: peer.seq + 5 });
    expect(got).toEqual(['hello']);
  });

  test('what lies partly in the window is trimmed to what is new', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    const got: string[] = [];
    connection.onData = (data) => got.push(text(data));
    peer.send({ flags: '.', ack: hostSeq, data: 'hello' });
    peer.send({ flags: '.', ack: hostSeq, data: 'hello world' });
    expect(got).toEqual(['hello', ' world']);
  });

  test('data beyond the window is not taken', () => {
    const peer = new ScriptedPeer({ receiveBufferBytes: 10 });
    const { connection, hostSeq } = peer.connectToHost();
    const got: string[] = [];
    connection.onData = (data) => got.push(text(data));
    peer.send({ flags: '.', ack: hostSeq, data: '0123456789abcdef' });
    expect(got).toEqual(['0123456789']);
    peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 500, data: 'x' });
    expect(peer.take().at(-1)).toMatchObject({ flags: '.', ack: peer.seq + 10 });
  });

  test('RFC 7323 section 5: a segment with an older timestamp is not taken', () => {
    const peer = new ScriptedPeer({ timestamps: true });
    const { connection, hostSeq } = peer.connectToHost({ timestamp: [100, 0] });
    const got: string[] = [];
    connection.onData = (data) => got.push(text(data));
    peer.send({ flags: '.', ack: hostSeq, data: 'a', timestamp: [200, 0] });
    peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 1, data: 'b', timestamp: [150, 0] });
    peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 1, data: 'c', timestamp: [200, 0] });
    expect(got).toEqual(['a', 'c']);
  });
});

describe('resets (RFC 5961 section 3)', () => {
  test('exactly at RCV.NXT the connection is reset', () => {
    const peer = new ScriptedPeer();
    const { connection } = peer.connectToHost();
    let closed: string | null = null;
    connection.onClose = (error) => {
      closed = error;
    };
    peer.send({ flags: 'R' });
    expect(closed).toBe('ECONNRESET');
    expect(peer.take()).toEqual([]);
  });

  test('elsewhere in the window it is challenged, outside it dropped', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    peer.send({ flags: 'R', seq: peer.seq + 10 });
    expect(peer.takeOne()).toMatchObject({ flags: '.', seq: hostSeq, ack: peer.seq });
    peer.send({ flags: 'R', seq: peer.seq - 10 });
    expect(peer.take()).toEqual([]);
    expect(connection.state).toBe('ESTABLISHED');
  });

  test('challenges are bounded: ten in a row and two a second for one connection, a thousand a second for all', () => {
    const peer = new ScriptedPeer();
    const { hostSeq } = peer.connectToHost();
    for (let i = 0; i < 50; i++) peer.send({ flags: i % 2 === 0 ? 'R' : 'S', seq: peer.seq + 10 });
    // A SYN and an empty segment outside the window count too: two ends that disagree do not answer each other for ever.
    for (let i = 0; i < 50; i++) peer.send({ flags: i % 2 === 0 ? '.' : 'S', seq: peer.seq - 10, ack: hostSeq });
    expect(peer.take()).toHaveLength(10);
    peer.net.advance(5_000_000);
    for (let i = 0; i < 50; i++) peer.send({ flags: 'R', seq: peer.seq + 10 });
    expect(peer.take()).toHaveLength(10);
    const { tcp } = peer.host;
    peer.net.advance(1_000_000);
    expect(Array.from({ length: 1500 }, () => tcp.mayChallenge()).filter(Boolean)).toHaveLength(1000);
  });
});

describe('SYN in a synchronized state (RFC 5961 section 4)', () => {
  test('is challenged, whatever its number', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    peer.send({ flags: 'S', seq: peer.seq + 10 });
    expect(peer.takeOne()).toMatchObject({ flags: '.', seq: hostSeq, ack: peer.seq });
    expect(connection.state).toBe('ESTABLISHED');
  });
});

describe('acknowledgements (RFC 5961 section 5)', () => {
  test('of what was never sent are challenged, and their data is not taken', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    let got = 0;
    connection.onData = () => got++;
    peer.send({ flags: '.', ack: hostSeq + 100, data: 'x' });
    expect(peer.takeOne()).toMatchObject({ flags: '.', ack: peer.seq });
    expect(got).toBe(0);
  });

  test('far too old ones are challenged', () => {
    const peer = new ScriptedPeer();
    const { hostSeq } = peer.connectToHost();
    peer.send({ flags: '.', ack: (hostSeq - 1_000_000) >>> 0, data: 'x' });
    expect(peer.takeOne()).toMatchObject({ flags: '.', ack: peer.seq });
  });
});

describe('closing (section 3.6)', () => {
  test('half close: data still comes after our FIN', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    const got: string[] = [];
    connection.onData = (data) => got.push(text(data));
    connection.end();
    expect(peer.takeOne()).toMatchObject({ flags: 'F.', seq: hostSeq });
    peer.send({ flags: '.', ack: hostSeq + 1 });
    expect(connection.state).toBe('FIN-WAIT-2');
    peer.send({ flags: '.', ack: hostSeq + 1, data: 'still here' });
    expect(got).toEqual(['still here']);
    peer.send({ flags: 'F.', seq: peer.seq + 10, ack: hostSeq + 1 });
    expect(connection.state).toBe('TIME-WAIT');
  });

  test('half close by the peer: CLOSE-WAIT still sends, then LAST-ACK', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    let ended = 0;
    connection.onEnd = () => ended++;
    peer.send({ flags: 'F.', ack: hostSeq });
    expect(connection.state).toBe('CLOSE-WAIT');
    expect(ended).toBe(1);
    peer.take();
    expect(connection.write(bytes('last words'))).toBe(10);
    connection.end();
    expect(peer.take().map((segment) => segment.data)).toEqual(['last words', '']);
    expect(connection.state).toBe('LAST-ACK');
    peer.send({ flags: '.', seq: peer.seq + 1, ack: hostSeq + 11 });
    expect(connection.state).toBe('CLOSED');
  });

  test('simultaneous close goes through CLOSING', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    connection.end();
    peer.take();
    peer.send({ flags: 'F.', ack: hostSeq });
    expect(connection.state).toBe('CLOSING');
    expect(peer.takeOne()).toMatchObject({ flags: '.', ack: peer.seq + 1 });
    peer.send({ flags: '.', seq: peer.seq + 1, ack: hostSeq + 1 });
    expect(connection.state).toBe('TIME-WAIT');
  });

  test('FIN and the acknowledgement of ours in one segment go straight to TIME-WAIT', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    connection.end();
    peer.take();
    peer.send({ flags: 'F.', ack: hostSeq + 1 });
    expect(connection.state).toBe('TIME-WAIT');
  });

  test('a FIN that comes before what precedes it waits for it', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    const log: string[] = [];
    connection.onData = (data) => log.push(text(data));
    connection.onEnd = () => log.push('end');
    peer.send({ flags: 'F.', ack: hostSeq, seq: peer.seq + 5, data: ' world' });
    expect(connection.state).toBe('ESTABLISHED');
    peer.send({ flags: '.', ack: hostSeq, data: 'hello' });
    expect(log).toEqual(['hello', ' world', 'end']);
    expect(connection.state).toBe('CLOSE-WAIT');
  });

  test('close with unread data resets (RFC 1122 section 4.2.2.13)', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    connection.pause();
    peer.send({ flags: '.', ack: hostSeq, data: 'nobody reads this' });
    peer.net.advance(50_000);
    peer.take();
    connection.close();
    expect(peer.takeOne().flags).toBe('R.');
  });

  test('data after close resets', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    connection.close();
    expect(peer.takeOne().flags).toBe('F.');
    peer.send({ flags: '.', ack: hostSeq + 1, data: 'late' });
    expect(peer.takeOne().flags).toBe('R.');
    expect(connection.state).toBe('CLOSED');
  });

  test('a closed socket does not wait in FIN-WAIT-2 for ever', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    connection.close();
    peer.send({ flags: '.', ack: hostSeq + 1 });
    expect(connection.state).toBe('FIN-WAIT-2');
    peer.net.advance(61_000_000);
    expect(connection.state).toBe('CLOSED');
  });
});

describe('ICMP errors (RFC 5927, RFC 1122 section 4.2.3.9)', () => {
  test('a connect to where no route leads throws ENETUNREACH', () => {
    const peer = new ScriptedPeer();
    expect(() => peer.host.tcp.connect({ remoteAddress: ip('172.16.0.1'), remotePort: 80 })).toThrow(/ENETUNREACH/);
  });
});
