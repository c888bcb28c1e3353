/** Windows that are closed, and those that are taken back (RFC 9293 section 3.8.6, RFC 1122 section 4.2.2.16 and 4.2.2.17). */
import { describe, expect, test } from 'vitest';
import { ScriptedPeer } from './peer.testkit.ts';

const data = (length: number): Uint8Array => new Uint8Array(length).fill(0x61);

describe('the receiver', () => {
  test('takes a FIN behind a full window, and tells the end when the program has read', () => {
    const peer = new ScriptedPeer({ receiveBufferBytes: 1000 });
    const { connection, hostSeq } = peer.connectToHost();
    const log: string[] = [];
    connection.onData = (bytes) => log.push(`${bytes.length} bytes`);
    connection.onEnd = () => log.push('end');
    connection.pause();
    peer.send({ flags: 'P.', ack: hostSeq, data: 'x'.repeat(1000) });
    peer.net.advance(50_000);
    expect(peer.take().at(-1)!.window).toBe(0);
    peer.send({ flags: 'F.', seq: peer.seq + 1000, ack: hostSeq });
    expect(peer.takeOne()).toMatchObject({ flags: '.', ack: peer.seq + 1001 });
    connection.resume();
    expect(log).toEqual(['1000 bytes', 'end']);
  });

  test('takes all of the window it told, whose scale leaves a rest', () => {
    const peer = new ScriptedPeer({ receiveBufferBytes: 100_000, windowScaling: true });
    const { connection, hostSeq } = peer.connectToHost({ windowScale: 0 });
    connection.pause();
    expect(fill(peer, hostSeq, 1000)).toBe(100_001);
  });

  test('does not move its edge on with every small segment that nobody reads', () => {
    const peer = new ScriptedPeer({ receiveBufferBytes: 99_101, windowScaling: true });
    const { connection, hostSeq } = peer.connectToHost({ windowScale: 0 });
    connection.pause();
    for (let i = 0; i < 99; i++)
      peer.send({ flags: '.', seq: peer.seq + i * 1000, ack: hostSeq, data: 'x'.repeat(1000) });
    peer.seq += 99_000;
    expect(fill(peer, hostSeq, 1)).toBeLessThan(104);
  });

  test('believes the acknowledgement of data that it has no room for, and answers at once', () => {
    const peer = new ScriptedPeer({ receiveBufferBytes: 1000 });
    const { connection, hostSeq } = peer.connectToHost();
    connection.pause();
    peer.send({ flags: 'P.', ack: hostSeq, data: 'x'.repeat(1000) });
    connection.write(data(10));
    expect(peer.takeOne()).toMatchObject({ ack: peer.seq + 1000, window: 0 });
    peer.send({ flags: 'P.', seq: peer.seq + 1000, ack: hostSeq + 10, data: 'y' });
    expect(connection.sendQueueBytes).toBe(0);
    expect(peer.takeOne()).toMatchObject({ ack: peer.seq + 1000, window: 0 });
    expect(connection.receiver.queuedBytes).toBe(1000);
  });
});

/** Sends segments of up to that size until the window is closed, at most 200, and answers how many bytes were acknowledged. */
function fill(peer: ScriptedPeer, hostSeq: number, segmentBytes: number): number {
  const first = peer.seq;
  let sent = 0;
  for (let room = 1, segments = 0; room > 0 && segments < 200; segments++) {
    peer.send({ flags: '.', seq: first + sent, ack: hostSeq, data: 'x'.repeat(Math.min(segmentBytes, room)) });
    sent += Math.min(segmentBytes, room);
    peer.net.advance(50_000);
    const { ack, window } = peer.take().at(-1)!;
    expect(ack).toBe(first + sent);
    room = window * 2;
  }
  return sent;
}

describe('the sender', () => {
  test('keeps its FIN, which takes up sequence space, for an open window', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    peer.send({ flags: '.', ack: hostSeq, window: 500 });
    connection.write(data(500));
    connection.end();
    expect(peer.takeOne()).toMatchObject({ flags: 'P.', seq: hostSeq });
    // What is sent again meanwhile does not take it along either.
    peer.net.advance(250_000);
    expect(peer.takeOne()).toMatchObject({ flags: 'P.', seq: hostSeq });
    peer.send({ flags: '.', ack: hostSeq + 500, window: 0 });
    expect(peer.take()).toEqual([]);
    peer.net.advance(1_000_000);
    expect(peer.take()[0]).toMatchObject({ flags: '.', seq: hostSeq + 499, data: '' });
    peer.send({ flags: '.', ack: hostSeq + 500, window: 500 });
    expect(peer.takeOne()).toMatchObject({ flags: 'F.', seq: hostSeq + 500 });
    peer.send({ flags: '.', ack: hostSeq + 501 });
    expect(connection.state).toBe('FIN-WAIT-2');
  });

  test('counts the window from the acknowledgement it came with, which stands in what is sent again too', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    peer.send({ flags: '.', seq: peer.seq + 500, ack: hostSeq, window: 2000 });
    connection.write(data(5000));
    expect(peer.take()).toHaveLength(2);
    peer.send({ flags: 'P.', ack: hostSeq + 1000, window: 1000, data: 'x'.repeat(500) });
    expect(peer.take().filter((segment) => segment.data !== '')).toEqual([]);
    peer.send({ flags: '.', seq: peer.seq + 500, ack: hostSeq + 2000, window: 1000 });
    expect(peer.takeOne()).toMatchObject({ seq: hostSeq + 2000, data: 'a'.repeat(1000) });
  });

  test('does not keep the pauses of its probes for what it sends when the window opens', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    peer.send({ flags: '.', ack: hostSeq, window: 0 });
    connection.write(data(500));
    for (let i = 0; i < 240; i++) {
      peer.net.advance(250_000);
      if (peer.take().length > 0) peer.send({ flags: '.', ack: hostSeq, window: 0 });
    }
    peer.send({ flags: '.', ack: hostSeq, window: 1000 });
    expect(peer.takeOne().data).toHaveLength(500);
    peer.net.advance(1_000_000);
    expect(peer.take()[0]).toMatchObject({ seq: hostSeq, data: 'a'.repeat(500) });
  });

  test('keeps a connection whose peer took its window back, as long as it answers', () => {
    const peer = new ScriptedPeer({ retries: 4 });
    const { connection, hostSeq } = peer.connectToHost();
    connection.write(data(2000));
    expect(peer.take()).toHaveLength(2);
    for (let second = 0; second < 600; second++) {
      peer.net.advance(1_000_000);
      if (peer.take().length > 0) peer.send({ flags: '.', ack: hostSeq, window: 0 });
    }
    expect(connection.state).toBe('ESTABLISHED');
    peer.send({ flags: '.', ack: hostSeq + 2000, window: 5000 });
    connection.write(data(10));
    expect(peer.takeOne().data).toHaveLength(10);
    peer.net.advance(600_000_000);
    expect(connection.state).toBe('CLOSED');
  });

  test.each([
    { what: 'reads nothing', isTakenBack: false },
    { what: 'took its window back', isTakenBack: true },
  ])('does not serve a peer that $what for ever once the program is gone', ({ isTakenBack }) => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    if (!isTakenBack) peer.send({ flags: '.', ack: hostSeq, window: 0 });
    connection.write(data(500));
    connection.close();
    for (let second = 0; second < 1000; second++) {
      peer.net.advance(1_000_000);
      if (peer.take().length > 0 && connection.state !== 'CLOSED') peer.send({ flags: '.', ack: hostSeq, window: 0 });
    }
    expect(peer.host.tcp.list()).toEqual([]);
  });
});
