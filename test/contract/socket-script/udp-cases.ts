/** Cases of `dgram` as its users know it, each run on the machine's sockets and on a pod's. */
import { createSocket, type Socket } from 'node:dgram';
import { type Case, describe, HOST, once, pause, type Story } from './story.ts';

function watch(story: Story, actor: string, socket: Socket): Socket {
  for (const event of ['listening', 'connect', 'close']) socket.on(event, () => story.tell(actor, event));
  socket.on('error', (error) => story.tell(actor, describe(error)));
  socket.on('message', (data, { address, family, size }) =>
    story.tell(actor, [String(data).slice(0, 20), address, family, size]),
  );
  return story.own(socket);
}

async function bound(story: Story, actor: string): Promise<Socket> {
  const socket = watch(story, actor, createSocket('udp4'));
  socket.bind(0, HOST);
  await once(socket, 'listening');
  return socket;
}

const send = (socket: Socket, ...values: unknown[]): Promise<[unknown, unknown]> =>
  new Promise((resolve) =>
    (socket.send as (...all: unknown[]) => void)(...values, (error: unknown, bytes: unknown) =>
      resolve([error, bytes]),
    ),
  );

export const udpCases: Record<string, Case> = {
  'messages of all kinds': async (story) => {
    const server = await bound(story, 'server');
    const client = watch(story, 'client', createSocket('udp4'));
    const { port } = server.address();
    for (const message of [
      'text',
      Buffer.from('bytes'),
      new Uint8Array([97, 98]),
      ['a', Buffer.from('b')],
      '',
      Buffer.alloc(0),
      [],
    ]) {
      story.tell('callback', await send(client, message, port, HOST));
    }
    story.tell('callback', await send(client, Buffer.from('0123456789'), 2, 3, port, HOST));
    await pause(40);
  },
  connected: async (story) => {
    const server = await bound(story, 'server');
    const { port } = server.address();
    server.on('message', (data, { port: from, address }) => server.send(`re: ${data}`, from, address));
    const stranger = await bound(story, 'stranger');
    const client = watch(story, 'client', createSocket('udp4'));
    client.connect(port, HOST);
    await once(client, 'connect');
    const { address, family, port: remote } = client.remoteAddress();
    story.tell('client', [address, family, remote === port]);
    story.tell('callback', await send(client, 'hello'));
    stranger.send('not heard', client.address().port, HOST);
    await pause(40);
    try {
      client.connect(port, HOST);
    } catch (error) {
      story.tell('client', describe(error));
    }
    client.disconnect();
    try {
      client.remoteAddress();
    } catch (error) {
      story.tell('client', describe(error));
    }
    story.tell('callback', await send(client, 'again', port, HOST));
    await pause(40);
  },
  'nobody listens': async (story) => {
    const gone = await bound(story, 'gone');
    const { port } = gone.address();
    gone.close();
    await once(gone, 'close');
    const client = watch(story, 'connected', createSocket('udp4'));
    client.connect(port, HOST);
    await once(client, 'connect');
    client.send('x', () => undefined);
    await once(client, 'error');
    const other = watch(story, 'not connected', createSocket('udp4'));
    story.tell('not connected', await send(other, 'x', port, HOST));
    await pause(30);
  },
  'ports and addresses that cannot be had': async (story) => {
    const first = await bound(story, 'first');
    const { port } = first.address();
    const second = watch(story, 'second', createSocket('udp4'));
    second.bind(port, HOST);
    await once(second, 'error');
    const third = watch(story, 'third', createSocket('udp4'));
    third.bind(0, '192.0.2.77');
    await once(third, 'error');
  },
  'too long': async (story) => {
    const server = await bound(story, 'server');
    const { port } = server.address();
    const [error] = await send(server, Buffer.alloc(65_508), port, HOST);
    story.tell('callback', describe(error));
    story.tell('callback', await send(server, Buffer.alloc(65_507), port, HOST));
    await pause(40);
  },
  'wrong calls': async (story) => {
    const socket = await bound(story, 'socket');
    const calls: (() => unknown)[] = [
      () => socket.bind(1),
      () => socket.send('x', 0, HOST),
      () => socket.send('x', 65_536, HOST),
      () => socket.send(7 as never, 1, HOST),
      () => socket.setTTL(0),
      () => socket.setTTL(256),
      () => socket.setBroadcast(1 as never),
      () => socket.remoteAddress(),
      () => socket.disconnect(),
      () => createSocket('udp5' as never),
      () => createSocket('udp4').setTTL(5),
      () => createSocket('udp4').setBroadcast(true),
      () => createSocket('udp4').address(),
      () => createSocket('udp4').getRecvBufferSize(),
      () => createSocket('udp4').setRecvBufferSize(1000),
    ];
    for (const call of calls) {
      try {
        story.tell('socket', [String(call), typeof call()]);
      } catch (error) {
        story.tell('socket', [String(call), describe(error)]);
      }
    }
  },
  options: async (story) => {
    const socket = await bound(story, 'socket');
    story.tell('socket', [
      socket.setTTL(5),
      typeof socket.setBroadcast(true),
      socket.setMulticastTTL(3),
      socket.setMulticastLoopback(true) as unknown,
    ]);
    story.tell('socket', [
      socket.getSendQueueSize(),
      socket.getSendQueueCount(),
      socket.getRecvBufferSize() > 0,
      socket.getSendBufferSize() > 0,
    ]);
    story.tell('socket', socket.ref().unref().ref() === socket);
    socket.setRecvBufferSize(20_000);
    socket.setSendBufferSize(20_000);
    story.tell('socket', [socket.getRecvBufferSize(), socket.getSendBufferSize()]);
  },
  'broadcast without leave': async (story) => {
    const socket = await bound(story, 'socket');
    const [error] = await send(socket, 'x', 9, '255.255.255.255');
    story.tell('callback', describe(error));
  },
  closing: async (story) => {
    const socket = await bound(story, 'socket');
    socket.send('x', socket.address().port, HOST, (error) => story.tell('callback', describe(error)));
    socket.close(() => story.tell('closed', 'called back'));
    await once(socket, 'close');
    for (const call of [
      () => socket.close(),
      () => socket.address(),
      () => socket.send('x', 1, HOST),
      () => socket.bind(),
      () => socket.ref(),
    ]) {
      try {
        call();
        story.tell('after', `no error ${call}`);
      } catch (error) {
        story.tell('after', describe(error));
      }
    }
  },
  aborted: async (story) => {
    const controller = new AbortController();
    const socket = watch(story, 'socket', createSocket({ type: 'udp4', signal: controller.signal }));
    socket.bind(0, HOST);
    await once(socket, 'listening');
    controller.abort();
    await once(socket, 'close');
  },
  'sending binds': async (story) => {
    const server = await bound(story, 'server');
    const client = watch(story, 'client', createSocket('udp4'));
    client.send('one', server.address().port, HOST);
    client.send('two', server.address().port, HOST);
    await once(server, 'message');
    await pause(20);
    const { address, family, port } = client.address();
    story.tell('client', [address, family, port > 0]);
  },
  'both versions': async (story) => {
    const server = watch(story, 'server', createSocket('udp6'));
    server.bind(0);
    await once(server, 'listening');
    const { address, family, port } = server.address();
    story.tell('server', [address, family]);
    const four = watch(story, 'four', createSocket('udp4'));
    const six = watch(story, 'six', createSocket('udp6'));
    await send(four, 'from four', port, HOST);
    await pause(20);
    await send(six, 'from six', port, '::1');
    await pause(20);
    const [mismatch] = await send(four, 'x', port, '::1');
    story.tell('mismatch', describe(mismatch));
    const only = watch(story, 'only', createSocket({ type: 'udp6', ipv6Only: true }));
    only.bind(0);
    await once(only, 'listening');
    await send(four, 'not heard', only.address().port, HOST);
    await send(six, 'heard', only.address().port, '::1');
    await pause(20);
  },
  'many at once': async (story) => {
    const server = story.own(createSocket('udp4'));
    server.bind(0, HOST);
    await once(server, 'listening');
    let got = 0;
    server.on('message', () => got++);
    const client = story.own(createSocket('udp4'));
    const { port } = server.address();
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 20 }, () => send(client, 'x', port, HOST)));
      await pause(1);
    }
    await pause(50);
    story.tell('server', got);
  },
};
