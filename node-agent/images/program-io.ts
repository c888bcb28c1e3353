/** Reading and writing a program's streams: with back-pressure, without taking more than asked, and with SIGPIPE's meaning. */
import type { Readable, Writable } from 'node:stream';
import { fairTurn } from './fair-turn.ts';

/** The reader of our output is gone; a program that lets it through ends as SIGPIPE would end it. */
export class BrokenPipeError extends Error {
  override readonly name = 'BrokenPipeError';

  constructor() {
    super('Broken pipe');
  }
}

/** Resolves when there is room for more; throws `BrokenPipeError` once the reader is gone. */
export async function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  if (stream.destroyed || stream.writableEnded) throw new BrokenPipeError();
  await fairTurn();
  if (stream.destroyed) throw new BrokenPipeError();
  if (data.length === 0 || stream.write(data)) return;
  await settled(stream, 'drain');
  if (stream.destroyed) throw new BrokenPipeError();
}

/** The stream's bytes; leaves the stream open for the next reader when the loop ends early. */
export async function* chunks(stream: Readable): AsyncGenerator<Buffer> {
  for (;;) {
    const chunk = await nextChunk(stream);
    if (chunk === undefined) return;
    yield chunk;
  }
}

/** The next bytes that are there; undefined at the end of the stream or when `signal` aborts the wait. */
export async function nextChunk(stream: Readable, signal?: AbortSignal): Promise<Buffer | undefined> {
  await fairTurn();
  for (;;) {
    const chunk: unknown = stream.read();
    if (chunk !== null) return Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    if (stream.readableEnded || stream.destroyed || signal?.aborted) return undefined;
    await settled(stream, 'readable', signal);
  }
}

function settled(stream: Readable | Writable, event: 'drain' | 'readable', signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.removeListener(event, done);
      stream.removeListener('end', done);
      stream.removeListener('close', done);
      stream.removeListener('error', done);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    stream.on(event, done);
    stream.on('end', done);
    stream.on('close', done);
    stream.on('error', done);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** Lines without their line feed, as they arrive; the last one may lack it. */
export async function* lines(stream: Readable): AsyncGenerator<string> {
  for await (const line of byteLines(stream)) {
    yield (line.at(-1) === LINE_FEED ? line.subarray(0, -1) : line).toString('utf8');
  }
}

/** Lines as bytes, their line feed included. */
export async function* byteLines(stream: Readable): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks(stream)) {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED)) {
      yield bytes.subarray(0, end + 1);
      bytes = bytes.subarray(end + 1);
    }
    rest = bytes;
  }
  if (rest.length > 0) yield rest;
}

const LINE_FEED = 10;

/** One line with its line feed; what follows it stays in the stream. Undefined at the end; the last line may lack it. */
export async function readLine(
  stream: Readable,
  signal?: AbortSignal,
  delimiter = LINE_FEED,
): Promise<string | undefined> {
  const parts: Buffer[] = [];
  for (;;) {
    const chunk = await nextChunk(stream, signal);
    if (chunk === undefined) return parts.length === 0 ? undefined : Buffer.concat(parts).toString('utf8');
    const end = chunk.indexOf(delimiter);
    if (end < 0) {
      parts.push(chunk);
      continue;
    }
    if (end + 1 < chunk.length) stream.unshift(chunk.subarray(end + 1));
    parts.push(chunk.subarray(0, end + 1));
    return Buffer.concat(parts).toString('utf8');
  }
}

export async function readAll(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks(stream)) parts.push(chunk);
  return Buffer.concat(parts);
}

/** Resolves after the time, or at once when the signal aborts. */
export function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    // Node's timers end at 2^31 ms; `sleep infinity` is longer.
    const timer = setTimeout(done, Math.min(durationMs, 2 ** 31 - 1));
    signal.addEventListener('abort', done, { once: true });
  });
}

/** Resolves when the signal aborts: what a server's main loop waits for. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
