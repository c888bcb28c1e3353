/**
 * A pod's sockets are Node's own in shape and behaviour: every test here runs on `net` and `dgram` over the machine's
 * loopback, on a pod's stack in this process, and on the same stack from another process.
 */
import { once } from 'node:events';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HostNetwork } from '../../dns/host-network.ts';
import type {
  PodNetwork,
  PodTcpServer,
  PodTcpSocket,
  SocketAddress,
  TcpConnectOptions,
} from '../../shared/podnet/pod-network.ts';
import { LEFT_ADDRESS, podPair, podPairOverSockets, RIGHT_ADDRESS } from '../../shared/podnet/pod-pair.testkit.ts';
import { waitFor } from '../wait-for.ts';
import { networkOfBindings, stopStack } from './pod-bindings.testkit.ts';

interface Ends {
  readonly left: PodNetwork;
  readonly right: PodNetwork;
  readonly rightAddress: string;
  close(): Promise<void>;
}

const implementations: readonly { readonly name: string; readonly create: () => Promise<Ends> }[] = [
  {
    name: "Node's own sockets",
    create: async () => {
      const network = new HostNetwork('127.0.0.1');
      return { left: network, right: network, rightAddress: '127.0.0.1', close: async () => undefined };
    },
  },
  { name: 'stack network', create: async () => ({ ...podPair(), rightAddress: RIGHT_ADDRESS }) },
  { name: 'socket network', create: async () => ({ ...(await podPairOverSockets()), rightAddress: RIGHT_ADDRESS }) },
  {
    // The last one: from here on this process' sockets are a pod's.
    name: "Node's own sockets on a pod's stack",
    create: async () => {
      const network = await networkOfBindings();
      return { left: network, right: network, rightAddress: LEFT_ADDRESS, close: async () => undefined };
    },
  },
];

afterAll(stopStack);

const MEBIBYTE = 1 << 20;

async function textOf(socket: PodTcpSocket): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of socket as AsyncIterable<Uint8Array>) parts.push(part);
  return Buffer.concat(parts).toString();
}

/** `[hadError]` once the socket is closed. */
function closeOf(socket: PodTcpSocket): Promise<unknown[]> {
  return new Promise((resolve) => socket.once('close', (...values: unknown[]) => resolve(values)));
}

/** The error a socket ends with. */
function errorOf(socket: PodTcpSocket): Promise<NodeJS.ErrnoException> {
  return new Promise((resolve) => socket.once('error', resolve));
}

describe.each(implementations)('$name', ({ create }) => {
  let ends: Ends;
  let server: PodTcpServer;
  const open: PodTcpSocket[] = [];

  beforeEach(async () => {
    ends = await create();
  });

  afterEach(async () => {
    for (const socket of open) socket.destroy();
    open.length = 0;
    if (server?.listening) await server.close();
    await ends.close();
  });

  async function listen(allowHalfOpen = false): Promise<number> {
    server = await ends.right.listenTcp({ port: 0, allowHalfOpen });
    return server.address().port;
  }

  async function connect(port: number, options: Partial<TcpConnectOptions> = {}): Promise<PodTcpSocket> {
    const socket = await ends.left.connectTcp({ host: ends.rightAddress, port, ...options });
    open.push(socket);
    return socket;
  }

  /** Client and server end of one connection. */
  async function pair(allowHalfOpen = false): Promise<[PodTcpSocket, PodTcpSocket]> {
    const port = await listen(allowHalfOpen);
    const accepted = once(server, 'connection') as Promise<[PodTcpSocket]>;
    const client = await connect(port, { allowHalfOpen });
    const [socket] = await accepted;
    open.push(socket);
    return [client, socket];
  }

  describe('a connection', () => {
    it('has addresses, families and states', async () => {
      const [client, socket] = await pair();
      expect(client).toMatchObject({
        remoteAddress: ends.rightAddress,
        remotePort: server.address().port,
        remoteFamily: 'IPv4',
        localFamily: 'IPv4',
        connecting: false,
        pending: false,
        readyState: 'open',
        destroyed: false,
        bytesRead: 0,
        bytesWritten: 0,
      });
      expect(socket.remotePort).toBe(client.localPort);
      expect(client.address()).toEqual({ address: client.localAddress, port: client.localPort, family: 'IPv4' });
    });

    it('chains its options, and changes nothing by them', async () => {
      const [client, socket] = await pair();
      expect(client.setNoDelay().setNoDelay(false).setKeepAlive(true, 1000).setKeepAlive().setTimeout(0)).toBe(client);
      expect(client.ref().unref().ref()).toBe(client);
      client.end('still here');
      expect(await textOf(socket)).toBe('still here');
    });

    it('keeps writes in order, whatever their kind, and calls back when each is done', async () => {
      const [client, socket] = await pair();
      const done: number[] = [];
      client.write('a', () => done.push(1));
      client.write(Buffer.from('b'), () => done.push(2));
      client.cork();
      client.write(new Uint8Array([99]), () => done.push(3));
      client.write('ZA==', 'base64', () => done.push(4));
      client.uncork();
      client.end('e', () => done.push(5));
      expect(await textOf(socket)).toBe('abcde');
      if (!client.closed) await closeOf(client);
      expect(done).toEqual([1, 2, 3, 4, 5]);
      expect([client.bytesWritten, socket.bytesRead]).toEqual([5, 5]);
    });

    it('carries nothing as nothing', async () => {
      const [client, socket] = await pair();
      client.write('');
      client.write(new Uint8Array(0));
      client.end();
      expect(await textOf(socket)).toBe('');
    });
  });

  describe('half-open', () => {
    it('not allowed: the end of one side ends the other', async () => {
      const [client, socket] = await pair();
      client.resume();
      socket.resume();
      const closes = Promise.all([closeOf(client), closeOf(socket)]);
      socket.end('bye');
      expect(await closes).toEqual([[false], [false]]);
      expect(client.readyState).toBe('closed');
    });

    it('allowed: what ended can still be answered', async () => {
      const [client, socket] = await pair(true);
      client.end('question');
      expect(await textOf(socket)).toBe('question');
      expect(client.writable).toBe(false);
      expect([client.readyState, socket.readyState]).toEqual(['readOnly', 'writeOnly']);
      socket.end('answer');
      expect(await textOf(client)).toBe('answer');
    });

    it('a write after the end is an error', async () => {
      const [client, socket] = await pair(true);
      socket.resume();
      client.end();
      const failed = errorOf(client);
      client.write('late');
      expect(await failed).toMatchObject({ code: 'ERR_STREAM_WRITE_AFTER_END' });
    });
  });

  describe('back-pressure', () => {
    it('write says when to wait, drain when to go on; what is queued counts as written', async () => {
      const [client, socket] = await pair();
      const block = Buffer.alloc(4 * MEBIBYTE, 7);
      expect(client.write(block)).toBe(false);
      expect(client.writableNeedDrain).toBe(true);
      expect(client.bytesWritten).toBe(block.length);
      socket.resume();
      await once(client, 'drain');
      expect(client.writableLength).toBe(0);
      client.end();
      await once(socket, 'end');
      expect(socket.bytesRead).toBe(block.length);
    });

    it('a paused reader stops the writer, and loses nothing', async () => {
      const [client, socket] = await pair();
      socket.pause();
      const total = 32 * MEBIBYTE;
      client.write(Buffer.alloc(total, 'x'));
      let read = socket.bytesRead;
      // Until nothing moves any more.
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 30));
        if (socket.bytesRead === read && read > 0) break;
        read = socket.bytesRead;
      }
      expect(client.writableLength).toBeGreaterThan(0);
      expect(read).toBeLessThan(total);
      client.end();
      let received = 0;
      socket.on('data', (chunk: Uint8Array) => {
        received += chunk.length;
      });
      socket.resume();
      await once(socket, 'end');
      expect(received).toBe(total);
    });

    it('pipes an echo', async () => {
      const [client, socket] = await pair(true);
      socket.pipe(socket);
      const sent = Buffer.from(Array.from({ length: MEBIBYTE }, (_, i) => (i * 7) & 0xff));
      client.end(sent);
      const parts: Uint8Array[] = [];
      for await (const part of client as AsyncIterable<Uint8Array>) parts.push(part);
      expect(Buffer.compare(Buffer.concat(parts), sent)).toBe(0);
    });
  });

  describe('time-outs', () => {
    it('tell of idleness and leave the socket open', async () => {
      const [client, socket] = await pair();
      let calls = 0;
      client.setTimeout(20, () => calls++);
      expect(client.timeout).toBe(20);
      await once(client, 'timeout');
      expect([calls, client.destroyed]).toEqual([1, false]);
      client.setTimeout(0);
      expect(client.timeout).toBe(0);
      client.end('alive');
      expect(await textOf(socket)).toBe('alive');
    });
  });

  describe('destruction', () => {
    it('is an orderly end for the peer that has read everything', async () => {
      const [client, socket] = await pair();
      const closed = closeOf(client);
      socket.resume();
      const ended = once(socket, 'end');
      client.destroy();
      expect([client.destroyed, client.readyState]).toEqual([true, 'closed']);
      expect(await closed).toEqual([false]);
      await ended;
    });

    it('with an error tells it, and close has it', async () => {
      const [client] = await pair();
      const failed = errorOf(client);
      const closed = closeOf(client);
      client.destroy(new Error('no more'));
      expect(await failed).toMatchObject({ message: 'no more' });
      expect(await closed).toEqual([true]);
    });

    it('a write afterwards fails', async () => {
      const [client] = await pair();
      client.destroy();
      const failed = new Promise((resolve) => client.write('late', (error) => resolve(error)));
      expect(await failed).toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
    });

    it('destroySoon sends first what was written', async () => {
      const [client, socket] = await pair();
      client.write(Buffer.alloc(MEBIBYTE, 'y'));
      client.destroySoon();
      expect((await textOf(socket)).length).toBe(MEBIBYTE);
      if (!client.closed) await closeOf(client);
      expect(client.destroyed).toBe(true);
    });

    it('by reset is ECONNRESET for the peer, and close(true)', async () => {
      const [client, socket] = await pair();
      socket.resume();
      const failed = errorOf(socket);
      const closed = closeOf(socket);
      expect(client.resetAndDestroy()).toBe(client);
      expect(await failed).toMatchObject({ code: 'ECONNRESET', syscall: 'read', message: 'read ECONNRESET' });
      expect(await closed).toEqual([true]);
    });

    it('of a socket with unread bytes resets the connection', async () => {
      const [client, socket] = await pair();
      socket.pause();
      client.write(Buffer.alloc(MEBIBYTE));
      while (socket.bytesRead === 0) {
        socket.read(0);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const failed = errorOf(client);
      socket.destroy();
      expect((await failed).code).toMatch(/^(ECONNRESET|EPIPE)$/);
    });

    it('writes to a peer that is gone end in ECONNRESET or EPIPE', async () => {
      const [client, socket] = await pair();
      const failed = errorOf(client);
      const closed = closeOf(client);
      socket.destroy();
      while (!client.destroyed) {
        client.write('anybody there?');
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      await closed;
      const error = await Promise.race([failed, Promise.resolve(undefined)]);
      // A socket that may not be half-open may also end by itself before it writes.
      if (error !== undefined) expect(error.code).toMatch(/^(ECONNRESET|EPIPE|ERR_STREAM_WRITE_AFTER_END)$/);
      expect(client.readyState).toBe('closed');
    });
  });

  describe('errors', () => {
    it('ECONNREFUSED, where nobody listens', async () => {
      const port = await listen();
      await server.close();
      await expect(connect(port)).rejects.toMatchObject({
        code: 'ECONNREFUSED',
        syscall: 'connect',
        errno: -111,
        address: ends.rightAddress,
        port,
        message: `connect ECONNREFUSED ${ends.rightAddress}:${port}`,
      });
    });

    it('EADDRINUSE, where somebody does', async () => {
      const port = await listen();
      await expect(ends.right.listenTcp({ port })).rejects.toMatchObject({
        code: 'EADDRINUSE',
        syscall: 'listen',
        errno: -98,
        port,
      });
    });
  });

  describe('a server', () => {
    it('counts its connections', async () => {
      const count = (): Promise<number> =>
        new Promise((resolve, reject) =>
          server.getConnections((error, connections) => (error === null ? resolve(connections) : reject(error))),
        );
      const [client, socket] = await pair();
      expect(await count()).toBe(1);
      await connect(server.address().port);
      await waitFor('two connections', async () => (await count()) === 2);
      const closed = closeOf(socket);
      socket.resume();
      client.destroy();
      await closed;
      await waitFor('one connection', async () => (await count()) === 1);
    });

    it('closed, accepts no more, and is closed when its last connection is', async () => {
      const [client, socket] = await pair();
      const { port } = server.address();
      const whole = new Promise((resolve) => server.once('close', () => resolve(socket.destroyed)));
      const told = new Promise((resolve) => void server.close(resolve));
      expect(server.listening).toBe(false);
      await expect(connect(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      socket.on('data', (data: Uint8Array) => socket.end(data));
      client.write('still served');
      expect(await textOf(client)).toBe('still served');
      expect(await whole).toBe(true);
      expect(await told).toBeUndefined();
    });

    it('closed twice says so', async () => {
      await listen();
      await server.close();
      const error = await new Promise((resolve) => void server.close(resolve));
      expect(error).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' });
    });

    it('drops what is beyond maxConnections', async () => {
      const port = await listen();
      server.maxConnections = 1;
      server.on('connection', (socket: PodTcpSocket) => {
        open.push(socket);
        socket.write('welcome');
      });
      const dropped = once(server, 'drop') as Promise<[{ remotePort: number; localPort: number }]>;
      const first = await connect(port);
      await once(first, 'data');
      const second = await connect(port);
      second.on('error', () => undefined);
      second.resume();
      if (!second.closed) await closeOf(second);
      expect(second.bytesRead).toBe(0);
      const [ends] = await dropped;
      expect(ends.localPort).toBe(port);
      expect(first.destroyed).toBe(false);
    });
  });

  describe('datagrams', () => {
    it('come whole, with where they are from, empty ones too', async () => {
      const receiver = await ends.right.bindUdp();
      const sender = await ends.left.bindUdp();
      const got: [number, number][] = [];
      const all = new Promise<void>((resolve) =>
        receiver.on('message', (data: Uint8Array, from: SocketAddress) => {
          got.push([data.length, from.port]);
          if (got.length === 3) resolve();
        }),
      );
      for (const size of [0, 1, 9000]) {
        await sender.send(new Uint8Array(size), receiver.address().port, ends.rightAddress);
      }
      await all;
      const { port } = sender.address();
      expect(got).toEqual([0, 1, 9000].map((size) => [size, port]));
      for (const socket of [receiver, sender]) {
        const closed = once(socket, 'close');
        socket.close();
        await closed;
      }
    });

    it('EMSGSIZE: longer than a datagram can be', async () => {
      const socket = await ends.left.bindUdp();
      await expect(socket.send(new Uint8Array(65_508), 9, ends.rightAddress)).rejects.toMatchObject({
        code: 'EMSGSIZE',
        syscall: 'send',
      });
      socket.close();
    });

    it('EADDRINUSE: a port that is taken', async () => {
      const first = await ends.right.bindUdp();
      const { port } = first.address();
      await expect(ends.right.bindUdp({ port })).rejects.toMatchObject({ code: 'EADDRINUSE', syscall: 'bind' });
      first.close();
    });

    it('ECONNREFUSED: a connected socket hears that nobody listens', async () => {
      const gone = await ends.right.bindUdp();
      const { port } = gone.address();
      gone.close();
      const socket = await ends.left.bindUdp({ remote: { address: ends.rightAddress, port } });
      const failed = new Promise((resolve) => socket.once('error', resolve));
      await socket.send(new Uint8Array(1), port, ends.rightAddress);
      expect(await failed).toMatchObject({ code: 'ECONNREFUSED' });
      socket.close();
    });
  });
});
