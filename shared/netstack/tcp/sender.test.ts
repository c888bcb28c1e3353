/** The sending half: RFC 9293 section 3.8, RFC 5681, RFC 6298, RFC 6675, RFC 896. */
import { describe, expect, test } from 'vitest';
import { ScriptedPeer } from './peer.testkit.ts';

const data = (length: number): Uint8Array => new Uint8Array(length).fill(0x61);

describe('segments', () => {
  test('are no longer than the MSS the peer offered', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost({ mss: 700 });
    connection.write(data(1500));
    connection.setNoDelay(true);
    expect(peer.take().map(({ seq, data: sent }) => [seq - hostSeq, sent.length])).toEqual([
      [0, 700],
      [700, 700],
      [1400, 100],
    ]);
  });

  test('without an MSS option are 536 bytes (RFC 9293 section 3.7.1)', () => {
    const peer = new ScriptedPeer();
    peer.host.tcp.listen({ port: 80 }).onConnection = (connection) => connection.write(data(600));
    peer.send({ flags: 'S' });
    const { seq } = peer.takeOne();
    peer.send({ flags: '.', seq: 1001, ack: seq + 1 });
    expect(peer.take()[0]!.data).toHaveLength(536);
  });

  test('are not longer than a very small MSS, down to what the longest options leave room in', () => {
    const peer = new ScriptedPeer();
    const { connection } = peer.connectToHost({ mss: 60 });
    connection.write(data(600));
    expect(peer.take().map(({ data: sent }) => sent.length)).toEqual(Array(10).fill(60));
    const tiny = new ScriptedPeer({ timestamps: true });
    const opened = tiny.connectToHost({ mss: 1, timestamp: [1, 0] });
    opened.connection.write(data(600));
    expect(tiny.take()[0]!.data).toHaveLength(48 - 12);
  });

  test('announce the MSS of the device', () => {
    const peer = new ScriptedPeer();
    expect(peer.connectFromHost().syn.mss).toBe(1460);
  });
});

describe("Nagle's algorithm (RFC 896)", () => {
  test('a small segment waits while another small one is not acknowledged', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    connection.write(data(10));
    connection.write(data(10));
    connection.write(data(10));
    expect(peer.takeOne().data).toHaveLength(10);
    peer.send({ flags: '.', ack: hostSeq + 10 });
    expect(peer.takeOne().data).toHaveLength(20);
  });

  test('TCP_NODELAY sends each at once', () => {
    const peer = new ScriptedPeer();
    const { connection } = peer.connectToHost();
    connection.setNoDelay(true);
    connection.write(data(10));
    connection.write(data(10));
    expect(peer.take()).toHaveLength(2);
  });
});

describe('the retransmission timer (RFC 6298 section 5)', () => {
  test('sends the first segment again, doubling each time, and gives up after the retries', () => {
    const peer = new ScriptedPeer({ retries: 3, minRtoUs: 200_000 });
    const { connection, hostSeq } = peer.connectToHost();
    let closed: string | null = null;
    connection.onClose = (error) => {
      closed = error;
    };
    connection.write(data(100));
    peer.take();
    for (const ms of [200, 400, 800]) {
      peer.net.advance(ms * 1000);
      expect(peer.takeOne()).toMatchObject({ seq: hostSeq });
    }
    peer.net.advance(1_600_000);
    expect(closed).toBe('ETIMEDOUT');
  });

  test('an acknowledgement of new data starts it anew', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    connection.write(data(2000));
    peer.take();
    peer.net.advance(150_000);
    peer.send({ flags: '.', ack: hostSeq + 1000 });
    peer.net.advance(150_000);
    expect(peer.take()).toEqual([]);
    // The round trip just measured was 150 ms, so the timer is longer than its least value now.
    peer.net.advance(500_000);
    expect(peer.take()[0]).toMatchObject({ seq: hostSeq + 1000 });
  });

  test('after it, the window is one segment (RFC 5681 section 3.1)', () => {
    const peer = new ScriptedPeer();
    const { connection } = peer.connectToHost();
    connection.write(data(20_000));
    expect(peer.take()).toHaveLength(10);
    peer.net.advance(250_000);
    expect(peer.takeOne().data).toHaveLength(1000);
    expect(connection.sender.congestion.windowBytes).toBe(1000);
  });
});

describe('fast retransmit', () => {
  test('RFC 5681 section 3.2: three duplicate acknowledgements send the segment again', () => {
    const peer = new ScriptedPeer({ sack: false, congestionControl: 'reno' });
    const { connection, hostSeq } = peer.connectToHost();
    connection.write(data(10_000));
    peer.take();
    for (let i = 0; i < 2; i++) peer.send({ flags: '.', ack: hostSeq });
    expect(peer.take()).toEqual([]);
    peer.send({ flags: '.', ack: hostSeq });
    expect(peer.take()[0]).toMatchObject({ seq: hostSeq });
    expect(connection.sender.congestion.slowStartThresholdBytes).toBe(5000);
  });

  test('RFC 6675 section 4: only what the peer did not report is sent again', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost({ sackPermitted: true });
    connection.write(data(10_000));
    peer.take();
    const report = (...blocks: [number, number][]): void =>
      peer.send({
        flags: '.',
        ack: hostSeq,
        sack: blocks.map(([left, right]): [number, number] => [hostSeq + left, hostSeq + right]),
      });
    report([1000, 2000]);
    report([3000, 4000], [1000, 2000]);
    expect(peer.take()).toEqual([]);
    report([3000, 5000], [1000, 2000]);
    expect(peer.take().map(({ seq }) => seq - hostSeq)).toEqual([0]);
    report([3000, 9000], [1000, 2000]);
    expect(peer.take().map(({ seq }) => seq - hostSeq)[0]).toBe(2000);
  });

  test('RFC 6582 section 3.2: a partial acknowledgement sends the next hole', () => {
    const peer = new ScriptedPeer({ sack: false });
    const { connection, hostSeq } = peer.connectToHost();
    connection.write(data(10_000));
    peer.take();
    for (let i = 0; i < 3; i++) peer.send({ flags: '.', ack: hostSeq });
    peer.take();
    peer.send({ flags: '.', ack: hostSeq + 4000 });
    expect(peer.take()[0]).toMatchObject({ seq: hostSeq + 4000 });
    peer.send({ flags: '.', ack: hostSeq + 10_000 });
    expect(connection.sender.loss.recovery).toBe('open');
  });
});

describe('the congestion window (RFC 5681, RFC 6928)', () => {
  test('begins with ten segments and doubles each round trip', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    connection.write(data(60_000));
    expect(peer.take()).toHaveLength(10);
    for (let i = 1; i <= 5; i++) peer.send({ flags: '.', ack: hostSeq + 2000 * i });
    expect(peer.take()).toHaveLength(20);
  });

  test('falls back to its beginning after idle time (RFC 5681 section 4.1)', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    connection.write(data(20_000));
    for (let i = 1; i <= 10; i++) peer.send({ flags: '.', ack: hostSeq + 2000 * i });
    peer.take();
    expect(connection.sender.congestion.windowBytes).toBeGreaterThan(20_000);
    peer.net.advance(10_000_000);
    connection.write(data(60_000));
    expect(peer.take()).toHaveLength(10);
  });
});

describe('the window of the peer (RFC 9293 section 3.8.6)', () => {
  test('bounds what is sent', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    peer.send({ flags: '.', ack: hostSeq, window: 2000 });
    connection.write(data(5000));
    expect(peer.take().map((segment) => segment.data.length)).toEqual([1000, 1000]);
  });

  test('closed, it is probed with growing pauses; open again, it is used at once', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    peer.send({ flags: '.', ack: hostSeq, window: 0 });
    connection.write(data(500));
    expect(peer.take()).toEqual([]);
    peer.net.advance(250_000);
    expect(peer.takeOne()).toMatchObject({ flags: '.', seq: (hostSeq - 1) >>> 0, data: '' });
    peer.send({ flags: '.', ack: hostSeq, window: 0 });
    peer.net.advance(250_000);
    expect(peer.take()).toEqual([]);
    peer.net.advance(250_000);
    expect(peer.take()).toHaveLength(1);
    peer.send({ flags: '.', ack: hostSeq, window: 1000 });
    expect(peer.takeOne().data).toHaveLength(500);
  });

  test('answered probes do not end the connection, unanswered ones do', () => {
    const peer = new ScriptedPeer({ retries: 4 });
    const { connection, hostSeq } = peer.connectToHost();
    peer.send({ flags: '.', ack: hostSeq, window: 0 });
    connection.write(data(500));
    for (let answered = 0; answered < 8; ) {
      peer.net.advance(250_000);
      if (peer.take().length === 0) continue;
      answered++;
      peer.send({ flags: '.', ack: hostSeq, window: 0 });
    }
    expect(connection.state).toBe('ESTABLISHED');
    peer.net.advance(600_000_000);
    expect(connection.state).toBe('CLOSED');
  });

  test('silly windows are not used until they are half of the largest seen', () => {
    const peer = new ScriptedPeer();
    const { connection, hostSeq } = peer.connectToHost();
    peer.send({ flags: '.', ack: hostSeq, window: 10 });
    connection.write(data(5000));
    expect(peer.take()).toEqual([]);
    peer.net.advance(300_000);
    expect(peer.takeOne().data).toHaveLength(10);
  });
});

describe('write', () => {
  test('takes what there is room for and tells of new room', () => {
    const peer = new ScriptedPeer({ sendBufferBytes: 3000 });
    const { connection, hostSeq } = peer.connectToHost();
    let writable = 0;
    connection.onWritable = () => writable++;
    expect(connection.write(data(5000))).toBe(3000);
    expect(connection.write(data(10))).toBe(0);
    peer.send({ flags: '.', ack: hostSeq + 3000 });
    expect(writable).toBe(1);
    expect(connection.write(data(5000))).toBe(3000);
  });

  test('tells of less room where all is sent than where something waits', () => {
    const peer = new ScriptedPeer({ sendBufferBytes: 16_000 });
    const { connection, hostSeq } = peer.connectToHost();
    let writable = 0;
    connection.onWritable = () => writable++;
    connection.write(data(20_000));
    peer.send({ flags: '.', ack: hostSeq + 900 }); // its first window lets only a part go
    expect(connection.sender.unsentBytes).toBeGreaterThan(0);
    expect(writable).toBe(0);
    peer.send({ flags: '.', ack: hostSeq + 2000 });
    peer.send({ flags: '.', ack: hostSeq + 4000 });
    expect(connection.sender.unsentBytes).toBe(0);
    expect(writable).toBe(1);
  });

  test('takes nothing after end', () => {
    const peer = new ScriptedPeer();
    const { connection } = peer.connectToHost();
    connection.end();
    expect(connection.writable).toBe(false);
    expect(connection.write(data(10))).toBe(0);
  });
});

describe('keepalive (RFC 1122 section 4.2.3.6)', () => {
  const times = { idleUs: 5_000_000, intervalUs: 1_000_000, probes: 2 };
  test.each([
    [
      'the host',
      { keepAliveIdleUs: times.idleUs, keepAliveIntervalUs: times.intervalUs, keepAliveProbes: 2 },
      undefined,
    ],
    ['the socket', {}, times],
  ])('probes a silent peer and gives up, by the times of %s', (_name, settings, own) => {
    const peer = new ScriptedPeer(settings);
    const { connection, hostSeq } = peer.connectToHost();
    let closed: string | null = null;
    connection.onClose = (error) => {
      closed = error;
    };
    connection.setKeepAlive(true, own);
    peer.net.advance(4_900_000);
    expect(peer.take()).toEqual([]);
    peer.net.advance(100_000);
    expect(peer.takeOne()).toMatchObject({ flags: '.', seq: (hostSeq - 1) >>> 0 });
    peer.send({ flags: '.', ack: hostSeq });
    peer.net.advance(4_000_000);
    expect(peer.take()).toEqual([]);
    peer.net.advance(10_000_000);
    expect(closed).toBe('ETIMEDOUT');
  });
});

describe('a recovery for nothing (RFC 3522, RFC 4015)', () => {
  test('is seen by the echoed timestamp, and the window is given back', () => {
    const peer = new ScriptedPeer({ timestamps: true });
    let stamp = 100;
    const { connection, hostSeq } = peer.connectToHost({ sackPermitted: true, timestamp: [stamp, 0] });
    const { congestion } = connection.sender;
    const acknowledge = (ack: number, echo: number, sack?: [number, number]): void => {
      const block = sack === undefined ? {} : { sack: [[hostSeq + sack[0], hostSeq + sack[1]] as [number, number]] };
      peer.send({ flags: '.', ack: hostSeq + ack, timestamp: [++stamp, echo], ...block });
    };
    const firstSent = connection.timestampNow();
    connection.write(data(9880));
    peer.take();
    const before = congestion.windowBytes;
    peer.net.advance(20_000);
    acknowledge(0, firstSent, [988, 9880]);
    expect(peer.take()[0]).toMatchObject({ seq: hostSeq });
    expect(congestion.windowBytes).toBeLessThan(before);
    acknowledge(9880, firstSent);
    expect(congestion.windowBytes).toBeGreaterThanOrEqual(before);
    expect(connection.counters).toMatchObject({ fastRetransmits: 1, spuriousRecoveries: 1 });
  });
});

test("Karn's rule (RFC 6298 section 3): what was sent twice is not measured", () => {
  const peer = new ScriptedPeer({ timestamps: false });
  const { connection, hostSeq } = peer.connectToHost();
  const before = connection.rttUs;
  connection.write(data(10));
  peer.net.advance(1_000_000);
  expect(connection.counters.timeouts).toBeGreaterThan(0);
  peer.send({ flags: '.', ack: hostSeq + 10 });
  expect(connection.sendQueueBytes).toBe(0);
  expect(connection.rttUs).toBe(before);
});
