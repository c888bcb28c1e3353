/** Urgent data (RFC 9293 section 3.8.5, RFC 6093), as Linux has it for whoever did not set SO_OOBINLINE. */
import { expect, test } from 'vitest';
import { ScriptedPeer, type SegmentSpec } from './peer.testkit.ts';

function received(segments: (hostSeq: number, seq: number) => readonly SegmentSpec[]): string {
  const peer = new ScriptedPeer();
  const { connection, hostSeq } = peer.connectToHost();
  let text = '';
  connection.onData = (data) => {
    text += new TextDecoder().decode(data);
  };
  for (const segment of segments(hostSeq, peer.seq)) peer.send(segment);
  return text;
}

test.each([
  ['the byte before the pointer is no part of the stream', 'abc!def', 4, 'abcdef'],
  ['the first byte', '!abc', 1, 'abc'],
  ['the last byte', 'abc!', 4, 'abc'],
  ['alone', '!', 1, ''],
  ['a pointer of 0 is taken for 1', '!abc', 0, 'abc'],
])('%s', (_name, data, urgent, expected) => {
  expect(received((ack) => [{ flags: 'P.U', ack, data, urgent }])).toBe(expected);
});

test('a pointer without URG means nothing', () => {
  expect(received((ack) => [{ flags: 'P.', ack, data: 'abcd', urgent: 2 }])).toBe('abcd');
});

test('a pointer beyond the segment is waited for, and the byte comes without URG', () => {
  expect(
    received((ack, seq) => [
      { flags: '.U', ack, data: 'abc', urgent: 5 },
      { flags: 'P.', ack, seq: seq + 3, data: 'd!ef' },
    ]),
  ).toBe('abcdef');
});

test('the last pointer counts', () => {
  expect(
    received((ack, seq) => [
      { flags: 'P.U', ack, data: 'a!', urgent: 2 },
      { flags: 'P.U', ack, seq: seq + 2, data: 'b?c', urgent: 2 },
      { flags: 'P.', ack, seq: seq + 5, data: 'd' },
    ]),
  ).toBe('abcd');
});

test('out of order, it is taken out all the same', () => {
  expect(
    received((ack, seq) => [
      { flags: 'P.U', ack, seq: seq + 3, data: 'd!f', urgent: 2 },
      { flags: '.', ack, data: 'abc' },
    ]),
  ).toBe('abcdf');
});

test('a pointer to what was received already means nothing', () => {
  expect(
    received((ack, seq) => [
      { flags: 'P.', ack, data: 'abc' },
      { flags: 'P.U', ack, seq: seq + 1, data: 'bcd', urgent: 1 },
    ]),
  ).toBe('abcd');
});

test('it takes up sequence space: the acknowledgement covers it', () => {
  const peer = new ScriptedPeer();
  const { hostSeq } = peer.connectToHost();
  peer.send({ flags: 'P.U', ack: hostSeq, data: 'ab!', urgent: 3 });
  peer.net.advance(50_000);
  expect(peer.takeOne().ack).toBe(peer.seq + 3);
});
