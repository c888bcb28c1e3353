/** `kubectl logs`, the node's end: what stands in the log, then, when asked to follow, what comes. */
import { badRequest } from '../../shared/api/status.ts';
import type { ChannelStream } from '../../shared/bus/stream.ts';
import { type LogsStreamRequest, STREAM_CHANNEL } from '../../shared/bus/subjects.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { LogReadOptions } from '../pods/container-log.ts';
import { type LogEntry, logTime } from '../pods/log-entry.ts';
import type { PodLogs } from '../pods/pod-logs.ts';
import type { PodManager } from '../pods/pod-manager.ts';
import { type FoundContainer, findContainer } from './container-target.ts';

/** Entries are sent together up to this size. */
const BATCH_BYTES = 16 * 1024;
/** A follower that reads more slowly than the container writes is let go when this much waits for it. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
const NEWLINE = new Uint8Array([0x0a]);

/** Where a log is sent: a stream of the bus, or the answer to a request. */
export type LogSink = Pick<ChannelStream, 'send' | 'close' | 'closed'>;

export interface LogSource {
  readonly pods: PodManager;
  readonly logs: PodLogs;
  readonly clock: Clock;
}

/** Throws ApiError BadRequest when there is no such log. */
export function serveLogs(source: LogSource, request: LogsStreamRequest, stream: LogSink): void {
  const found = findContainer(source.pods, request);
  const instance = instanceOf(found, request, source.logs);
  const sender = new LogSender(stream, request);
  const pod = found.worker.pod;
  const options = readOptions(request, source.clock);
  const log = source.logs.find(pod, found.record.name, instance);
  const stored = [...source.logs.read(pod, found.record.name, instance, options)];
  for (const entry of stored) sender.add(entry);
  if (!request.follow || log === undefined) {
    sender.finish();
    return;
  }
  const since = options.since ?? '';
  const unfollow = log.follow(
    (entry) => {
      if (entry.time >= since) sender.add(entry);
    },
    () => sender.finish(),
  );
  void stream.closed.then(unfollow);
}

function instanceOf(found: FoundContainer, request: LogsStreamRequest, logs: PodLogs): number {
  const { record, worker } = found;
  const pod = worker.pod;
  const instance = record.starts - (request.previous ? 2 : 1);
  if (request.previous && !logs.has(pod, record.name, instance)) {
    throw badRequest(`previous terminated container "${record.name}" in pod "${request.pod}" not found`);
  }
  if (instance >= 0) return instance;
  const reason = record.waiting?.reason ?? 'ContainerCreating';
  throw badRequest(`container "${record.name}" in pod "${request.pod}" is waiting to start: ${reason}`);
}

function readOptions(request: LogsStreamRequest, clock: Clock): LogReadOptions {
  const { tailLines, sinceSeconds, sinceTime } = request;
  if (sinceSeconds !== undefined) return { tailLines, since: logTime(clock.nowMs() - sinceSeconds * 1000) };
  const sinceMs = sinceTime === undefined ? Number.NaN : Date.parse(sinceTime);
  return Number.isNaN(sinceMs) ? { tailLines } : { tailLines, since: logTime(sinceMs) };
}

/** Sends entries in order, several in one piece, and stops at the byte limit. */
class LogSender {
  private readonly stream: LogSink;
  private readonly timestamps: boolean;
  private leftBytes: number;
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private sending = false;
  private finished = false;

  constructor(stream: LogSink, request: LogsStreamRequest) {
    this.stream = stream;
    this.timestamps = request.timestamps;
    this.leftBytes = request.limitBytes ?? Number.POSITIVE_INFINITY;
    void stream.closed.then(() => {
      this.finished = true;
      this.waiting = [];
    });
  }

  add(entry: LogEntry): void {
    if (this.finished) return;
    const parts = [entry.text, ...(entry.complete ? [NEWLINE] : [])];
    if (this.timestamps) parts.unshift(new TextEncoder().encode(`${entry.time} `));
    for (const part of parts) this.push(part);
    if (this.leftBytes === 0) this.finish();
    void this.pump();
  }

  finish(): void {
    if (this.finished) return;
    this.finished = true;
    void this.pump();
  }

  private push(part: Uint8Array): void {
    const bytes = part.length > this.leftBytes ? part.subarray(0, this.leftBytes) : part;
    this.leftBytes -= bytes.length;
    this.waiting.push(bytes);
    this.waitingBytes += bytes.length;
  }

  private async pump(): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    try {
      while (this.waiting.length > 0) {
        if (this.waitingBytes > MAX_WAITING_BYTES && !this.finished)
          throw new Error('the log grew faster than it was read');
        await this.stream.send(STREAM_CHANNEL.stdout, this.takeBatch());
      }
      if (this.finished) this.stream.close();
    } catch (error) {
      this.stream.close(error instanceof Error ? error : new Error(String(error)));
    }
    this.sending = false;
  }

  private takeBatch(): Uint8Array {
    let count = 0;
    let size = 0;
    for (const part of this.waiting) {
      count++;
      size += part.length;
      if (size >= BATCH_BYTES) break;
    }
    this.waitingBytes -= size;
    return Buffer.concat(this.waiting.splice(0, count));
  }
}
