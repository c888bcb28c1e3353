/** Against Node's own sockets. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { BatchedUdpSocket, testBatchedUdp } from './batched-udp.ts';
import { loadNativeSockets, type NativeSockets, type SocketEndpoint } from './native-socket.ts';

let sockets: NativeSockets | undefined;
const absent = await loadNativeSockets().then(
  (loaded) => {
    sockets = loaded;
    return undefined;
  },
  (error: unknown) => String(error),
);
if (absent !== undefined) process.stderr.write(`batched-udp: not tested here: ${absent}\n`);

const closings: (() => void)[] = [];
afterEach(() => {
  for (const close of closings.splice(0)) close();
});

interface Opened {
  readonly socket: BatchedUdpSocket;
  readonly errors: string[];
}

function open(onMessage: (socket: BatchedUdpSocket, bytes: Uint8Array, from: SocketEndpoint) => void): Opened {
  const errors: string[] = [];
  const socket: BatchedUdpSocket = new BatchedUdpSocket(sockets as NativeSockets, {
    bind: { address: '127.0.0.1', port: 0 },
    bufferBytes: 4_000_000,
    onMessage: (bytes, from) => onMessage(socket, bytes, from),
    onError: (error) => errors.push(error.message),
  });
  closings.push(() => socket.close());
  return { socket, errors };
}

async function dgram(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4_000_000 });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  closings.push(() => socket.close());
  return socket;
}

/** The next datagrams, in the order of their arrival. */
async function received(socket: Socket, count: number): Promise<Buffer[]> {
  const messages: Buffer[] = [];
  for await (const [message] of on(socket, count)) messages.push(message);
  return messages;
}

async function* on(socket: Socket, count: number): AsyncGenerator<[Buffer]> {
  const queue: [Buffer][] = [];
  let wake = (): void => undefined;
  const take = (message: Buffer): void => {
    queue.push([message]);
    wake();
  };
  socket.on('message', take);
  for (let index = 0; index < count; index++) {
    if (queue.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    yield queue.shift() as [Buffer];
  }
  socket.off('message', take);
}

describe.skipIf(absent !== undefined)('a socket for batches', () => {
  it('hears and answers datagrams of any size, each with its sender', async () => {
    const { socket, errors } = open((own, bytes, { port, address }) => own.send(bytes, port, address));
    const sizes = [0, 1, 63, 1232, 9000, 65_507];
    const clients = await Promise.all([dgram(), dgram(), dgram()]);
    for (const [number, client] of clients.entries()) {
      const answers = received(client, sizes.length);
      const sent = sizes.map((size) => Buffer.alloc(size, 17 * (number + 1)));
      for (const message of sent) client.send(message, socket.local.port, '127.0.0.1');
      // Compared as bytes: vitest's own comparison of large buffers takes seconds.
      expect((await answers).map((answer, index) => answer.equals(sent[index] as Buffer))).toEqual(
        sizes.map(() => true),
      );
    }
    expect(errors).toEqual([]);
  });

  it('takes a burst that is longer than a turn, and sends more than a call takes', async () => {
    const { socket } = open((own, bytes, { port, address }) => {
      own.send(bytes, port, address);
      own.send(bytes, port, address);
    });
    const client = await dgram();
    const answers = received(client, 800);
    for (let number = 0; number < 400; number++)
      client.send(Buffer.from([number >> 8, number]), socket.local.port, '127.0.0.1');
    const numbers = (await answers).map((answer) => answer.readUInt16BE(0));
    expect(numbers).toEqual(Array.from({ length: 800 }, (_, index) => index >> 1));
  });

  it('sends what comes outside of a turn, too', async () => {
    const { socket } = open(() => undefined);
    const client = await dgram();
    const answers = received(client, 12);
    // More bytes than are gathered for one call.
    const large = Buffer.alloc(60_000, 5);
    for (let number = 0; number < 12; number++) socket.send(large, client.address().port, '127.0.0.1');
    expect((await answers).every((answer) => answer.equals(large))).toBe(true);
  });

  it('keeps what it was given when the next datagrams come', async () => {
    const kept: Uint8Array[] = [];
    const both = Promise.withResolvers<void>();
    const { socket } = open((_, bytes) => {
      if (kept.push(bytes) === 2) both.resolve();
    });
    const client = await dgram();
    client.send('first', socket.local.port, '127.0.0.1');
    client.send('other', socket.local.port, '127.0.0.1');
    await both.promise;
    expect(kept.map(String)).toEqual(['first', 'other']);
  });

  it('says what could not leave, and sends the rest', async () => {
    const { socket, errors } = open(() => undefined);
    const client = await dgram();
    const answers = received(client, 1);
    // Broadcasts are for sockets that ask for them.
    socket.send(Buffer.from('x'), 9, '255.255.255.255');
    socket.send(Buffer.from('y'), client.address().port, '127.0.0.1');
    expect((await answers).map(String)).toEqual(['y']);
    expect(errors).toEqual(['sendmmsg: EACCES']);
  });

  it('may be closed by what it hears', async () => {
    const heard: number[] = [];
    const first = Promise.withResolvers<void>();
    const { socket } = open((own, bytes) => {
      heard.push(bytes.length);
      own.close();
      first.resolve();
    });
    const { port } = socket.local;
    const client = await dgram();
    for (let number = 0; number < 3; number++) client.send('closed', port, '127.0.0.1');
    await first.promise;
    expect(heard).toEqual([6]);
    // The port is free again.
    const next = createSocket('udp4');
    next.bind(port, '127.0.0.1');
    await once(next, 'listening');
    next.close();
  });

  it('refuses a port that is taken with the code of the system', async () => {
    const { socket } = open(() => undefined);
    const bind = socket.local;
    const options = { bind, bufferBytes: 1000, onMessage: () => undefined, onError: () => undefined };
    expect(() => new BatchedUdpSocket(sockets as NativeSockets, options)).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE' }),
    );
  });

  it('passes its self-test', async () => {
    await expect(testBatchedUdp(sockets as NativeSockets)).resolves.toBeUndefined();
  });
});
