/** A test at work, the same on both ends: the streams, the table of intervals, the results that are exchanged. */
import type { PodTcpSocket } from '../../../../shared/podnet/pod-network.ts';
import { pause } from '../../program-io.ts';
import { DataStream, streamNumber } from './data-stream.ts';
import type { TestParameters } from './parameters.ts';
import { type ReportRow, reportHeader, reportRow, type StreamTotal } from './report.ts';

const FIRST_ID = 5;

/** Bytes and retransmissions of the other end's streams, in their order. */
export type PeerResults = readonly { readonly bytes: number; readonly retransmits: number | undefined }[];

export class RunningTest {
  readonly parameters: TestParameters;
  readonly sends: boolean;
  readonly streams: DataStream[] = [];
  private readonly over = new AbortController();
  private startMs = 0;
  private endMs = 0;
  private work: Promise<unknown> = Promise.resolve();

  constructor(parameters: TestParameters, sends: boolean) {
    this.parameters = parameters;
    this.sends = sends;
  }

  /** The line that tells of the stream. */
  add(socket: PodTcpSocket): string {
    const id = FIRST_ID + 2 * this.streams.length;
    this.streams.push(new DataStream(id, socket));
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    return `[${String(id).padStart(3)}] local ${localAddress} port ${localPort} connected to ${remoteAddress} port ${remotePort}`;
  }

  get seconds(): number {
    return ((this.endMs || performance.now()) - this.startMs) / 1000;
  }

  /** Resolves when a sender has sent all that it was to, or when the test is stopped. */
  start(): Promise<unknown> {
    this.startMs = performance.now();
    this.work = Promise.all(this.streams.map((stream) => (this.sends ? stream.send(this.parameters) : stream.take())));
    return this.work;
  }

  async stop(): Promise<void> {
    if (this.endMs === 0) this.endMs = performance.now();
    this.over.abort();
    for (const stream of this.streams) stream.stop();
    await this.work;
  }

  /** The other end is told that no more comes; what was sent before still arrives. */
  endStreams(): void {
    for (const { socket } of this.streams) socket.end();
  }

  close(): void {
    for (const { socket } of this.streams) socket.destroy();
  }

  /** Every so many seconds a row for each stream, and for what is left of the last interval. */
  async reportIntervals(intervalSeconds: number, print: (line: string) => Promise<void>): Promise<void> {
    await print(reportHeader());
    let before = this.streams.map(() => 0);
    for (let from = 0; ; ) {
      const due = this.startMs + (from + intervalSeconds) * 1000 - performance.now();
      await pause(intervalSeconds > 0 ? Math.max(0, due) : 2 ** 31 - 1, this.over.signal);
      const ended = this.over.signal.aborted;
      const to = ended ? this.seconds : from + intervalSeconds;
      // A sliver at the end has no row of its own.
      if (!ended || to - from > 0.1 * intervalSeconds) {
        for (const line of this.intervalRows(from, to, before)) await print(line);
      }
      if (ended) return;
      before = this.streams.map(({ bytes }) => bytes);
      from = to;
    }
  }

  /** As the ends exchange them; TCP's own counters are not known here. */
  results(): object {
    return {
      cpu_util_total: 0,
      cpu_util_user: 0,
      cpu_util_system: 0,
      sender_has_retransmits: this.sends ? 0 : -1,
      congestion_used: 'cubic',
      streams: this.streams.map(({ bytes }, index) => ({
        id: streamNumber(index),
        bytes,
        retransmits: -1,
        jitter: 0,
        errors: 0,
        packets: 0,
        start_time: 0,
        end_time: this.seconds,
      })),
    };
  }

  totals(peer: PeerResults): StreamTotal[] {
    return this.streams.map(({ id, bytes }, index) => {
      const other = peer[index];
      return this.sends
        ? { id, sentBytes: bytes, receivedBytes: other?.bytes }
        : { id, sentBytes: other?.bytes, receivedBytes: bytes, retransmits: other?.retransmits };
    });
  }

  private intervalRows(fromSeconds: number, toSeconds: number, before: readonly number[]): string[] {
    const rows: ReportRow[] = this.streams.map(({ id, bytes }, index) => ({
      id,
      fromSeconds,
      toSeconds,
      bytes: bytes - (before[index] ?? 0),
    }));
    if (rows.length > 1) {
      rows.push({ id: 'SUM', fromSeconds, toSeconds, bytes: rows.reduce((sum, row) => sum + row.bytes, 0) });
    }
    return rows.map(reportRow);
  }
}

/** Throws for results that are none. */
export function decodeResults(value: Record<string, unknown>): PeerResults {
  const knowsRetransmits = value.sender_has_retransmits === 1;
  const streams = Array.isArray(value.streams) ? value.streams : [];
  return streams.map((stream: unknown) => {
    const found = typeof stream === 'object' && stream !== null ? stream : {};
    const bytes = 'bytes' in found && typeof found.bytes === 'number' ? found.bytes : 0;
    const retransmits = 'retransmits' in found && typeof found.retransmits === 'number' ? found.retransmits : -1;
    return { bytes, retransmits: knowsRetransmits && retransmits >= 0 ? retransmits : undefined };
  });
}
