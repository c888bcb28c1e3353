/** The channels of a node stream as Node streams, with back-pressure both ways. */
import { Readable, Writable } from 'node:stream';
import type { ChannelStream } from '../../shared/bus/stream.ts';
import { STREAM_CHANNEL } from '../../shared/bus/subjects.ts';
import { DEFAULT_TERMINAL, type ProcessStreams, type TerminalSize } from '../pods/container-runtime.ts';

export interface WantedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** Bytes written leave on the channel; a write is done when there was credit for it. */
export function channelWritable(stream: ChannelStream, channel: number): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      stream.send(channel, chunk).then(
        () => done(),
        (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
      );
    },
    final(done) {
      stream.end(channel);
      done();
    },
  });
}

/** Standard streams of a process on the channels of a stream; takes over the stream's listeners. */
export function processStreams(stream: ChannelStream, wanted: WantedStreams): ProcessStreams {
  const input = wanted.stdin ? new ChannelInput() : undefined;
  let size = DEFAULT_TERMINAL;
  const resizeListeners: ((size: TerminalSize) => void)[] = [];
  stream.onData((channel, data) => {
    if (channel === STREAM_CHANNEL.stdin) return input?.accept(data);
    if (channel !== STREAM_CHANNEL.resize) return undefined;
    const next = decodeResize(data);
    if (next === undefined) return undefined;
    size = next;
    for (const listener of resizeListeners) listener(next);
    return undefined;
  });
  stream.onEnd((channel) => {
    if (channel === STREAM_CHANNEL.stdin) input?.finish();
  });
  void stream.closed.then(() => input?.finish());
  const stdout = output(stream, STREAM_CHANNEL.stdout, wanted.stdout);
  const stderr = wanted.tty ? stdout : output(stream, STREAM_CHANNEL.stderr, wanted.stderr);
  if (!wanted.tty) return { stdin: input, stdout, stderr };
  const onResize = (listener: (size: TerminalSize) => void): void => void resizeListeners.push(listener);
  const terminal = {
    get size() {
      return size;
    },
    onResize,
  };
  return { stdin: input, stdout, stderr, terminal };
}

function output(stream: ChannelStream, channel: number, wanted: boolean): Writable {
  const writable = wanted
    ? channelWritable(stream, channel)
    : new Writable({ write: (_chunk, _encoding, done) => done() });
  // The client went away; whoever writes learns it from the stream being destroyed.
  writable.on('error', () => writable.destroy());
  return writable;
}

/** What the client types: bytes count as consumed when the program has read them. */
class ChannelInput extends Readable {
  private unblock: (() => void) | undefined;
  private finished = false;

  accept(data: Uint8Array): Promise<void> | undefined {
    if (this.finished || this.destroyed || this.push(Buffer.from(data))) return undefined;
    return new Promise((resolve) => {
      this.unblock = resolve;
    });
  }

  finish(): void {
    if (this.finished) return;
    this.finished = true;
    this.push(null);
    this.release();
  }

  override _read(): void {
    this.release();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.release();
    done(error);
  }

  private release(): void {
    this.unblock?.();
    this.unblock = undefined;
  }
}

/** `{"Width":80,"Height":24}`; undefined when it is something else. */
function decodeResize(data: Uint8Array): TerminalSize | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(data));
  } catch {
    // A client that sends no JSON keeps the size it has.
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { Width: columns, Height: rows } = value as Record<string, unknown>;
  if (typeof columns !== 'number' || typeof rows !== 'number' || columns < 1 || rows < 1) return undefined;
  return { columns, rows };
}
