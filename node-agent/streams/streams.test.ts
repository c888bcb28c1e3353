import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChannelStream, StreamDataListener } from '../../shared/bus/stream.ts';
import { type LogsStreamRequest, STREAM_CHANNEL } from '../../shared/bus/subjects.ts';
import { FakeClock } from '../../shared/runtime/clock.ts';
import { silentLogger } from '../../shared/runtime/log.ts';
import { PcapngReader, type ReadItem } from '../../shared/wire/pcapng-reader.ts';
import { TestCluster } from '../../test/flow/cluster.testkit.ts';
import { createRecords } from '../pods/container-record.ts';
import { CommandStartError } from '../pods/container-runtime.ts';
import { PodLogs } from '../pods/pod-logs.ts';
import type { PodManager } from '../pods/pod-manager.ts';
import { serveCapture } from './capture-stream.ts';
import { processStreams } from './channel-io.ts';
import { runCommand } from './exec-stream.ts';
import { serveLogs } from './log-stream.ts';

/** The near end of a stream whose far end is the test. */
class FakeStream implements ChannelStream {
  readonly sent = new Map<number, string>();
  readonly closed: Promise<Error | undefined>;
  ended: number[] = [];
  private dataListener: StreamDataListener = () => undefined;
  private endListener: (channel: number) => void = () => undefined;
  private settle: (error: Error | undefined) => void = () => undefined;

  constructor() {
    this.closed = new Promise((resolve) => {
      this.settle = resolve;
    });
  }

  async send(channel: number, data: Uint8Array): Promise<void> {
    this.sent.set(channel, (this.sent.get(channel) ?? '') + Buffer.from(data).toString());
  }

  end(channel: number): void {
    this.ended.push(channel);
  }

  onData(listener: StreamDataListener): void {
    this.dataListener = listener;
  }

  onEnd(listener: (channel: number) => void): void {
    this.endListener = listener;
  }

  close(error?: Error): void {
    this.settle(error);
  }

  receive(channel: number, text: string): void | Promise<void> {
    return this.dataListener(channel, Buffer.from(text));
  }

  receiveEnd(channel: number): void {
    this.endListener(channel);
  }
}

const PLAIN = { stdin: true, stdout: true, stderr: true, tty: false };

describe('a command on a stream', () => {
  test('gets input until its end, and its output goes to its channels', async () => {
    const stream = new FakeStream();
    const running = runCommand(stream, PLAIN, async ({ stdin, stdout, stderr }) => {
      let input = '';
      for await (const chunk of stdin ?? []) input += chunk;
      stdout.write(input.toUpperCase());
      stderr.write('done');
      return 3;
    });
    stream.receive(0, 'hel');
    stream.receive(0, 'lo');
    stream.receiveEnd(0);
    await running;
    expect([stream.sent.get(1), stream.sent.get(2)]).toEqual(['HELLO', 'done']);
    expect(JSON.parse(stream.sent.get(3) ?? '')).toMatchObject({
      status: 'Failure',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '3' }] },
    });
    expect(await stream.closed).toBeUndefined();
  });

  test('success has its status too', async () => {
    const stream = new FakeStream();
    await runCommand(stream, PLAIN, async () => 0);
    expect(JSON.parse(stream.sent.get(3) ?? '')).toMatchObject({ status: 'Success' });
  });

  test('a program that does not exist is told in the words of a runtime', async () => {
    const stream = new FakeStream();
    await runCommand(stream, PLAIN, () => Promise.reject(new CommandStartError('exec: "x": not found')));
    expect(JSON.parse(stream.sent.get(3) ?? '')).toMatchObject({
      reason: 'InternalError',
      message: expect.stringContaining('exec: "x": not found'),
    });
  });

  test('a client that goes away aborts it', async () => {
    const stream = new FakeStream();
    const running = runCommand(stream, PLAIN, async (_streams, signal) => {
      await once(signal, 'abort');
      return 0;
    });
    stream.close();
    await running;
    expect(stream.sent.has(3)).toBe(false);
  });

  test('a terminal hears of its size; what is no size is passed over', () => {
    const stream = new FakeStream();
    const { terminal, stderr, stdout } = processStreams(stream, { ...PLAIN, tty: true });
    const sizes: unknown[] = [];
    terminal?.onResize((size) => sizes.push(size));
    for (const text of ['{"Width":120,"Height":40}', '{', '{"Width":-1,"Height":2}', '[]']) stream.receive(4, text);
    expect(sizes).toEqual([{ columns: 120, rows: 40 }]);
    expect(terminal?.size).toEqual({ columns: 120, rows: 40 });
    expect(stderr).toBe(stdout);
  });

  test('a program that reads slowly holds the client back', async () => {
    const stream = new FakeStream();
    const { stdin } = processStreams(stream, PLAIN);
    const big = 'x'.repeat(100_000);
    const consumed = Promise.resolve(stream.receive(0, big)).then(() => 'consumed');
    const first = await Promise.race([consumed, new Promise((resolve) => setImmediate(() => resolve('waiting')))]);
    expect(first).toBe('waiting');
    stdin?.resume();
    expect(await consumed).toBe('consumed');
  });
});

describe('logs on a stream', () => {
  const pod: Pod = {
    metadata: { name: 'web', namespace: 'default', uid: 'u' },
    spec: { containers: [{ name: 'c' }] },
  };
  let folder: string;
  let clock: FakeClock;
  let logs: PodLogs;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'podwire-streams-'));
    clock = new FakeClock(Date.UTC(2026, 0, 31, 8));
    logs = new PodLogs(folder, () => clock.nowMs(), silentLogger());
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function serve(starts: number, wanted: Partial<LogsStreamRequest>): FakeStream {
    const records = createRecords(pod);
    records[0]!.starts = starts;
    // Only `find` is asked.
    const pods = { find: () => ({ pod, records, container: () => undefined }) } as unknown as PodManager;
    const stream = new FakeStream();
    const request = {
      kind: 'logs',
      namespace: 'default',
      pod: 'web',
      follow: false,
      previous: false,
      timestamps: false,
    } as const;
    serveLogs({ pods, logs, clock }, { ...request, ...wanted }, stream);
    return stream;
  }

  test('what stands there: all, the last, limited, with times', async () => {
    logs.begin(pod, 'c', 0).append('stdout', Buffer.from('one\ntwo\nthree\n'));
    const read = async (wanted: Partial<LogsStreamRequest>): Promise<string | undefined> => {
      const stream = serve(1, wanted);
      await stream.closed;
      return stream.sent.get(1);
    };
    expect(await read({})).toBe('one\ntwo\nthree\n');
    expect(await read({ tailLines: 1 })).toBe('three\n');
    expect(await read({ limitBytes: 6 })).toBe('one\ntw');
    expect(await read({ timestamps: true, tailLines: 1 })).toBe('2026-01-31T08:00:00.000000000Z three\n');
    expect(await read({ sinceTime: '2026-01-31T09:00:00Z' })).toBeUndefined();
  });

  test('what follows, until the container ends', async () => {
    const log = logs.begin(pod, 'c', 0);
    log.append('stdout', Buffer.from('before\n'));
    const stream = serve(1, { follow: true });
    log.append('stderr', Buffer.from('after\n'));
    log.close();
    expect(await stream.closed).toBeUndefined();
    expect(stream.sent.get(1)).toBe('before\nafter\n');
  });

  test('of the instance before, or that there is none', async () => {
    logs.begin(pod, 'c', 0).append('stdout', Buffer.from('old\n'));
    logs.begin(pod, 'c', 1).append('stdout', Buffer.from('new\n'));
    const stream = serve(2, { previous: true });
    await stream.closed;
    expect(stream.sent.get(1)).toBe('old\n');
    expect(() => serve(1, { previous: true })).toThrow('previous terminated container "c" in pod "web" not found');
    expect(() => serve(0, {})).toThrow('container "c" in pod "web" is waiting to start: ContainerCreating');
    expect(() => serve(1, { container: 'x' })).toThrow('container x is not valid for pod web');
  });
});

/** What a client of a capture reads. */
class CaptureReader extends FakeStream {
  readonly items: ReadItem[] = [];
  readonly counted = Promise.withResolvers<void>();
  private readonly reader = new PcapngReader();

  override async send(channel: number, data: Uint8Array): Promise<void> {
    if (channel !== STREAM_CHANNEL.stdout) return;
    this.items.push(...this.reader.push(data));
    if (this.items.at(-1)?.kind === 'statistics') this.counted.resolve();
  }
}

describe('a capture', () => {
  test('says how far it is when it is asked, behind what it has seen until then', async () => {
    const cluster = new TestCluster();
    const client = cluster.pod('10.244.1.5');
    cluster.udpServer(cluster.pod('10.244.2.7').host, 8080);
    const source = {
      datapath: cluster.node(1),
      clock: new FakeClock(),
      wallClockNs: () => (monotonicUs: number) => BigInt(Math.round(monotonicUs)) * 1000n,
    };
    const stream = new CaptureReader();
    const wanted = {
      kind: 'capture',
      node: true,
      pods: [],
      filter: 'udp port 8080',
      drops: false,
      dropsOf: [],
    } as const;
    serveCapture(source, wanted, stream);
    cluster.ask(client.host, '10.244.2.7', 8080);
    await stream.receive(STREAM_CHANNEL.stdin, '?');
    await stream.counted.promise;
    const packets = stream.items.filter(({ kind }) => kind === 'packet');
    expect(packets.length).toBeGreaterThan(0);
    const last = stream.items.at(-1);
    expect(last).toMatchObject({ kind: 'statistics', accepted: packets.length, dropped: 0 });
    const times = stream.items.flatMap((item) => ('timestampNs' in item ? item.timestampNs : []));
    expect(times).toEqual(times.toSorted((a, b) => Number(a - b)));
    stream.receiveEnd(STREAM_CHANNEL.stdin);
    stream.close();
  });
});
