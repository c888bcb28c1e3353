import { type Duplex, duplexPair } from 'node:stream';
import { constants, createDeflate, type Deflate } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SpdyConnection, type SpdyStream } from './connection.ts';
import {
  controlFrame,
  dataFrame,
  FLAG_FIN,
  type Frame,
  FrameParser,
  PING,
  RST_INVALID_STREAM,
  RST_STREAM,
  SYN_REPLY,
  SYN_STREAM,
  streamStatus,
} from './frame.ts';
import { DICTIONARY, HeaderDeflater, HeaderInflater, parseHeaders, serializeHeaders } from './header-block.ts';

/** The other side: what client-go does, frame by frame. */
class Client {
  readonly frames: Frame[] = [];
  readonly socket: Duplex;
  private readonly parser = new FrameParser();
  private readonly deflate: Deflate = createDeflate({ dictionary: DICTIONARY });
  private readonly compressed: Buffer[] = [];
  private waiters: (() => void)[] = [];

  constructor(socket: Duplex) {
    this.socket = socket;
    this.deflate.on('data', (chunk: Buffer) => this.compressed.push(chunk));
    socket.on('data', (chunk: Buffer) => {
      this.frames.push(...this.parser.push(chunk));
      for (const wake of this.waiters.splice(0)) wake();
    });
    socket.on('close', () => {
      for (const wake of this.waiters.splice(0)) wake();
    });
  }

  async open(id: number, headers: Record<string, string>, flags = 0): Promise<void> {
    const block = await new Promise<Buffer>((resolve) => {
      this.compressed.length = 0;
      this.deflate.write(serializeHeaders(headers));
      this.deflate.flush(constants.Z_SYNC_FLUSH, () => setImmediate(() => resolve(Buffer.concat(this.compressed))));
    });
    const head = Buffer.alloc(10);
    head.writeUInt32BE(id);
    this.socket.write(controlFrame(SYN_STREAM, flags, Buffer.concat([head, block])));
  }

  async frame(index: number): Promise<Frame> {
    while (this.frames.length <= index) {
      if (this.socket.destroyed) throw new Error('the connection was closed');
      await new Promise<void>((resolve) => this.waiters.push(resolve));
    }
    return this.frames[index]!;
  }
}

describe('SPDY/3.1', () => {
  let client: Client;
  let connection: SpdyConnection;
  let streams: SpdyStream[];

  beforeEach(() => {
    const [near, far] = duplexPair();
    connection = new SpdyConnection(near);
    client = new Client(far);
    streams = [];
    connection.onStream = (stream) => streams.push(stream);
  });
  afterEach(() => client.socket.destroy());

  it('accepts streams with their headers, one compression context for all', async () => {
    await client.open(1, { streamtype: 'error', Port: '80' });
    await client.open(3, { streamtype: 'data', Port: '80' });
    const replies = [await client.frame(0), await client.frame(1)];
    expect(replies.map((frame) => frame.kind === 'control' && frame.type)).toEqual([SYN_REPLY, SYN_REPLY]);
    expect(streams.map(({ id, headers }) => ({ id, headers }))).toEqual([
      { id: 1, headers: { streamtype: 'error', port: '80' } },
      { id: 3, headers: { streamtype: 'data', port: '80' } },
    ]);
  });

  it('carries data both ways and closes each half by itself', async () => {
    await client.open(1, {});
    await client.frame(0);
    const [stream] = streams;
    const received: string[] = [];
    stream!.onData = (data) => void received.push(data.toString());
    const ended = new Promise<void>((resolve) => {
      stream!.onEnd = resolve;
    });
    client.socket.write(dataFrame(1, 0, Buffer.from('in')));
    client.socket.write(dataFrame(1, FLAG_FIN, Buffer.from('put')));
    await ended;
    expect(received).toEqual(['in', 'put']);
    await stream!.write(Buffer.from('output'));
    stream!.end();
    expect(await client.frame(1)).toMatchObject({ kind: 'data', streamId: 1, payload: Buffer.from('output') });
    expect(await client.frame(2)).toMatchObject({ kind: 'data', streamId: 1, flags: FLAG_FIN });
  });

  it('answers pings, and resets what belongs to no stream', async () => {
    client.socket.write(controlFrame(PING, 0, Buffer.from([0, 0, 0, 7])));
    expect(await client.frame(0)).toMatchObject({ type: PING, payload: Buffer.from([0, 0, 0, 7]) });
    client.socket.write(dataFrame(9, 0, Buffer.from('x')));
    expect(await client.frame(1)).toMatchObject({ type: RST_STREAM, payload: streamStatus(9, RST_INVALID_STREAM) });
  });

  it('tells every stream when the connection goes', async () => {
    await client.open(1, {});
    await client.frame(0);
    const gone = new Promise<void>((resolve) => {
      streams[0]!.onReset = resolve;
    });
    client.socket.destroy();
    await gone;
    expect(streams).toHaveLength(1);
  });

  it('closes on anything else, and never throws', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 64 }), { maxLength: 5 }), async (chunks) => {
        const [near, far] = duplexPair();
        const closed = new Promise<void>((resolve) => {
          new SpdyConnection(near).onClose = () => resolve();
        });
        for (const chunk of chunks) far.write(chunk);
        far.end();
        await closed;
        far.destroy();
      }),
      { numRuns: 50 },
    );
    expect(true).toBe(true);
  });
});

describe('header blocks', () => {
  it('there and back, any number of them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.dictionary(
            fc.string({ minLength: 1 }).filter((name) => name === name.toLowerCase()),
            fc.string(),
          ),
        ),
        async (blocks) => {
          const deflater = new HeaderDeflater();
          const inflater = new HeaderInflater();
          for (const headers of blocks) {
            const block = await inflater.decompress(deflater.compress(serializeHeaders(headers)));
            expect({ ...parseHeaders(block) }).toEqual({ ...headers });
          }
          inflater.close();
        },
      ),
      { numRuns: 30 },
    );
  });

  it('a length that points outside is no header block', () => {
    expect(parseHeaders(Buffer.from([0, 0, 0, 1, 0, 0, 0, 9, 1]))).toBeUndefined();
    expect(parseHeaders(Buffer.alloc(0))).toBeUndefined();
  });
});
