/** The receiving half: RFC 1122 section 4.2.3.2, RFC 2018, RFC 9293 section 3.8.6. */
import { describe, expect, test } from 'vitest';
import { ScriptedPeer } from './peer.testkit.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('delayed acknowledgements (RFC 1122 section 4.2.3.2)', () => {
  test('one segment is acknowledged after the delay, two full ones at once', () => {
    const peer = new ScriptedPeer();
    const { hostSeq } = peer.connectToHost();
    peer.send({ flags: '.', ack: hostSeq, data: 'x'.repeat(1000) });
    expect(peer.take()).toEqual([]);
    peer.net.advance(40_000);
    expect(peer.takeOne()).toMatchObject({ ack: peer.seq + 1000 });
    peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 1000, data: 'x'.repeat(1000) });
    peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 2000, data: 'x'.repeat(1000) });
    expect(peer.takeOne()).toMatchObject({ ack: peer.seq + 3000 });
  });

  test('an answer carries the acknowledgement', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    connection.onData = () => connection.write(new TextEncoder().encode('pong'));
    peer.send({ flags: 'P.', ack: hostSeq, data: 'ping' });
    expect(peer.takeOne()).toMatchObject({ data: 'pong', ack: peer.seq + 4 });
    peer.send({ flags: '.', ack: hostSeq + 4, seq: peer.seq + 4 });
    peer.net.advance(100_000);
    expect(peer.take()).toEqual([]);
  });
});

describe('data out of order (RFC 2018, RFC 5681 section 4.2)', () => {
  test('is acknowledged at once, with the block that came last first', () => {
    const peer = new ScriptedPeer();
    const { hostSeq } = peer.connectToHost({ sackPermitted: true });
    peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 10, data: 'aaaaa' });
    expect(peer.takeOne()).toMatchObject({ ack: peer.seq, sack: [[peer.seq + 10, peer.seq + 15]] });
    peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 30, data: 'bbbbb' });
    expect(peer.takeOne().sack).toEqual([
      [peer.seq + 30, peer.seq + 35],
      [peer.seq + 10, peer.seq + 15],
    ]);
    peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 15, data: 'ccccc' });
    expect(peer.takeOne().sack).toEqual([
      [peer.seq + 10, peer.seq + 20],
      [peer.seq + 30, peer.seq + 35],
    ]);
  });

  test('is handed over in order when the hole is filled', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    let got = '';
    connection.onData = (bytes) => {
      got += text(bytes);
    };
    peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 6, data: 'world' });
    peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 3, data: 'lo worl' });
    expect(got).toBe('');
    peer.send({ flags: '.', ack: hostSeq, data: 'hell' });
    expect(got).toBe('hello world');
    expect(peer.take().at(-1)).toMatchObject({ ack: peer.seq + 11, sack: [] });
  });
});

describe('the window', () => {
  test('closes while the program is paused, never moves back, and opens again with an update', () => {
    const peer = new ScriptedPeer({ receiveBufferBytes: 4000 });
    const { connection, hostSeq } = peer.connectToHost();
    let got = 0;
    connection.onData = (bytes) => {
      got += bytes.length;
    };
    connection.pause();
    for (let i = 0; i < 4; i++) {
      peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 1000 * i, data: 'x'.repeat(1000) });
    }
    const acknowledgements = peer.take();
    expect(acknowledgements.map(({ ack, window }) => ack + window - peer.seq)).toEqual([4000, 4000]);
    expect(acknowledgements.at(-1)!.window).toBe(0);
    expect(got).toBe(0);
    connection.resume();
    expect(got).toBe(4000);
    expect(peer.takeOne()).toMatchObject({ ack: peer.seq + 4000, window: 4000 });
  });

  test('a probe of the closed window is answered', () => {
    const peer = new ScriptedPeer({ receiveBufferBytes: 1000 });
    const { connection, hostSeq } = peer.connectToHost();
    connection.pause();
    peer.send({ flags: '.', ack: hostSeq, data: 'x'.repeat(1000) });
    peer.net.advance(50_000);
    peer.take();
    peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 1000, data: 'p' });
    expect(peer.takeOne()).toMatchObject({ ack: peer.seq + 1000, window: 0 });
  });

  test('the end is told after the data a paused program has not read', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    const log: string[] = [];
    connection.onData = (bytes) => log.push(text(bytes));
    connection.onEnd = () => log.push('end');
    connection.pause();
    peer.send({ flags: 'F.', ack: hostSeq, data: 'hello' });
    expect(log).toEqual([]);
    connection.resume();
    expect(log).toEqual(['hello', 'end']);
  });
});

test('a window that opened by less than a segment is not told (RFC 9293 section 3.8.6.2.2)', () => {
  const peer = new ScriptedPeer({ receiveBufferBytes: 4000 });
  const { connection, hostSeq } = peer.connectToHost();
  connection.pause();
  connection.onData = () => connection.pause();
  for (let i = 0; i < 8; i++) {
    peer.send({ flags: '.', seq: peer.seq + i * 500, ack: hostSeq, data: 'x'.repeat(500) });
  }
  peer.net.advance(100_000);
  expect(peer.take().at(-1)).toMatchObject({ window: 0 });
  connection.resume();
  expect(peer.take()).toEqual([]);
  connection.resume();
  expect(peer.takeOne()).toMatchObject({ window: 1000 });
});

test('data in order is lent to the program, data that had to wait is its own', () => {
  const peer = new ScriptedPeer();
  const { connection, hostSeq } = peer.connectToHost();
  const got: [string, boolean, boolean][] = [];
  const packetMemory = connection.host.memory.bytes.buffer;
  connection.onData = (bytes, isLent) => got.push([text(bytes), isLent, bytes.buffer === packetMemory]);
  peer.send({ flags: '.', ack: hostSeq, data: 'one' });
  peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 6, data: 'late' });
  peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 3, data: 'two' });
  connection.pause();
  peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 10, data: 'wait' });
  connection.resume();
  expect(got).toEqual([
    ['one', true, true],
    ['two', true, true],
    ['late', false, false],
    ['wait', false, false],
  ]);
});

describe('what came twice is reported (RFC 2883 section 4)', () => {
  test('below what is acknowledged: with a block of its own, once', () => {
    const peer = new ScriptedPeer();
    const { hostSeq } = peer.connectToHost({ sackPermitted: true });
    peer.send({ flags: '.', ack: hostSeq, data: 'hello' });
    peer.net.advance(50_000);
    peer.take();
    peer.send({ flags: '.', ack: hostSeq, data: 'hello' });
    expect(peer.takeOne()).toMatchObject({ ack: peer.seq + 5, sack: [[peer.seq, peer.seq + 5]] });
    peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 5, data: 'world' });
    peer.net.advance(50_000);
    expect(peer.takeOne()).toMatchObject({ ack: peer.seq + 10, sack: [] });
  });

  test('beyond it: before the block that holds it', () => {
    const peer = new ScriptedPeer();
    const { hostSeq } = peer.connectToHost({ sackPermitted: true });
    peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 5, data: 'world' });
    peer.take();
    peer.send({ flags: '.', ack: hostSeq, seq: peer.seq + 5, data: 'wo' });
    expect(peer.takeOne().sack).toEqual([
      [peer.seq + 5, peer.seq + 7],
      [peer.seq + 5, peer.seq + 10],
    ]);
  });
});
