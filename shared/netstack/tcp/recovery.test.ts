/** What is sent again, and in which order: NextSeg of RFC 6675, and limited transmit (RFC 3042). */
import { describe, expect, test } from 'vitest';
import { ScriptedPeer } from './peer.testkit.ts';

const data = (length: number): Uint8Array => new TextEncoder().encode('x'.repeat(length));

/** A connection with segments of 1000 bytes, of which `bytes` are on the way. */
function flight(bytes: number, sack = true) {
  const peer = new ScriptedPeer({ sack, congestionControl: 'reno' });
  const { connection, hostSeq } = peer.connectToHost({ sackPermitted: sack });
  connection.write(data(bytes));
  peer.take();
  const acknowledge = (upTo: number, ...blocks: [number, number][]): number[] => {
    peer.send({
      flags: '.',
      ack: hostSeq + upTo,
      ...(sack ? { sack: blocks.map(([left, right]): [number, number] => [hostSeq + left, hostSeq + right]) } : {}),
    });
    return peer.take().map(({ seq }) => seq - hostSeq);
  };
  return { peer, connection, acknowledge };
}

describe('limited transmit (RFC 3042)', () => {
  test.each([
    ['with reports', true],
    ['with duplicate acknowledgements only', false],
  ])('each of the first two duplicates lets a new segment go, %s', (_, sack) => {
    const { acknowledge } = flight(12_000, sack);
    expect(acknowledge(0, [1000, 2000])).toEqual([10_000]);
    expect(acknowledge(0, [1000, 3000])).toEqual([11_000]);
    // The third means loss.
    expect(acknowledge(0, [1000, 4000])[0]).toBe(0);
  });
});

describe('NextSeg (RFC 6675 section 4)', () => {
  test('rule 1 before rule 2: what is lost goes before what is new', () => {
    const { acknowledge } = flight(20_000);
    // 10 segments were sent; 0 and 2 are lost.
    acknowledge(0, [1000, 2000]);
    acknowledge(0, [3000, 5000], [1000, 2000]);
    const sent = acknowledge(0, [3000, 10_000], [1000, 2000]);
    expect(sent.slice(0, 3)).toEqual([2000, 11_000, 12_000]);
  });

  test('rule 3: with nothing new to send, a hole that is not known to be lost is filled', () => {
    const { acknowledge } = flight(10_000);
    acknowledge(0, [1000, 2000]);
    acknowledge(0, [1000, 3000]);
    expect(acknowledge(0, [1000, 6000])).toEqual([0]);
    // 6000 is below a report, but only one segment above it is: no proof of loss.
    expect(acknowledge(0, [7000, 8000], [1000, 6000])).toEqual([6000]);
  });

  test('rule 4: once a recovery the end of the flight goes again, for nothing behind it can tell of its loss', () => {
    const { connection, acknowledge } = flight(10_000);
    acknowledge(0, [1000, 2000]);
    acknowledge(0, [1000, 3000]);
    expect(acknowledge(0, [1000, 6000])).toEqual([0]);
    // 9000 is lost as well.
    expect(acknowledge(0, [1000, 9000])).toEqual([9000]);
    expect(acknowledge(9000)).toEqual([]);
    expect(connection.sender.loss.recovery).toBe('fast');
    expect(acknowledge(10_000)).toEqual([]);
    expect(connection.sender.loss.recovery).toBe('open');
    expect(connection.counters.timeouts).toBe(0);
  });
});

describe('a retransmission that is lost too', () => {
  test('goes again once three segments that left after it have arrived', () => {
    const { peer, connection, acknowledge } = flight(60_000);
    acknowledge(0, [1000, 2000]);
    acknowledge(0, [1000, 3000]);
    expect(acknowledge(0, [1000, 4000])[0]).toBe(0);
    peer.net.advance(10_000);
    const sent: number[] = [];
    for (let right = 5000; sent.length < 4; right += 1000) sent.push(...acknowledge(0, [1000, right]));
    const first = sent[0]!;
    expect(first).toBeGreaterThanOrEqual(12_000);
    peer.net.advance(10_000);
    expect(acknowledge(0, [1000, first + 2000])).not.toContain(0);
    expect(acknowledge(0, [1000, first + 3000])).toContain(0);
    // One recovery, one reduction.
    expect(connection.counters.fastRetransmits).toBe(1);
    expect(connection.counters.timeouts).toBe(0);
  });

  test('a new recovery does not send again what the last one sent beyond its end', () => {
    const { connection, acknowledge } = flight(60_000);
    acknowledge(0, [1000, 2000]);
    acknowledge(0, [1000, 3000]);
    acknowledge(0, [1000, 4000]);
    // 12000, which was new then, is lost, and goes again in this recovery.
    acknowledge(0, [1000, 12_000]);
    expect(acknowledge(0, [13_000, 16_000], [1000, 12_000])).toContain(12_000);
    const resent = connection.counters.retransmits;
    acknowledge(12_000, [13_000, 16_000]);
    expect(connection.sender.loss.recovery).toBe('fast');
    expect(connection.counters.retransmits).toBe(resent);
    acknowledge(16_000);
    expect(connection.counters.spuriousRecoveries).toBe(0);
  });
});

test('RFC 5681 section 3.1: what a loss halves is never more than the window', () => {
  const { connection, acknowledge } = flight(60_000);
  acknowledge(0, [1000, 2000]);
  acknowledge(0, [1000, 3000]);
  acknowledge(0, [1000, 4000]);
  const before = connection.sender.congestion.slowStartThresholdBytes;
  acknowledge(0, [1000, 12_000]);
  acknowledge(0, [13_000, 16_000], [1000, 12_000]);
  // A second loss event while much is reported and nothing acknowledged.
  acknowledge(12_000, [13_000, 16_000]);
  expect(connection.sender.congestion.slowStartThresholdBytes).toBeLessThan(before);
});

test('an acknowledgement that reports nothing new is no sign of loss where there are reports (RFC 6675 section 2)', () => {
  const { acknowledge } = flight(10_000);
  // What came twice is reported, and stands below what is acknowledged (RFC 2883).
  for (let i = 0; i < 5; i++) expect(acknowledge(1000, [0, 1000]).includes(1000)).toBe(false);
  for (let i = 0; i < 5; i++) expect(acknowledge(1000, [3000, 4000]).includes(1000)).toBe(false);
});

test('a peer that no longer has what it reported is sent it again after the time-out (RFC 2018 section 8)', () => {
  const { peer, acknowledge } = flight(4000);
  acknowledge(0, [1000, 4000]);
  peer.net.advance(10_000_000);
  peer.take();
  // It acknowledges what was sent again and has nothing of what it reported.
  const again = new Set<number>();
  for (let upTo = 1000; upTo < 4000; upTo += 1000) {
    for (const offset of acknowledge(upTo)) again.add(offset);
    peer.net.advance(30_000_000);
    peer.take();
  }
  expect(acknowledge(4000)).toEqual([]);
  expect(again.has(1000)).toBe(true);
});
