import { once as eventOf } from 'node:events';
import type { AddressInfo } from 'node:net';
import { BlockList, connect, createServer } from 'node:net';
import { type Case, closed, describe, HOST, once } from './story.ts';

export const endpointCases: Record<string, Case> = {
  'connection refused': async (story) => {
    const server = await story.serve(() => undefined);
    const { port } = server;
    await new Promise((resolve) => server.close(resolve));
    const client = story.connect('client', port);
    client.write('never', (error) => story.tell('callback', describe(error)));
    await closed(client);
    const bound = story.connect('from an address', port, { localAddress: HOST });
    await closed(bound);
  },
  'a local address that is not ours': async (story) => {
    const { port } = await story.serve(() => undefined);
    const client = story.connect('client', port, { localAddress: '192.0.2.77' });
    await closed(client);
  },
  'a local port that somebody listens on': async (story) => {
    const { port } = await story.serve(() => undefined);
    const other = await story.serve(() => undefined);
    const client = story.connect('client', port, { localAddress: HOST, localPort: other.port });
    await closed(client);
  },
  'a local port that a connection of ours has': async (story) => {
    const { port } = await story.serve((socket) => story.watch('server', socket));
    const first = story.connect('first', port);
    await once(first, 'connect');
    const second = story.own(connect({ port, host: HOST, localAddress: HOST, localPort: first.localPort }));
    const [error] = (await once(second, 'error')) as [NodeJS.ErrnoException];
    story.tell('second', error.code);
  },
  'a local port of choice': async (story) => {
    const { port } = await story.serve((socket) => {
      story.tell('server', socket.remotePort === chosen);
      socket.end();
    });
    const free = await story.serve(() => undefined);
    const chosen = free.port;
    await new Promise((resolve) => free.close(resolve));
    const client = story.connect('client', port, { localPort: chosen });
    await once(client, 'connect');
    story.tell('client', client.localPort === chosen);
    await closed(client);
  },
  'a port that is taken': async (story) => {
    const { port } = await story.serve(() => undefined);
    const second = story.own(createServer());
    second.on('error', (error) => story.tell('second', describe(error)));
    second.on('close', () => story.tell('second', 'close'));
    second.listen(port, HOST);
    await once(second, 'error');
    story.tell('second', [second.listening, second.address()]);
    second.listen(0, HOST);
    await once(second, 'listening');
    story.tell('second', second.listening);
  },
  'a listening address that is not ours': async (story) => {
    const server = story.own(createServer());
    server.listen(0, '192.0.2.77');
    const [error] = await once(server, 'error');
    story.tell('server', describe(error));
  },
  'listening twice, closing twice': async (story) => {
    const server = story.own(createServer());
    server.listen(0, HOST);
    try {
      server.listen(0, HOST);
    } catch (error) {
      story.tell('server', describe(error));
    }
    await once(server, 'listening');
    const { family, address } = server.address() as AddressInfo;
    story.tell('server', [family, address, server.listening]);
    server.close((error) => story.tell('first', describe(error)));
    server.close((error) => story.tell('second', describe(error)));
    story.tell('server', [server.listening, server.address()]);
    await once(server, 'close');
  },
  'a server that closes with a connection open': async (story) => {
    const server = await story.serve((socket) => {
      story.watch('connection', socket);
      server.close(() => story.tell('server', 'closed'));
      server.getConnections((error, count) => story.tell('server', [error, count]));
      setTimeout(() => socket.end('last'), 20);
    });
    const client = story.connect('client', server.port);
    await once(server, 'close');
    const late = story.connect('late', server.port);
    await closed(late);
    await closed(client);
  },
  maxConnections: async (story) => {
    const server = await story.serve((socket) => story.watch('server', socket));
    server.maxConnections = 1;
    server.on('drop', (data) =>
      story.tell('drop', { ...data, localPort: data?.localPort === server.port, remotePort: typeof data?.remotePort }),
    );
    const first = story.connect('first', server.port);
    await once(first, 'connect');
    const second = story.connect('second', server.port);
    await closed(second);
    first.end();
    await closed(first);
  },
  pauseOnConnect: async (story) => {
    const { port } = await story.serve(
      (socket) => {
        story.tell('server', [socket.isPaused(), socket.bytesRead]);
        setTimeout(() => story.watch('server', socket).resume(), 30);
      },
      { pauseOnConnect: true },
    );
    const client = story.connect('client', port);
    client.end('x'.repeat(1000));
    await closed(client);
  },
  'wrong connects': async (story) => {
    for (const wrong of [
      { port: 65_536 },
      { port: -1 },
      { port: 'x' },
      {},
      { port: 80, localAddress: 'x' },
      { port: 80, localPort: 'x' },
      { port: 80, family: 9 },
    ] as never[]) {
      try {
        const socket = connect(wrong);
        socket.on('error', () => undefined);
        socket.destroy();
        story.tell('client', `no error for ${JSON.stringify(wrong)}`);
      } catch (error) {
        story.tell('client', describe(error));
      }
    }
  },
  'an aborted server': async (story) => {
    const controller = new AbortController();
    const server = story.own(createServer());
    server.on('close', () => story.tell('server', 'close'));
    server.listen({ port: 0, host: HOST, signal: controller.signal });
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    controller.abort();
    await once(server, 'close');
    const client = story.connect('client', port);
    await closed(client);
  },
  'a blocked address': async (story) => {
    const blockList = new BlockList();
    blockList.addAddress(HOST);
    const { port } = await story.serve((socket) => story.watch('server', socket));
    const client = story.connect('client', port, { blockList } as object);
    await closed(client);
    const guarded = await story.serve(() => story.tell('guarded', 'connection'), { blockList });
    guarded.on('drop', () => story.tell('guarded', 'drop'));
    const refused = story.connect('refused', guarded.port);
    await closed(refused);
  },
  'attempts at several addresses': async (story) => {
    const { port } = await story.serve((socket) => story.own(socket).end());
    const lookup = (_name: string, _options: object, done: (error: null, found: object[]) => void): void =>
      done(null, [
        { address: '::1', family: 6 },
        { address: HOST, family: 4 },
      ]);
    const client = story.connect('client', port, { host: 'both.test', lookup, autoSelectFamily: true } as object);
    client.on('connectionAttempt', (ip, _port, family) => story.tell('client', ['attempt', ip, family]));
    client.on('connectionAttemptFailed', (ip, _port, family, error) =>
      story.tell('client', ['failed', ip, family, (error as NodeJS.ErrnoException).code]),
    );
    await once(client, 'connect');
    story.tell('client', [client.remoteAddress, client.autoSelectFamilyAttemptedAddresses?.length]);
    await closed(client);
    const server = await story.serve(() => undefined);
    await new Promise((resolve) => server.close(resolve));
    const none = story.own(connect({ port: server.port, host: 'both.test', lookup, autoSelectFamily: true } as never));
    const [error] = (await once(none, 'error')) as [AggregateError];
    story.tell('none', [error.name, (error as NodeJS.ErrnoException).code ?? null, ...error.errors.map(describe)]);
  },
  'a lookup that fails': async (story) => {
    const failing = (_name: string, _options: object, done: (error: Error) => void): void =>
      done(
        Object.assign(new Error('getaddrinfo ENOTFOUND nowhere.test'), {
          code: 'ENOTFOUND',
          syscall: 'getaddrinfo',
          hostname: 'nowhere.test',
        }),
      );
    const client = story.connect('client', 80, { host: 'nowhere.test', lookup: failing } as object);
    await closed(client);
  },
  'listening on both versions': async (story) => {
    const server = story.own(
      createServer((socket) => {
        story.tell('server', [socket.remoteAddress, socket.remoteFamily, socket.localAddress, socket.localFamily]);
        socket.end();
      }),
    );
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const { port, address, family } = server.address() as AddressInfo;
    story.tell('listening', [address, family]);
    await closed(story.connect('client', port));
    await closed(story.connect('client6', port, { host: '::1' }));
    const only = story.own(createServer((socket) => socket.end()));
    await new Promise<void>((resolve) => only.listen({ port: 0, host: '::', ipv6Only: true }, resolve));
    await closed(story.connect('four to six', (only.address() as AddressInfo).port));
    await closed(story.connect('six to six', (only.address() as AddressInfo).port, { host: '::1' }));
  },
  'a server of both versions beside one': async (story) => {
    const { port } = await story.serve(() => undefined);
    const all = story.own(createServer());
    all.on('error', (error) => story.tell('all', describe(error)));
    all.on('listening', () => story.tell('all', 'listening'));
    all.listen(port);
    await Promise.race([once(all, 'error'), once(all, 'listening')]);
  },
  'many connections at a time': async (story) => {
    let served = 0;
    const { port } = await story.serve((socket) => {
      served++;
      story.own(socket).end(String(served));
    });
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        const socket = connect(port, HOST);
        socket.resume();
        await eventOf(socket, 'close');
      }),
    );
    story.tell('server', served);
  },
};
