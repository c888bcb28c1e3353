/**
 * The log of one instance of a container: a file that is appended to once per turn of the event loop, and the readers
 * who follow it. When the file reaches its limit it is set aside as `.1`, replacing the one set aside before.
 */
import { appendFileSync, closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { decodeLogEntry, encodeLogEntry, LineCutter, type LogEntry, logTime, type OutputStream } from './log-entry.ts';

const MAX_FILE_BYTES = 10 * 1024 * 1024;
const READ_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

export interface ContainerLogOptions {
  readonly path: string;
  readonly nowMs: () => number;
  readonly maxFileBytes?: number;
  /** Told once when lines cannot be written (the disk is full); the container goes on without them. */
  readonly onError?: (error: unknown) => void;
}

export interface LogReadOptions {
  /** The last so many lines only. */
  readonly tailLines?: number;
  /** Entries of this time (RFC 3339, nine digits) and later only. */
  readonly since?: string;
}

export class ContainerLog {
  private readonly path: string;
  private readonly nowMs: () => number;
  private readonly maxFileBytes: number;
  private readonly cutters = { stdout: new LineCutter('stdout'), stderr: new LineCutter('stderr') };
  private readonly followers = new Set<(entry: LogEntry) => void>();
  private readonly endListeners = new Set<() => void>();
  private pending: Uint8Array[] = [];
  private readonly onError: (error: unknown) => void;
  private fileBytes = 0;
  private ended = false;
  private failing = false;

  constructor(options: ContainerLogOptions) {
    this.path = options.path;
    this.nowMs = options.nowMs;
    this.maxFileBytes = options.maxFileBytes ?? MAX_FILE_BYTES;
    this.onError = options.onError ?? (() => undefined);
    mkdirSync(dirname(this.path), { recursive: true });
  }

  get closed(): boolean {
    return this.ended;
  }

  append(stream: OutputStream, data: Uint8Array): void {
    if (!this.ended) this.add(this.cutters[stream].push(data, logTime(this.nowMs())));
  }

  /** Nothing more will come; followers are told. */
  close(): void {
    if (this.ended) return;
    const time = logTime(this.nowMs());
    this.add([...this.cutters.stdout.finish(time), ...this.cutters.stderr.finish(time)]);
    this.flush();
    this.ended = true;
    for (const listener of [...this.endListeners]) listener();
    this.followers.clear();
    this.endListeners.clear();
  }

  /** What stands in the log now, oldest first. */
  read(options: LogReadOptions = {}): Generator<LogEntry> {
    this.flush();
    return readLogFile(this.path, options);
  }

  /** Calls `onEntry` for every entry from now on and `onEnd` at the log's end (at once when it has ended). */
  follow(onEntry: (entry: LogEntry) => void, onEnd: () => void): () => void {
    if (this.ended) {
      onEnd();
      return () => undefined;
    }
    this.followers.add(onEntry);
    this.endListeners.add(onEnd);
    return () => {
      this.followers.delete(onEntry);
      this.endListeners.delete(onEnd);
    };
  }

  private add(entries: readonly LogEntry[]): void {
    if (entries.length === 0) return;
    if (this.pending.length === 0) setImmediate(() => this.flush());
    for (const entry of entries) {
      this.pending.push(encodeLogEntry(entry));
      for (const follower of this.followers) follower(entry);
    }
  }

  private flush(): void {
    if (this.pending.length === 0) return;
    const bytes = Buffer.concat(this.pending);
    this.pending = [];
    try {
      this.write(bytes);
      this.failing = false;
    } catch (error) {
      if (!this.failing) this.onError(error);
      this.failing = true;
    }
  }

  private write(bytes: Uint8Array): void {
    if (this.fileBytes > 0 && this.fileBytes + bytes.length > this.maxFileBytes) {
      renameSync(this.path, `${this.path}.1`);
      this.fileBytes = 0;
    }
    appendFileSync(this.path, bytes);
    this.fileBytes += bytes.length;
  }
}

/** The entries of a log file as it is now; none when there is no file. */
export function* readLogFile(path: string, options: LogReadOptions): Generator<LogEntry> {
  const file = openIfExists(path);
  if (file === undefined) return;
  try {
    const size = fstatSync(file).size;
    let offset = options.tailLines === undefined ? 0 : tailOffset(file, size, options.tailLines);
    let rest: Uint8Array = new Uint8Array(0);
    while (offset < size) {
      const chunk = Buffer.alloc(Math.min(READ_BYTES, size - offset));
      const bytesRead = readSync(file, chunk, 0, chunk.length, offset);
      if (bytesRead === 0) break;
      offset += bytesRead;
      const bytes = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      let start = 0;
      for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
        const entry = decodeLogEntry(bytes.subarray(start, end));
        start = end + 1;
        if (entry !== undefined && (options.since === undefined || entry.time >= options.since)) yield entry;
      }
      rest = bytes.subarray(start);
    }
  } finally {
    closeSync(file);
  }
}

function openIfExists(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Where the last `lines` lines of a file begin. */
function tailOffset(file: number, size: number, lines: number): number {
  if (lines <= 0) return size;
  let found = 0;
  // The newline that ends the file ends the last line; it does not begin another.
  let end = size - 1;
  while (end > 0) {
    const start = Math.max(0, end - READ_BYTES);
    const chunk = Buffer.alloc(end - start);
    readSync(file, chunk, 0, chunk.length, start);
    for (let at = chunk.lastIndexOf(NEWLINE); at !== -1; at = at === 0 ? -1 : chunk.lastIndexOf(NEWLINE, at - 1)) {
      found++;
      if (found === lines) return start + at + 1;
    }
    end = start;
  }
  return 0;
}
