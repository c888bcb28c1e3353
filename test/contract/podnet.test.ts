/** What every `PodNetwork` does: run on the stack in this process and on the same stack through a Unix socket. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { listenHttp, PodHttpAgent } from '../../shared/podnet/http.ts';
import type { PodTcpServer, PodTcpSocket, PodUdpSocket, SocketAddress } from '../../shared/podnet/pod-network.ts';
import {
  LEFT_ADDRESS,
  LEFT_ADDRESS_IPV6,
  type PodPair,
  type PodPairOptions,
  podPair,
  podPairOverSockets,
  RIGHT_ADDRESS,
  RIGHT_ADDRESS_IPV6,
} from '../../shared/podnet/pod-pair.testkit.ts';
import { connectPodNetwork } from '../../shared/podnet/socket-client.ts';
import { servePodNetwork } from '../../shared/podnet/socket-server.ts';

const implementations = [
  { name: 'stack network', create: async (options: PodPairOptions = {}) => podPair(options) },
  { name: 'socket network', create: podPairOverSockets },
];

async function readText(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString();
}

function accepted(server: PodTcpServer): Promise<PodTcpSocket> {
  return new Promise((resolve) => server.once('connection', resolve));
}

describe.each(implementations)('$name of pods with both versions', ({ create }) => {
  let pods: PodPair;
  beforeEach(async () => {
    pods = await create({ ipv6: true });
  });
  afterEach(() => pods.close());

  it('listens to both where no address is said', async () => {
    const server = await pods.right.listenTcp({ port: 8080 });
    for (const host of [RIGHT_ADDRESS, RIGHT_ADDRESS_IPV6]) {
      const taken = accepted(server);
      const client = await pods.left.connectTcp({ host, port: 8080 });
      expect(client.remoteAddress).toBe(host);
      client.end('hello');
      expect(await readText(await taken)).toBe('hello');
    }
  });

  it('hears datagrams of both where no address is said', async () => {
    const server = await pods.right.bindUdp({ port: 53 });
    for (const [from, to] of [
      [LEFT_ADDRESS, RIGHT_ADDRESS],
      [LEFT_ADDRESS_IPV6, RIGHT_ADDRESS_IPV6],
    ] as const) {
      const heard = once(server, 'message');
      const client = await pods.left.bindUdp({ remote: { address: to, port: 53 } });
      await client.send(Buffer.from('hello'), 53, to);
      expect(await heard).toMatchObject([new Uint8Array(Buffer.from('hello')), { address: from }]);
      client.close();
    }
  });
});

describe.each(implementations)('$name', ({ create }) => {
  let pods: PodPair;
  beforeEach(async () => {
    pods = await create();
  });
  afterEach(() => pods.close());

  async function connectedPair(port = 8080, allowHalfOpen = false): Promise<[PodTcpSocket, PodTcpSocket]> {
    const server = await pods.right.listenTcp({ port, allowHalfOpen });
    const taken = accepted(server);
    const client = await pods.left.connectTcp({ host: RIGHT_ADDRESS, port, allowHalfOpen });
    return [client, await taken];
  }

  it('connects, and both ends know both addresses', async () => {
    const [client, server] = await connectedPair();
    expect([client.remoteAddress, client.remotePort, client.localAddress]).toEqual([RIGHT_ADDRESS, 8080, LEFT_ADDRESS]);
    expect([server.remoteAddress, server.remotePort]).toEqual([LEFT_ADDRESS, client.localPort]);
    client.end('hello');
    expect(await readText(server)).toBe('hello');
    expect(client.bytesWritten).toBe(5);
    expect(server.bytesRead).toBe(5);
  });

  it('refuses where nobody listens', async () => {
    await expect(pods.left.connectTcp({ host: RIGHT_ADDRESS, port: 81 })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
      syscall: 'connect',
      address: RIGHT_ADDRESS,
      port: 81,
      message: `connect ECONNREFUSED ${RIGHT_ADDRESS}:81`,
    });
  });

  it('gives up when told to, and says no route where there is none', async () => {
    const stop = new AbortController();
    const attempt = pods.left.connectTcp({ host: '10.244.1.77', port: 80 }, stop.signal);
    stop.abort();
    await expect(attempt).rejects.toMatchObject({ code: 'ECANCELED' });
    await expect(pods.right.connectTcp({ host: '192.0.2.1', port: 80 })).rejects.toMatchObject({ code: 'ENETUNREACH' });
    await expect(pods.left.connectTcp({ host: '10.244.1.77', port: 80 })).rejects.toMatchObject({
      code: 'EHOSTUNREACH',
    });
  });

  it('echoes 10 MB with back-pressure', async () => {
    const [client, server] = await connectedPair(7, true);
    server.pipe(server);
    const total = 10 * 1024 * 1024;
    const block = Buffer.alloc(64 * 1024, 'podwire');
    const send = async (): Promise<void> => {
      for (let sent = 0; sent < total; sent += block.length) {
        if (client.write(block)) continue;
        await once(client, 'drain');
      }
      client.end();
    };
    let received = 0;
    const receive = async (): Promise<void> => {
      for await (const part of client as AsyncIterable<Buffer>) {
        expect(part[0]).toBe(block[received % block.length]);
        received += part.length;
      }
    };
    await Promise.all([send(), receive()]);
    expect(received).toBe(total);
  });

  it('makes a sender wait for a reader that does not read', async () => {
    const [client, server] = await connectedPair();
    const block = Buffer.alloc(256 * 1024);
    let written = 0;
    // Until the windows and buffers of both sides are full.
    for (let idle = 0; idle < 5; ) {
      const progressed = client.write(block);
      written += block.length;
      if (progressed) continue;
      const drained = await Promise.race([
        once(client, 'drain').then(() => true),
        new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 50)),
      ]);
      if (!drained) break;
      idle = 0;
    }
    expect(written).toBeLessThan(64 * 1024 * 1024);
    client.end();
    let received = 0;
    for await (const part of server as AsyncIterable<Buffer>) received += part.length;
    expect(received).toBe(written);
  });

  it('half closes: the answer still comes after the end of the question', async () => {
    const [client, server] = await connectedPair(8080, true);
    client.end('question');
    expect(await readText(server)).toBe('question');
    server.end('answer');
    expect(await readText(client)).toBe('answer');
  });

  it('reports a reset as ECONNRESET, and close(hadError)', async () => {
    const [client, server] = await connectedPair();
    const errors: unknown[] = [];
    client.on('error', (error) => errors.push(error));
    const hadError = new Promise((resolve) => client.once('close', resolve));
    server.resetAndDestroy();
    expect(await hadError).toBe(true);
    expect(errors).toMatchObject([{ code: 'ECONNRESET' }]);
  });

  it('keeps two listeners of one port apart: EADDRINUSE; a closed one frees it', async () => {
    const first = await pods.right.listenTcp({ port: 8080 });
    await expect(pods.right.listenTcp({ port: 8080 })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(pods.right.listenTcp({ host: '10.9.9.9', port: 1 })).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
    await first.close();
    const second = await pods.right.listenTcp({ port: 8080 });
    expect(second.address()).toEqual({ address: '0.0.0.0', family: 'IPv4', port: 8080 });
    const free = await pods.right.listenTcp({ port: 0 });
    expect(free.address().port).toBeGreaterThan(1023);
  });

  it('handles 200 connections at once', async () => {
    const server = await pods.right.listenTcp({ port: 8080 });
    server.on('connection', (socket: PodTcpSocket) => socket.end(`to ${socket.remotePort}`));
    const answers = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const socket = await pods.left.connectTcp({ host: RIGHT_ADDRESS, port: 8080 });
        return [await readText(socket), `to ${socket.localPort}`];
      }),
    );
    for (const [found, wanted] of answers) expect(found).toBe(wanted);
  });

  it('reaches itself by its own address and by loopback', async () => {
    const server = await pods.right.listenTcp({ port: 9000 });
    server.on('connection', (socket: PodTcpSocket) => socket.end('self'));
    for (const host of [RIGHT_ADDRESS, '127.0.0.1']) {
      expect(await readText(await pods.right.connectTcp({ host, port: 9000 }))).toBe('self');
    }
  });

  it('times out an idle socket', async () => {
    const [client] = await connectedPair();
    client.setTimeout(10);
    await once(client, 'timeout');
    expect(client.destroyed).toBe(false);
  });

  it('exchanges datagrams', async () => {
    const server = await pods.right.bindUdp({ port: 5353 });
    const sends: Promise<void>[] = [];
    server.on('message', (data: Uint8Array, from: SocketAddress) => {
      sends.push(server.send(data, from.port, from.address));
    });
    const client = await pods.left.bindUdp();
    const answer = once(client, 'message');
    await client.send(Buffer.from('ping'), 5353, RIGHT_ADDRESS);
    const [data, from] = await answer;
    expect(Buffer.from(data).toString()).toBe('ping');
    expect(from).toEqual({ address: RIGHT_ADDRESS, port: 5353 });
    expect(client.address().port).toBeGreaterThan(1023);
    await Promise.all(sends);
  });

  it('refuses datagrams that cannot leave, and a taken port', async () => {
    const client = await pods.left.bindUdp({ port: 4000 });
    await expect(pods.left.bindUdp({ port: 4000 })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(client.send(new Uint8Array(70_000), 1, RIGHT_ADDRESS)).rejects.toMatchObject({ code: 'EMSGSIZE' });
    const other = await pods.right.bindUdp();
    await expect(other.send(new Uint8Array(1), 1, '192.0.2.1')).rejects.toMatchObject({ code: 'ENETUNREACH' });
  });

  it('tells a connected UDP socket that nobody listens', async () => {
    const client: PodUdpSocket = await pods.left.bindUdp({ remote: { address: RIGHT_ADDRESS, port: 9 } });
    const failed = once(client, 'error');
    await client.send(Buffer.from('x'), 9, RIGHT_ADDRESS);
    expect((await failed)[0]).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('pings', async () => {
    const outcome = await pods.left.ping({ address: RIGHT_ADDRESS, payloadBytes: 100, sequence: 7, timeoutMs: 2000 });
    expect(outcome).toMatchObject({ kind: 'reply', from: RIGHT_ADDRESS, reply: { sequence: 7, ttl: 64 } });
    expect(await pods.left.ping({ address: '10.244.1.99', timeoutMs: 30 })).toMatchObject({
      kind: expect.stringMatching(/timeout|unreachable/),
    });
  });

  it('lists its addresses', async () => {
    const addresses = await pods.left.addresses();
    expect(addresses).toContainEqual({ device: 'eth0', address: LEFT_ADDRESS, prefixLength: 24 });
    expect(addresses).toContainEqual({ device: 'lo', address: '127.0.0.1', prefixLength: 8 });
  });

  it('carries HTTP with keep-alive: many requests, one connection', async () => {
    let connections = 0;
    const server = await listenHttp(pods.right, { port: 80 }, (request, response) => {
      response.end(`${request.method} ${request.url} from ${request.socket.remoteAddress}`);
    });
    server.http.on('connection', () => {
      connections += 1;
    });
    const agent = new PodHttpAgent({ network: pods.left, lookup: async () => RIGHT_ADDRESS, keepAlive: true });
    for (let index = 0; index < 5; index++) {
      const request = http.get({ host: 'web', path: `/${index}`, agent });
      const [response] = await once(request, 'response');
      expect(await readText(response)).toBe(`GET /${index} from ${LEFT_ADDRESS}`);
    }
    expect(connections).toBe(1);
    agent.destroy();
    await server.close();
  });

  it('carries HTTP bodies larger than all buffers', async () => {
    const body = Buffer.alloc(3 * 1024 * 1024, 'x');
    const server = await listenHttp(pods.right, { port: 80 }, (request, response) => request.pipe(response));
    const agent = new PodHttpAgent({ network: pods.left, lookup: async () => RIGHT_ADDRESS });
    const request = http.request({ host: 'web', method: 'POST', agent });
    request.end(body);
    const [response] = await once(request, 'response');
    expect((await readText(response)).length).toBe(body.length);
    await server.close();
  });

  it('carries HTTP/2 without TLS', async () => {
    const listener = await pods.right.listenTcp({ port: 3001, allowHalfOpen: true });
    const server = http2.createServer((request, response) => response.end(`h2 ${request.url}`));
    listener.on('connection', (socket: PodTcpSocket) => server.emit('connection', socket));
    const socket = await pods.left.connectTcp({ host: RIGHT_ADDRESS, port: 3001 });
    const session = http2.connect('http://web', { createConnection: () => socket as Duplex });
    const stream = session.request({ ':path': '/a' });
    expect(await readText(stream)).toBe('h2 /a');
    session.close();
  });

  describe('TLS', () => {
    let folder: string;
    let identity: { key: Buffer; cert: Buffer };
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'podnet-tls-'));
      const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
      const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
      execFileSync('openssl', [...request, '-keyout', key, '-out', cert, '-subj', '/CN=web', '-days', '1'], {
        stdio: 'ignore',
      });
      identity = { key: readFileSync(key), cert: readFileSync(cert) };
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    it('runs over the sockets unchanged', async () => {
      const listener = await pods.right.listenTcp({ port: 443, allowHalfOpen: true });
      const context = tls.createSecureContext(identity);
      listener.on('connection', (socket: PodTcpSocket) => {
        const secure = new tls.TLSSocket(socket as Duplex, { isServer: true, secureContext: context });
        secure.pipe(secure);
      });
      const socket = await pods.left.connectTcp({ host: RIGHT_ADDRESS, port: 443 });
      const client = tls.connect({ socket: socket as Duplex, rejectUnauthorized: false });
      await once(client, 'secureConnect');
      client.write('secret');
      const [answer] = await once(client, 'data');
      expect(String(answer)).toBe('secret');
      client.destroy();
    });
  });
});

describe('socket network, process to process', () => {
  it('serves a socket that only its owner may use, and closes all that a lost client had open', async () => {
    const pods = podPair();
    const folder = mkdtempSync(join(tmpdir(), 'podnet-'));
    const path = join(folder, 'right.sock');
    const server = await servePodNetwork({ network: pods.right, path });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const client = await connectPodNetwork({ path });
    const listener = await client.listenTcp({ port: 8080 });
    const taken = accepted(listener);
    const connection = await pods.left.connectTcp({ host: RIGHT_ADDRESS, port: 8080 });
    await taken;
    const ended = once(connection, 'close');
    connection.resume();
    client.close();
    await ended;
    await expect(pods.left.connectTcp({ host: RIGHT_ADDRESS, port: 8080 })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
    await server.close();
    rmSync(folder, { recursive: true });
    await pods.close();
  });
});
