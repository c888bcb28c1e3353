import { Socket } from 'node:net';
import { type Case, closed, describe, once, pause } from './story.ts';

export const endingCases: Record<string, Case> = {
  'a write after the peer ended': async (story) => {
    const { port } = await story.serve((socket) => story.watch('server', socket).end());
    const client = story.connect('client', port);
    await closed(client);
    client.write('late', (error) => story.tell('client', describe(error)));
    await pause(20);
  },
  'a write after end': async (story) => {
    const { port } = await story.serve((socket) => story.watch('server', socket));
    const client = story.connect('client', port);
    await once(client, 'connect');
    client.end();
    client.write('late', (error) => story.tell('callback', describe(error)));
    await closed(client);
  },
  'end before the connection is there': async (story) => {
    const { port } = await story.serve((socket) => story.watch('server', socket));
    const client = story.connect('client', port);
    story.tell('client', [client.connecting, client.pending, client.readyState, client.bytesWritten]);
    client.end('early');
    story.tell('client', [client.connecting, client.pending, client.readyState, client.bytesWritten]);
    await closed(client);
  },
  'destroy before the connection is there': async (story) => {
    const { port } = await story.serve((socket) => socket.destroy());
    const client = story.connect('client', port);
    client.write('never', (error) => story.tell('callback', describe(error)));
    client.destroy();
    story.tell('client', [client.connecting, client.destroyed, client.readyState]);
    await closed(client);
  },
  'destroy with an error': async (story) => {
    const { port } = await story.serve((socket) => story.watch('server', socket));
    const client = story.connect('client', port);
    await once(client, 'connect');
    client.destroy(new Error('why'));
    await closed(client);
    story.tell('client', [client.remoteAddress ?? null, client.localAddress ?? null, client.address()]);
  },
  destroySoon: async (story) => {
    let server!: Socket;
    const { port } = await story.serve((socket) => {
      server = story.watch('server', socket);
    });
    const client = story.connect('client', port);
    await once(client, 'connect');
    client.write(Buffer.alloc(300_000));
    client.destroySoon();
    await closed(client);
    await closed(server);
  },
  resetAndDestroy: async (story) => {
    let server!: Socket;
    const accepted = new Promise<void>((resolve) => {
      void story
        .serve((socket) => {
          server = story.watch('server', socket);
          resolve();
        })
        .then(({ port }) => {
          const client = story.connect('client', port);
          client.on('connect', () => void accepted.then(() => client.resetAndDestroy()));
        });
    });
    await accepted;
    await closed(server);
  },
  'resetAndDestroy while connecting': async (story) => {
    const { port } = await story.serve((socket) => story.watch('server', socket));
    const client = story.connect('client', port);
    client.resetAndDestroy();
    await closed(client);
  },
  'resetAndDestroy of a socket that never connected': async (story) => {
    const client = story.watch('client', new Socket());
    story.tell('client', [client.readyState, client.pending, client.connecting, client.address()]);
    client.resetAndDestroy();
    await closed(client);
  },
  'a reset while the peer writes': async (story) => {
    let server!: Socket;
    const { port } = await story.serve((socket) => {
      server = story.watch('server', socket);
      socket.on('data', () => socket.resetAndDestroy());
    });
    const client = story.connect('client', port, {}, { data: false });
    client.resume();
    client.write('x');
    await closed(client);
    client.write('x', (error) => story.tell('callback', describe(error)));
    await closed(server);
  },
  'events of a connection that throws nothing away': async (story) => {
    // Data, and then a reset: what was read before the reset stays read.
    const { port } = await story.serve((socket) => {
      story.own(socket).write('first', () => setTimeout(() => socket.resetAndDestroy(), 30));
    });
    const client = story.connect('client', port);
    await closed(client);
  },
  'a paused reader and an end': async (story) => {
    const { port } = await story.serve((socket) => story.own(socket).end('first'));
    const client = story.connect('client', port, {}, { data: false });
    client.pause();
    await pause(60);
    story.tell('client', [client.readableLength > 0 || client.bytesRead === 0, client.readyState]);
    client.on('data', (data) => story.tell('client', String(data)));
    client.resume();
    await closed(client);
  },
  'unread data and destroy': async (story) => {
    const { port } = await story.serve((socket) => {
      story.own(socket).pause();
      setTimeout(() => socket.destroy(), 40);
    });
    const client = story.connect('client', port);
    client.write('x'.repeat(1000));
    await closed(client);
  },
  'errors of a write in flight': async (story) => {
    const { port } = await story.serve((socket) => {
      story.own(socket).pause();
      setTimeout(() => socket.resetAndDestroy(), 40);
    });
    const client = story.connect('client', port);
    await once(client, 'connect');
    client.write(Buffer.alloc(32 << 20), (error) =>
      story.tell('callback', (error as NodeJS.ErrnoException)?.code ?? String(error)),
    );
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
    story.tell('told', /^(ECONNRESET|EPIPE)$/.test(error.code ?? ''));
    await closed(client);
  },
};
