/**
 * A line of a container's log file, in the form the container runtime interface defines:
 * `2026-01-31T08:00:00.123000000Z stdout F text`, with `P` instead of `F` where the line goes on in the next entry.
 */
export type OutputStream = 'stdout' | 'stderr';

export interface LogEntry {
  /** RFC 3339 with nine digits of fraction, in UTC: sorts as text. */
  readonly time: string;
  readonly stream: OutputStream;
  /** False where the line goes on in the next entry of the stream. */
  readonly complete: boolean;
  /** Without the line's end. */
  readonly text: Uint8Array;
}

const SPACE = 0x20;
const NEWLINE = 0x0a;
const TIME_LENGTH = 30;

export function logTime(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 23)}000000Z`;
}

export function encodeLogEntry(entry: LogEntry): Uint8Array {
  const head = Buffer.from(`${entry.time} ${entry.stream} ${entry.complete ? 'F' : 'P'} `, 'latin1');
  const line = new Uint8Array(head.length + entry.text.length + 1);
  line.set(head);
  line.set(entry.text, head.length);
  line[line.length - 1] = NEWLINE;
  return line;
}

/** Decodes a line without its end; undefined when it is no log entry. */
export function decodeLogEntry(line: Uint8Array): LogEntry | undefined {
  if (line.length < TIME_LENGTH + 10 || line[TIME_LENGTH] !== SPACE) return undefined;
  const streamEnd = line.indexOf(SPACE, TIME_LENGTH + 1);
  if (streamEnd === -1 || line[streamEnd + 2] !== SPACE) return undefined;
  const stream = Buffer.from(line.subarray(TIME_LENGTH + 1, streamEnd)).toString('latin1');
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  return {
    time: Buffer.from(line.subarray(0, TIME_LENGTH)).toString('latin1'),
    stream,
    complete: line[streamEnd + 1] === 0x46,
    text: line.subarray(streamEnd + 3),
  };
}

/** Cuts a stream's bytes into entries; a line longer than `maxLineBytes` becomes several. */
export class LineCutter {
  private readonly stream: OutputStream;
  private readonly maxLineBytes: number;
  private rest: Uint8Array = new Uint8Array(0);

  constructor(stream: OutputStream, maxLineBytes = 16_384) {
    this.stream = stream;
    this.maxLineBytes = maxLineBytes;
  }

  push(data: Uint8Array, time: string): LogEntry[] {
    const entries: LogEntry[] = [];
    const bytes = this.rest.length === 0 ? data : concat(this.rest, data);
    let start = 0;
    while (start < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, start);
      const limit = start + this.maxLineBytes;
      if (newline !== -1 && newline <= limit) {
        entries.push({ time, stream: this.stream, complete: true, text: bytes.subarray(start, newline) });
        start = newline + 1;
      } else if (bytes.length >= limit) {
        entries.push({ time, stream: this.stream, complete: false, text: bytes.subarray(start, limit) });
        start = limit;
      } else break;
    }
    this.rest = bytes.slice(start);
    return entries;
  }

  /** What is left when the stream ends without a line's end. */
  finish(time: string): LogEntry[] {
    if (this.rest.length === 0) return [];
    const entry: LogEntry = { time, stream: this.stream, complete: false, text: this.rest };
    this.rest = new Uint8Array(0);
    return [entry];
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
