/** Cases of `http` and `fetch`, which stand on `net` unchanged. */
import http from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { body, listen, read, watchRequest } from './exchange.ts';
import { type Case, closed, describe, HOST, once, pause } from './story.ts';

export const httpCases: Record<string, Case> = {
  'requests on one connection': async (story) => {
    const sockets = new Set<Socket>();
    const port = await listen(
      story,
      http.createServer((request, response) => {
        sockets.add(request.socket);
        response.end(`${request.method} ${request.url}`);
      }),
    );
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (const path of ['/a', '/b', '/c']) {
      const response = await new Promise<http.IncomingMessage>((resolve) =>
        http.get({ port, host: HOST, path, agent }, resolve),
      );
      story.tell('client', [response.statusCode, response.headers.connection, await read(response)]);
    }
    story.tell('server', sockets.size);
    agent.destroy();
  },
  'large bodies both ways': async (story) => {
    const port = await listen(
      story,
      http.createServer((request, response) => request.pipe(response)),
    );
    const request = watchRequest(story, 'client', http.request({ port, host: HOST, method: 'POST' }));
    request.end(body(6_000_000));
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    story.tell('client', await read(response));
  },
  'pipelined requests': async (story) => {
    const port = await listen(
      story,
      http.createServer((request, response) =>
        setTimeout(() => response.end(request.url), request.url === '/1' ? 30 : 1),
      ),
    );
    const socket = story.own(connect(port, HOST));
    socket.write(
      'GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\nGET /3 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n',
    );
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    story.tell('client', text.match(/\/\d/g));
  },
  upgrade: async (story) => {
    const server = http.createServer();
    server.on('upgrade', (request, socket: Socket, head) => {
      story.tell('server', [request.headers.upgrade, head.toString()]);
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
      socket.pipe(socket);
    });
    const port = await listen(story, server);
    const request = http.request({ port, host: HOST, headers: { connection: 'upgrade', upgrade: 'echo' } });
    request.end();
    const [, socket] = (await once(request, 'upgrade')) as [unknown, Socket];
    socket.end('after the upgrade');
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    story.tell('client', text);
  },
  CONNECT: async (story) => {
    const server = http.createServer();
    server.on('connect', (request, socket: Socket) => {
      story.tell('server', request.url ?? '');
      socket.end('HTTP/1.1 200 OK\r\n\r\ntunnelled');
    });
    const port = await listen(story, server);
    const request = http.request({ port, host: HOST, method: 'CONNECT', path: 'a.test:1' });
    request.end();
    const [, socket, head] = (await once(request, 'connect')) as [unknown, Socket, Buffer];
    let text = head.toString();
    for await (const chunk of socket) text += String(chunk);
    story.tell('client', text);
  },
  'a client that gives up': async (story) => {
    const over = new Promise<void>((resolve) => {
      void listen(
        story,
        http.createServer((request, response) => {
          request.on('error', (error) => story.tell('request', describe(error)));
          request.on('close', () => story.tell('request', ['close', request.complete, request.aborted]));
          response.on('close', () => {
            story.tell('response', ['close', response.writableFinished]);
            resolve();
          });
          response.write('begun');
        }),
      ).then((port) => {
        const request = watchRequest(story, 'client', http.get({ port, host: HOST }));
        request.on('response', (response) => {
          response.on('error', (error) => story.tell('client response', describe(error)));
          response.once('data', () => request.destroy());
        });
      });
    });
    await over;
    await pause(20);
  },
  'a server that hangs up': async (story) => {
    const port = await listen(
      story,
      http.createServer((request, response) => {
        if (request.url === '/before') request.socket.destroy();
        else if (request.url === '/reset') request.socket.resetAndDestroy();
        else {
          response.writeHead(200, { 'content-length': 100 });
          response.write('begun');
          setTimeout(() => response.destroy(), 20);
        }
      }),
    );
    for (const path of ['/before', '/reset', '/within']) {
      const request = watchRequest(story, path, http.get({ port, host: HOST, path, agent: false }));
      request.on('response', async (response) => story.tell(`${path} body`, await read(response)));
      await once(request, 'close');
    }
  },
  'nobody listens': async (story) => {
    const server = createServer();
    const port = await listen(story, server);
    await new Promise((resolve) => server.close(resolve));
    await once(watchRequest(story, 'client', http.get({ port, host: HOST })), 'close');
    const error = await fetch(`http://${HOST}:${port}/`).catch((cause: unknown) => cause as Error);
    story.tell('fetch', describe(error));
    story.tell('fetch', describe((error as Error).cause));
  },
  'time-outs of requests': async (story) => {
    const port = await listen(
      story,
      http.createServer(() => undefined),
    );
    const request = watchRequest(story, 'client', http.get({ port, host: HOST, timeout: 40 }));
    await once(request, 'timeout');
    request.destroy();
    await once(request, 'close');
    const aborted = watchRequest(story, 'aborted', http.get({ port, host: HOST, signal: AbortSignal.timeout(40) }));
    await once(aborted, 'close');
  },
  'continue, trailers, chunks': async (story) => {
    const port = await listen(
      story,
      http.createServer(async (request, response) => {
        response.writeHead(200, { trailer: 'x-sum' });
        response.write(await read(request));
        response.addTrailers({ 'x-sum': '7' });
        response.end();
      }),
    );
    const request = watchRequest(
      story,
      'client',
      http.request({ port, host: HOST, method: 'PUT', headers: { expect: '100-continue' } }),
    );
    request.flushHeaders();
    await once(request, 'continue');
    for (let i = 0; i < 5; i++) request.write(body(10_000));
    request.end();
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    story.tell('client', [await read(response), response.trailers, response.complete]);
  },
  'garbage to a server': async (story) => {
    const server = http.createServer();
    server.on('clientError', (error, socket: Socket) => {
      story.tell('server', (error as NodeJS.ErrnoException).code ?? '');
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    const port = await listen(story, server);
    const client = story.connect('client', port);
    client.write('nonsense\r\n\r\n');
    await closed(client);
  },
  fetch: async (story) => {
    const port = await listen(
      story,
      http.createServer((request, response) => request.pipe(response)),
    );
    const answer = await fetch(`http://${HOST}:${port}/`, { method: 'POST', body: body(300_000) });
    story.tell('client', [answer.status, (await answer.arrayBuffer()).byteLength]);
    const controller = new AbortController();
    const aborted = fetch(`http://${HOST}:${port}/`, {
      method: 'POST',
      body: new ReadableStream({ pull: () => new Promise(() => undefined) }),
      duplex: 'half',
      signal: controller.signal,
    } as RequestInit);
    setTimeout(() => controller.abort(), 30);
    story.tell(
      'aborted',
      await aborted.then(
        () => 'answered',
        (error: Error) => error.name,
      ),
    );
  },
  'closing a server with idle connections': async (story) => {
    const server = http.createServer((_request, response) => response.end('x'));
    const port = await listen(story, server);
    const agent = new http.Agent({ keepAlive: true });
    const request = http.get({ port, host: HOST, agent });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    await read(response);
    await new Promise<void>((resolve) => server.close(() => resolve()));
    story.tell('server', 'closed');
    agent.destroy();
  },
};
