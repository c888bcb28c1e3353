/**
 * `*.channel.k8s.io` over WebSocket: the first byte of a message is its channel. The `base64.` dialects send text: a
 * digit, then base64. From v5 on, byte 255 with a channel number ends that channel.
 */
import type { WebSocket } from 'ws';
import type { ClientChannels } from './client-channels.ts';

export const CHANNEL_PROTOCOLS = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'base64.channel.k8s.io',
] as const;

const CLOSE_SIGNAL = 255;
const NORMAL_CLOSURE = 1000;
const PROTOCOL_ERROR = 1002;
/**
 * kubectl before 1.34 begins to read after the handshake and makes its streams beside that, and drops what comes for one that
 * is not there yet ("Unknown stream id 1, discarding message"; kubernetes/kubernetes pull request 131203). So whatever answers
 * at once is held back until the client has answered so many pings, one after the other: it reads then, and has gone back to
 * wait for more each time, so that its other work had its turn, however busy its machine is.
 */
const SETTLING_PINGS = 3;
/** For clients that answer none. */
const SETTLING_LIMIT_MS = 250;
/** Above this, senders wait for the socket. */
const MAX_BUFFERED_BYTES = 256 * 1024;

export class WebSocketChannels implements ClientChannels {
  onData: ClientChannels['onData'] = () => undefined;
  onEnd: ClientChannels['onEnd'] = () => undefined;
  onClose: ClientChannels['onClose'] = () => undefined;

  /** What was negotiated; empty when nothing was. */
  readonly protocol: string;
  private readonly socket: WebSocket;
  private readonly base64: boolean;
  private readonly halfClose: boolean;
  private work: Promise<void>;
  private readonly begin: () => void;
  private readonly clientSettled: Promise<void>;

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.protocol = socket.protocol;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.work = promise;
    this.begin = resolve;
    this.base64 = socket.protocol.includes('base64');
    this.halfClose = socket.protocol.startsWith('v5.');
    socket.on('message', (data, isBinary) => this.enqueue(toBuffer(data), isBinary));
    this.clientSettled = settled(socket);
    socket.on('close', () => this.onClose());
    // 'close' follows; the reason is the client's.
    socket.on('error', () => socket.terminate());
  }

  start(): void {
    this.begin();
  }

  async send(channel: number, data: Uint8Array): Promise<void> {
    await this.clientSettled;
    await this.sendNow(channel, data);
  }

  private sendNow(channel: number, data: Uint8Array): Promise<void> {
    if (this.socket.readyState !== this.socket.OPEN) return Promise.resolve();
    const message = this.base64
      ? `${channel}${Buffer.from(data).toString('base64')}`
      : Buffer.concat([Buffer.from([channel]), data]);
    return new Promise((resolve) => {
      const buffered = this.socket.bufferedAmount;
      this.socket.send(message, () => resolve());
      if (buffered < MAX_BUFFERED_BYTES) resolve();
    });
  }

  end(channel: number): void {
    void this.clientSettled.then(() => {
      if (!this.halfClose || this.socket.readyState !== this.socket.OPEN) return;
      this.socket.send(Buffer.from([CLOSE_SIGNAL, channel]));
    });
  }

  close(): void {
    void this.clientSettled.then(() => this.socket.close(NORMAL_CLOSURE));
  }

  private enqueue(data: Buffer, isBinary: boolean): void {
    this.socket.pause();
    this.work = this.work.then(() => this.receive(data, isBinary)).finally(() => this.socket.resume());
  }

  private async receive(data: Buffer, isBinary: boolean): Promise<void> {
    if (data.length === 0) return;
    const channel = this.base64 && !isBinary ? data[0]! - 0x30 : data[0]!;
    if (this.halfClose && channel === CLOSE_SIGNAL) {
      if (data.length >= 2) this.onEnd(data[1]!);
      return;
    }
    if (channel < 0 || channel > 127) {
      this.socket.close(PROTOCOL_ERROR, 'no such channel');
      return;
    }
    const content = this.base64 && !isBinary ? Buffer.from(data.toString('latin1', 1), 'base64') : data.subarray(1);
    await this.onData(channel, content);
  }
}

function settled(socket: WebSocket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let answers = 0;
  const answered = (): void => {
    answers++;
    if (answers === SETTLING_PINGS) done();
    else ask();
  };
  const ask = (): void => {
    if (socket.readyState === socket.OPEN) socket.ping();
  };
  const timer = setTimeout(() => done(), SETTLING_LIMIT_MS);
  const done = (): void => {
    clearTimeout(timer);
    socket.off('pong', answered);
    socket.off('close', done);
    resolve();
  };
  socket.on('pong', answered);
  socket.on('close', done);
  ask();
  return promise;
}

function toBuffer(data: Buffer | ArrayBuffer | Buffer[]): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
