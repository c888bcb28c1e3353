/** Cases of `tls`, `https` and `http2`, each run on the machine's sockets and on a pod's. */
import { readFileSync } from 'node:fs';
import type http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { connect } from 'node:net';
import tls from 'node:tls';
import { body, listen, read, watchRequest } from './exchange.ts';
import { type Case, closed, describe, HOST, once, pause } from './story.ts';

const key = readFileSync(process.env.SCRIPT_KEY!);
const cert = readFileSync(process.env.SCRIPT_CERT!);

export const tlsCases: Record<string, Case> = {
  'TLS: what both agree on': async (story) => {
    const server = tls.createServer({ key, cert, ALPNProtocols: ['b', 'a'] }, (socket) => {
      story.tell('server', [
        socket.alpnProtocol,
        socket.getProtocol(),
        (socket as tls.TLSSocket & { servername: string }).servername,
        socket.encrypted,
      ]);
      socket.pipe(socket);
    });
    const port = await listen(story, server);
    const client = story.watch(
      'client',
      tls.connect({ port, host: HOST, ca: cert, servername: 'podwire.test', ALPNProtocols: ['a', 'b'] }),
    );
    await once(client, 'secureConnect');
    story.tell('client', [
      client.authorized,
      client.alpnProtocol,
      client.getPeerCertificate().subject.CN,
      client.remoteAddress,
      client.localFamily,
    ]);
    client.end('hello');
    await closed(client);
  },
  'TLS: large bodies, and a half-open end': async (story) => {
    const server = tls.createServer({ key, cert, allowHalfOpen: true }, async (socket) => {
      const got = await read(socket);
      story.tell('server', got);
      socket.end(body(2_000_000));
    });
    const port = await listen(story, server);
    const client = tls.connect({
      port,
      host: HOST,
      ca: cert,
      servername: 'podwire.test',
      allowHalfOpen: true,
    } as tls.ConnectionOptions);
    client.end(body(3_000_000));
    story.tell('client', await read(client));
  },
  'TLS: not trusted': async (story) => {
    const server = tls.createServer({ key, cert }, (socket) => socket.end());
    server.on('tlsClientError', (error) =>
      story.tell('server', (error as NodeJS.ErrnoException).code ?? error.message),
    );
    const port = await listen(story, server);
    await closed(story.watch('untrusted', tls.connect({ port, host: HOST, servername: 'podwire.test' })));
    await closed(story.watch('other name', tls.connect({ port, host: HOST, ca: cert, servername: 'other.test' })));
  },
  'TLS: peers that do not speak it': async (story) => {
    const plain = await story.serve((socket) => story.own(socket).end('hello, who are you?\r\n'));
    await closed(story.watch('wrong answer', tls.connect({ port: plain.port, host: HOST })));
    const mute = await story.serve((socket) => story.own(socket).end());
    await closed(story.watch('hung up', tls.connect({ port: mute.port, host: HOST })));
    const server = tls.createServer({ key, cert });
    server.on('tlsClientError', (error) =>
      story.tell('server', (error as NodeJS.ErrnoException).code ?? error.message),
    );
    const port = await listen(story, server);
    const client = story.connect('plain client', port);
    client.write('GET / HTTP/1.0\r\n\r\n');
    await closed(client);
  },
  'TLS: destroyed': async (story) => {
    const server = tls.createServer({ key, cert }, (socket) => story.watch('server', socket).destroy());
    const port = await listen(story, server);
    const options = { port, host: HOST, ca: cert, servername: 'podwire.test' };
    await closed(story.watch('destroyed', tls.connect(options)));
  },
  'TLS: over a socket of mine, and a session again': async (story) => {
    const server = tls.createServer({ key, cert, maxVersion: 'TLSv1.2' }, (socket) => {
      story.tell('server', socket.isSessionReused());
      socket.end('x');
    });
    const port = await listen(story, server);
    let session: Buffer | undefined;
    for (const round of [1, 2]) {
      const socket = connect(port, HOST);
      const client = tls.connect({ socket, ca: cert, servername: 'podwire.test', session });
      client.on('session', (made) => (session = made));
      client.resume();
      await once(client, 'secureConnect');
      story.tell('client', [round, client.isSessionReused(), client.remoteAddress]);
      await closed(client);
    }
  },
  https: async (story) => {
    const port = await listen(
      story,
      https.createServer({ key, cert }, (request, response) => request.pipe(response)),
    );
    const request = watchRequest(
      story,
      'client',
      https.request({ port, host: HOST, ca: cert, servername: 'podwire.test', method: 'POST' }),
    );
    request.end(body(2_000_000));
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    story.tell('client', [response.statusCode, await read(response)]);
  },
  'http2: streams, pings, large bodies': async (story) => {
    const server = http2.createServer();
    server.on('stream', (stream, headers) => {
      stream.respond({ ':status': 200, path: headers[':path'] });
      stream.pipe(stream);
    });
    const port = await listen(story, server);
    const session = http2.connect(`http://${HOST}:${port}`);
    story.own({ destroy: () => session.destroy() });
    await once(session, 'connect');
    story.tell('ping', await new Promise((resolve) => session.ping((error) => resolve(describe(error)))));
    await Promise.all(
      Array.from({ length: 5 }, async (_, i) => {
        const stream = session.request({ ':method': 'POST', ':path': `/${i}` });
        stream.on('response', (headers) => story.tell(`stream ${i}`, [headers[':status'], headers.path]));
        stream.end(body(500_000 * (i + 1)));
        story.tell(`stream ${i}`, await read(stream));
      }),
    );
    await new Promise<void>((resolve) => session.close(resolve));
    story.tell('session', [session.closed, session.destroyed]);
  },
  'http2: over TLS, cancelled, gone away': async (story) => {
    const server = http2.createSecureServer({ key, cert, allowHTTP1: true }, (request, response) => {
      if (request.httpVersion === '1.1') response.end('one');
    });
    server.on('stream', (stream, headers) => {
      stream.on('error', (error) => story.tell('server', describe(error)));
      stream.on('aborted', () => story.tell('server', 'aborted'));
      stream.on('close', () => story.tell('server', `close ${stream.rstCode}`));
      if (headers[':path'] === '/goaway') stream.session?.goaway();
      else {
        stream.respond({ ':status': 200 });
        stream.write('begun');
      }
    });
    const port = await listen(story, server);
    const session = http2.connect(`https://${HOST}:${port}`, { ca: cert, servername: 'podwire.test' });
    session.on('goaway', (code) => story.tell('session', `goaway ${code}`));
    session.on('close', () => story.tell('session', 'close'));
    const stream = session.request({ ':path': '/' });
    stream.on('error', (error) => story.tell('stream', describe(error)));
    stream.once('data', () => stream.close(http2.constants.NGHTTP2_CANCEL));
    await once(stream, 'close');
    const last = session.request({ ':path': '/goaway' });
    last.on('error', (error) => story.tell('last', describe(error)));
    await once(session, 'goaway');
    session.destroy();
    await pause(20);
    const old = https.get({ port, host: HOST, ca: cert, servername: 'podwire.test' });
    const [response] = (await once(old, 'response')) as [http.IncomingMessage];
    story.tell('old', await read(response));
  },
};
