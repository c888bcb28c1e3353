/**
 * The server side of a SPDY/3.1 connection as Kubernetes clients use it after `Upgrade: SPDY/3.1`: the client opens
 * streams, both sides send data on them. Windows are not kept: client-go neither sends nor reads WINDOW_UPDATE; what
 * bounds memory is that reading from the socket waits for the receiver of the last frame.
 */
import type { Duplex } from 'node:stream';
import {
  controlFrame,
  dataFrame,
  FLAG_FIN,
  type Frame,
  FrameParser,
  GOAWAY,
  PING,
  RST_CANCEL,
  RST_INVALID_STREAM,
  RST_PROTOCOL_ERROR,
  RST_REFUSED_STREAM,
  RST_STREAM,
  SpdyError,
  SYN_REPLY,
  SYN_STREAM,
  streamStatus,
} from './frame.ts';
import { HeaderDeflater, HeaderInflater, type Headers, parseHeaders, serializeHeaders } from './header-block.ts';

const MAX_STREAMS = 1024;

export interface SpdyStream {
  readonly id: number;
  readonly headers: Headers;
  /** What a returned promise settles with holds back the next frame of the connection. */
  onData: (data: Buffer) => void | Promise<void>;
  /** The client has sent its last byte. */
  onEnd: () => void;
  /** The stream was reset by the client, or its connection is gone. */
  onReset: () => void;
  /** Resolves when the socket takes more. */
  write(data: Uint8Array): Promise<void>;
  /** Half-closes towards the client. */
  end(): void;
  reset(): void;
}

interface OpenStream extends SpdyStream {
  localEnded: boolean;
  remoteEnded: boolean;
}

export class SpdyConnection {
  /** Called once for each stream, after it was accepted. */
  onStream: (stream: SpdyStream) => void = (stream) => stream.reset();
  onClose: (error: Error | undefined) => void = () => undefined;

  private readonly socket: Duplex;
  private readonly parser = new FrameParser();
  private readonly inflater = new HeaderInflater();
  private readonly deflater = new HeaderDeflater();
  private readonly streams = new Map<number, OpenStream>();
  private work: Promise<void> = Promise.resolve();
  private closed = false;
  private lastStreamId = 0;

  constructor(socket: Duplex) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', (error) => this.finish(error));
    socket.on('close', () => this.finish(undefined));
    socket.on('end', () => this.finish(undefined));
  }

  /** Bytes that came with the upgrade request. */
  receive(chunk: Buffer): void {
    this.socket.pause();
    this.work = this.work
      .then(() => this.handleChunk(chunk))
      .then(
        () => void this.socket.resume(),
        (error: unknown) => this.fail(error),
      );
  }

  /** Ends the connection once everything written has left. */
  close(): void {
    if (this.closed) return;
    this.send(controlFrame(GOAWAY, 0, streamStatus(this.lastStreamId, 0)));
    this.finish(undefined);
  }

  private async handleChunk(chunk: Buffer): Promise<void> {
    for (const frame of this.parser.push(chunk)) {
      if (this.closed) return;
      await this.handleFrame(frame);
    }
  }

  private async handleFrame(frame: Frame): Promise<void> {
    if (frame.kind === 'data') return this.handleData(frame.streamId, frame.flags, frame.payload);
    switch (frame.type) {
      case SYN_STREAM:
        return this.handleSyn(frame.flags, frame.payload);
      case RST_STREAM:
        return this.handleReset(readStreamId(frame.payload, 8));
      case PING:
        return this.send(controlFrame(PING, 0, frame.payload.subarray(0, 4)));
      default:
        // GOAWAY, SETTINGS, WINDOW_UPDATE ask for nothing. HEADERS would have to be inflated; no client sends it.
        return undefined;
    }
  }

  private async handleData(streamId: number, flags: number, payload: Buffer): Promise<void> {
    const stream = this.streams.get(streamId);
    if (stream === undefined || stream.remoteEnded) {
      this.send(controlFrame(RST_STREAM, 0, streamStatus(streamId, RST_INVALID_STREAM)));
      return;
    }
    if (payload.length > 0) await stream.onData(payload);
    if ((flags & FLAG_FIN) !== 0) this.remoteEnd(stream);
  }

  private async handleSyn(flags: number, payload: Buffer): Promise<void> {
    const id = readStreamId(payload, 10);
    const headers = parseHeaders(await this.inflater.decompress(payload.subarray(10)));
    if (headers === undefined) throw new SpdyError('malformed header block');
    if (id % 2 === 0 || id <= this.lastStreamId) {
      this.send(controlFrame(RST_STREAM, 0, streamStatus(id, RST_PROTOCOL_ERROR)));
      return;
    }
    this.lastStreamId = id;
    if (this.streams.size >= MAX_STREAMS) {
      this.send(controlFrame(RST_STREAM, 0, streamStatus(id, RST_REFUSED_STREAM)));
      return;
    }
    this.accept(id, headers, (flags & FLAG_FIN) !== 0);
  }

  private accept(id: number, headers: Headers, remoteEnded: boolean): void {
    const stream = this.createStream(id, headers);
    this.streams.set(id, stream);
    const streamId = Buffer.alloc(4);
    streamId.writeUInt32BE(id);
    this.send(controlFrame(SYN_REPLY, 0, Buffer.concat([streamId, this.deflater.compress(serializeHeaders({}))])));
    this.onStream(stream);
    if (remoteEnded) this.remoteEnd(stream);
  }

  private createStream(id: number, headers: Headers): OpenStream {
    return {
      id,
      headers,
      localEnded: false,
      remoteEnded: false,
      onData: () => undefined,
      onEnd: () => undefined,
      onReset: () => undefined,
      write: (data) => this.writeData(id, data),
      end: () => this.endLocal(id),
      reset: () => this.resetLocal(id),
    };
  }

  private writeData(id: number, data: Uint8Array): Promise<void> {
    const stream = this.streams.get(id);
    if (this.closed || stream === undefined || stream.localEnded || data.length === 0) return Promise.resolve();
    if (this.socket.write(dataFrame(id, 0, data))) return Promise.resolve();
    return new Promise((resolve) => {
      const settle = () => {
        this.socket.off('drain', settle);
        this.socket.off('close', settle);
        resolve();
      };
      this.socket.on('drain', settle);
      this.socket.on('close', settle);
    });
  }

  private endLocal(id: number): void {
    const stream = this.streams.get(id);
    if (stream === undefined || stream.localEnded) return;
    stream.localEnded = true;
    this.send(dataFrame(id, FLAG_FIN, Buffer.alloc(0)));
    this.forgetIfDone(stream);
  }

  private resetLocal(id: number): void {
    if (!this.streams.delete(id)) return;
    this.send(controlFrame(RST_STREAM, 0, streamStatus(id, RST_CANCEL)));
  }

  private handleReset(id: number): void {
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    this.streams.delete(id);
    stream.onReset();
  }

  private remoteEnd(stream: OpenStream): void {
    stream.remoteEnded = true;
    stream.onEnd();
    this.forgetIfDone(stream);
  }

  private forgetIfDone(stream: OpenStream): void {
    if (stream.localEnded && stream.remoteEnded) this.streams.delete(stream.id);
  }

  private send(frame: Buffer): void {
    if (!this.closed) this.socket.write(frame);
  }

  private fail(error: unknown): void {
    this.finish(error instanceof Error ? error : new SpdyError(String(error)));
  }

  private finish(error: Error | undefined): void {
    if (this.closed) return;
    this.closed = true;
    this.inflater.close();
    for (const stream of this.streams.values()) stream.onReset();
    this.streams.clear();
    if (error === undefined) this.socket.end();
    else this.socket.destroy();
    this.onClose(error);
  }
}

function readStreamId(payload: Buffer, atLeastBytes: number): number {
  if (payload.length < atLeastBytes) throw new SpdyError('a control frame is too short');
  return payload.readUInt32BE(0) & 0x7fffffff;
}
