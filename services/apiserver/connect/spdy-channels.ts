/** Remote command over SPDY/3.1: the header `streamtype` of each stream says which channel it is. */

import { STREAM_CHANNEL } from '../../../shared/bus/subjects.ts';
import type { ClientChannels } from './client-channels.ts';
import type { SpdyConnection, SpdyStream } from './spdy/connection.ts';

const CHANNELS: Readonly<Record<string, number>> = {
  stdin: STREAM_CHANNEL.stdin,
  stdout: STREAM_CHANNEL.stdout,
  stderr: STREAM_CHANNEL.stderr,
  error: STREAM_CHANNEL.error,
  resize: STREAM_CHANNEL.resize,
};
/** How long a client may take to open its streams. */
const STREAMS_TIMEOUT_MS = 30_000;

export class SpdyChannels implements ClientChannels {
  onData: ClientChannels['onData'] = () => undefined;
  onEnd: ClientChannels['onEnd'] = () => undefined;
  onClose: ClientChannels['onClose'] = () => undefined;
  /** Resolves once the client has opened what it said it would, or has failed to. */
  private readonly ready: Promise<void>;
  private readonly connection: SpdyConnection;
  private readonly streams = new Map<number, SpdyStream>();
  private readonly surplus: SpdyStream[] = [];
  private closed = false;

  constructor(connection: SpdyConnection, expected: readonly number[]) {
    this.connection = connection;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    const timer = setTimeout(() => connection.close(), STREAMS_TIMEOUT_MS);
    const check = () => {
      if (!expected.every((channel) => this.streams.has(channel))) return;
      clearTimeout(timer);
      resolve();
    };
    connection.onStream = (stream) => {
      this.open(stream);
      check();
    };
    connection.onClose = () => {
      this.closed = true;
      clearTimeout(timer);
      resolve();
      this.onClose();
    };
  }

  start(): void {
    // Streams come with the next frames, after the callbacks were set.
  }

  async send(channel: number, data: Uint8Array): Promise<void> {
    await this.ready;
    await this.streams.get(channel)?.write(data);
  }

  end(channel: number): void {
    void this.ready.then(() => this.streams.get(channel)?.end());
  }

  close(): void {
    void this.ready.then(() => {
      if (this.closed) return;
      for (const stream of [...this.streams.values(), ...this.surplus]) stream.end();
      this.connection.close();
    });
  }

  private open(stream: SpdyStream): void {
    const channel = CHANNELS[stream.headers.streamtype ?? ''];
    if (channel === undefined) {
      stream.reset();
      return;
    }
    if (this.streams.has(channel)) {
      this.surplus.push(stream);
      return;
    }
    this.streams.set(channel, stream);
    stream.onData = (data) => this.onData(channel, data);
    stream.onEnd = () => this.onEnd(channel);
  }
}
