/** Cases of `net` as its users know it, each run on the machine's sockets and on a pod's. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { type Case, closed, describe, HOST, once, pause } from './story.ts';

export const netCases: Record<string, Case> = {
  'an echo and an orderly end': async (story) => {
    const { port } = await story.serve((socket) => story.watch('server', socket).pipe(socket));
    const client = story.connect('client', port);
    client.write('hello');
    client.end(' world', () => story.tell('client', 'end called back'));
    await closed(client);
  },
  'half-open, client ends first': async (story) => {
    const { port } = await story.serve(
      (socket) => {
        story.watch('server', socket);
        socket.on('end', () => setTimeout(() => socket.end('answer'), 10));
      },
      { allowHalfOpen: true },
    );
    const client = story.connect('client', port);
    client.end('question');
    await closed(client);
  },
  'half-open client, server ends first': async (story) => {
    let server!: Socket;
    const { port } = await story.serve(
      (socket) => {
        server = story.watch('server', socket);
        socket.end('bye');
      },
      { allowHalfOpen: true },
    );
    const client = story.connect('client', port, { allowHalfOpen: true });
    await once(client, 'end');
    story.tell('client', `${client.readyState} ${client.writable}`);
    client.write('still');
    client.end('here');
    await closed(client);
    await closed(server);
  },
  'not half-open: the end answers by itself': async (story) => {
    let server!: Socket;
    const { port } = await story.serve((socket) => {
      server = story.watch('server', socket);
    });
    const client = story.connect('client', port);
    await once(client, 'connect');
    client.end();
    await closed(client);
    await closed(server);
    story.tell('server', [server.readyState, server.destroyed, server.writableEnded]);
  },
  'time-outs': async (story) => {
    const { port } = await story.serve((socket) => story.watch('server', socket).pipe(socket));
    const client = story.connect('client', port, { timeout: 50 });
    story.tell('client', client.timeout);
    await once(client, 'timeout');
    story.tell('client', [client.destroyed, client.readyState]);
    story.tell('client', client.setTimeout(40, () => story.tell('callback', 'timeout')) === client);
    await once(client, 'timeout');
    client.setTimeout(0);
    await pause(80);
    client.end();
    await closed(client);
    for (const wrong of [-1, Number.NaN, 'x'] as number[]) {
      try {
        client.setTimeout(wrong);
      } catch (error) {
        story.tell('client', describe(error));
      }
    }
  },
  'time-outs are put off by traffic': async (story) => {
    const { port } = await story.serve((socket) => story.own(socket).pipe(socket));
    const client = story.connect('client', port);
    client.setTimeout(400);
    for (let i = 0; i < 6; i++) {
      client.write('x');
      await pause(100);
    }
    client.setTimeout(0);
    client.end();
    await closed(client);
  },
  'pause and resume': async (story) => {
    const { port } = await story.serve((socket) => {
      story.watch('server', socket).end('x'.repeat(50_000));
    });
    const client = story.connect('client', port);
    client.pause();
    await pause(40);
    story.tell('client', [client.isPaused(), client.readableFlowing, client.readableEnded]);
    client.resume();
    await closed(client);
  },
  'text in pieces': async (story) => {
    const { port } = await story.serve((socket) => {
      const bytes = Buffer.from('aäö€😀');
      socket.setNoDelay();
      let at = 0;
      const timer = setInterval(() => {
        if (at === bytes.length) {
          clearInterval(timer);
          socket.end();
        } else socket.write(bytes.subarray(at, ++at));
      }, 2);
    });
    const client = story.connect('client', port, {}, { data: false });
    client.setEncoding('utf8');
    let text = '';
    client.on('data', (chunk) => (text += chunk));
    await closed(client);
    story.tell('client', text);
  },
  'encodings of writes': async (story) => {
    let got = '';
    const { port } = await story.serve((socket) => {
      story.watch('server', socket).on('data', (data) => (got += data.toString('hex')));
    });
    const client = story.connect('client', port);
    client.write('abcdef', 'hex');
    client.write('YWJj', 'base64');
    client.write('äö', 'latin1');
    client.write('äö', 'utf16le');
    client.write(new Uint8Array([1, 2, 3]));
    client.write('');
    story.tell('client', [client.bytesWritten, client.writableLength]);
    client.end();
    await closed(client);
    story.tell('server', got);
  },
  'cork and uncork': async (story) => {
    const { port } = await story.serve((socket) => {
      story.watch('server', socket);
    });
    const client = story.connect('client', port);
    await once(client, 'connect');
    client.cork();
    client.write('a', () => story.tell('callbacks', 'a'));
    client.write(Buffer.from('b'), () => story.tell('callbacks', 'b'));
    story.tell('client', [client.bytesWritten, client.writableLength, client.writableCorked]);
    client.uncork();
    client.end('c', () => story.tell('callbacks', 'c'));
    await closed(client);
  },
  'wrong writes': async (story) => {
    const { port } = await story.serve((socket) => story.own(socket));
    const client = story.connect('client', port);
    for (const wrong of [null, 1, {}, undefined] as never[]) {
      try {
        client.write(wrong);
      } catch (error) {
        story.tell('client', describe(error));
      }
    }
    client.end();
    await closed(client);
  },
  'addresses of both ends': async (story) => {
    const { port } = await story.serve((socket) => {
      story.tell('server', [
        socket.localAddress,
        socket.localPort === port,
        socket.localFamily,
        socket.remoteAddress,
        socket.remoteFamily,
      ]);
      story.tell('server', Object.keys(socket.address()));
      socket.end();
    });
    const client = story.connect('client', port);
    story.tell('client', [client.remoteAddress ?? null, client.localAddress ?? null, client.address()]);
    await once(client, 'connect');
    story.tell('client', [
      client.localAddress,
      client.localFamily,
      client.remoteAddress,
      client.remotePort === port,
      client.remoteFamily,
    ]);
    await closed(client);
    story.tell('client', [client.remoteAddress ?? null, client.localAddress ?? null]);
  },
  'an aborted connect': async (story) => {
    const { port } = await story.serve((socket) => story.watch('server', socket));
    const controller = new AbortController();
    const client = story.connect('client', port, { signal: controller.signal } as object);
    controller.abort();
    await closed(client);
    const late = new AbortController();
    const other = story.connect('other', port, { signal: late.signal } as object);
    await once(other, 'connect');
    late.abort();
    await closed(other);
    const already = story.connect('already', port, { signal: AbortSignal.abort() } as object);
    await closed(already);
  },
  'a socket used again': async (story) => {
    const { port } = await story.serve((socket) => story.own(socket).end('x'));
    const client = story.watch('client', new Socket());
    client.connect(port, HOST);
    await closed(client);
    client.connect(port, HOST, () => story.tell('client', 'again'));
    await closed(client);
  },
  'options that are kept until there is a connection': async (story) => {
    const { port } = await story.serve((socket) => story.watch('server', socket).end(), {
      keepAlive: true,
      keepAliveInitialDelay: 5000,
      noDelay: true,
    });
    const client = story.connect('client', port, { keepAlive: true, keepAliveInitialDelay: 3000, noDelay: true });
    story.tell('client', client.setNoDelay().setKeepAlive(true, 1000).ref().unref().ref() === client);
    await closed(client);
    story.tell('client', client.setNoDelay(false).setKeepAlive(false) === client);
  },
  'a buffer of the user': async (story) => {
    const { port } = await story.serve((socket) => story.own(socket).end('x'.repeat(1000)));
    let bytes = 0;
    let largest = 0;
    const client = story.connect(
      'client',
      port,
      {
        onread: {
          buffer: Buffer.alloc(64),
          callback: (count: number) => {
            bytes += count;
            largest = Math.max(largest, count);
            return true;
          },
        },
      } as object,
      { data: false },
    );
    await closed(client);
    story.tell('client', [bytes, largest]);
  },
  'back-pressure': async (story) => {
    const { port } = await story.serve((socket) => {
      story.watch('server', socket, { data: false }).pause();
      setTimeout(() => socket.resume(), 60);
    });
    const client = story.connect('client', port);
    await once(client, 'connect');
    const block = Buffer.alloc(16 << 20);
    story.tell('client', [client.write(block), client.writableNeedDrain, client.bytesWritten]);
    await once(client, 'drain');
    client.end();
    await closed(client);
  },
  'a pipeline through an echo': async (story) => {
    const { port } = await story.serve((socket) => story.watch('server', socket, { data: false }).pipe(socket), {
      allowHalfOpen: true,
    });
    const client = story.connect('client', port, { allowHalfOpen: true }, { data: false });
    const total = 5_000_000;
    let received = 0;
    await Promise.all([
      pipeline(
        async function* () {
          for (let sent = 0; sent < total; sent += 50_000) yield Buffer.alloc(50_000, sent & 255);
        },
        client,
        { end: true },
      ).catch((error: unknown) => story.tell('pipeline', describe(error))),
      (async () => {
        for await (const chunk of client) received += (chunk as Buffer).length;
      })(),
    ]);
    story.tell('client', received);
  },
  'asynchronous context': async (story) => {
    const storage = new AsyncLocalStorage<string>();
    const { port } = await story.serve((socket) => story.own(socket).pipe(socket));
    const client = await storage.run('mine', async () => {
      const socket = story.connect('client', port);
      socket.on('connect', () => story.tell('context', ['connect', storage.getStore() ?? null]));
      socket.on('data', () => story.tell('context', ['data', storage.getStore() ?? null]));
      socket.on('close', () => story.tell('context', ['close', storage.getStore() ?? null]));
      return socket;
    });
    storage.run('writer', () => client.end('x', () => story.tell('callback', storage.getStore() ?? null)));
    await closed(client);
  },
};
