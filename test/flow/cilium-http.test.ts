/** cilium's rules about HTTP on two nodes: real requests between pods, through the proxies of one node or of both. */
import { Agent, createServer, type IncomingMessage, request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PodTcpSocket } from '../../shared/podnet/pod-network.ts';
import type { CiliumPolicySpec } from '../../shared/policy/cilium-policy.ts';
import { waitFor } from '../wait-for.ts';
import { CiliumPods } from './cilium-pods.testkit.ts';

const SERVER = '10.244.2.3';
const CLIENT = '10.244.1.3';
const BIG_BYTES = 3_000_000;
/** What a server may say that no library of servers would. */
const RAW_ANSWERS: Readonly<Record<string, string>> = {
  '/zero': '000 Nothing\r\nContent-Length: 0',
  '/words': '200 \u0001\r\nContent-Length: 0',
  '/trailer': '200 OK\r\nTrailer: x\r\nContent-Length: 0',
  '/switch': '101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade',
  '/none': 'NONSENSE',
};

let pods: CiliumPods;
beforeEach(async () => {
  pods = await CiliumPods.create();
});
afterEach(() => pods.close());

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
}

/** With the shape of a library's agent: connections of the pod's. */
class PodAgent extends Agent {
  override createConnection(
    _options: object,
    callback?: (error: Error | null, stream: PodTcpSocket) => void,
  ): undefined {
    pods.client.connectTcp({ host: pods.serverAddress, port: 80 }).then((socket) => callback?.(null, socket));
  }
}

function ask(
  agent: Agent,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ agent, method, path, headers: { host: 'web', ...headers } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

describe('HTTP', () => {
  const seen: { from: string; method: string; path: string; headers: IncomingMessage['headers']; bytes: number }[] = [];
  const serverSelector = { endpointSelector: { matchLabels: { app: 'server' } } };
  const clientSelector = { endpointSelector: { matchLabels: { app: 'client' } } };
  const web = (...http: object[]) => [{ ports: [{ port: '80', protocol: 'TCP' }], rules: { http } }];
  const ingress = (...http: object[]): CiliumPolicySpec => ({
    ...serverSelector,
    ingress: [{ toPorts: web(...http) }],
  });
  const egress = (...http: object[]): CiliumPolicySpec => ({ ...clientSelector, egress: [{ toPorts: web(...http) }] });
  let agent: Agent;

  beforeEach(() => serve());

  async function serve(): Promise<void> {
    seen.length = 0;
    agent = new PodAgent({ keepAlive: true, maxSockets: 1 });
    const origin = createServer((incoming, response) => {
      let bytes = 0;
      incoming.on('data', (piece: Buffer) => {
        bytes += piece.length;
      });
      incoming.on('end', () => {
        const { method = '', url = '', headers, socket } = incoming;
        seen.push({ from: socket.remoteAddress ?? '', method, path: url, headers, bytes });
        const raw = RAW_ANSWERS[url];
        if (raw !== undefined) socket.write(`HTTP/1.1 ${raw}\r\n\r\n`);
        else if (url === '/big') response.end('x'.repeat(BIG_BYTES));
        else response.end(`${method} ${url}`);
      });
    });
    origin.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
      socket.pipe(socket);
    });
    (await pods.server.listenTcp({ port: 80, allowHalfOpen: true })).on('connection', (socket) =>
      origin.emit('connection', socket),
    );
  }
  afterEach(() => agent.destroy());

  it.each([
    ['on the way in', [ingress({ method: 'GET', path: '/public/.*' })]],
    ['on the way out', [egress({ method: 'GET', path: '/public/.*' })]],
    ['on both', [ingress({ path: '/public/.*' }), egress({ method: 'GET' })]],
  ])('is asked about %s', async (_, specs) => {
    pods.apply(...specs);
    const allowed = await ask(agent, 'GET', '/public/1?q=2');
    expect(allowed).toMatchObject({ status: 200, body: 'GET /public/1?q=2', headers: { server: 'envoy' } });
    const denied = await ask(agent, 'GET', '/private');
    expect(denied).toMatchObject({
      status: 403,
      body: 'Access denied\r\n',
      headers: { 'content-length': '15', 'content-type': 'text/plain', server: 'envoy' },
    });
    expect(await ask(agent, 'POST', '/public/1', {}, 'body')).toMatchObject({ status: 403 });
    expect(await ask(agent, 'GET', '/public/2')).toMatchObject({ status: 200 }); // of the same connection
    expect(seen.map(({ from, path }) => `${from} ${path}`)).toEqual([`${CLIENT} /public/1?q=2`, `${CLIENT} /public/2`]);
    expect(seen[0]?.headers).toMatchObject({ host: 'web', 'x-forwarded-proto': 'http' });
  });

  it('asks about hosts and headers', async () => {
    pods.apply(
      ingress({ host: 'we.', headers: ['X-Token: s3cret'], headerMatches: [{ name: 'x-user', value: 'ann' }] }),
    );
    const token = { 'x-token': 's3cret', 'x-user': 'ann' };
    expect(await ask(agent, 'GET', '/', token)).toMatchObject({ status: 200 });
    expect(await ask(agent, 'GET', '/', { ...token, host: 'web.shop' })).toMatchObject({ status: 403 });
    expect(await ask(agent, 'GET', '/', { 'x-token': 's3cret' })).toMatchObject({ status: 403 });
    expect(await ask(agent, 'GET', '/', { ...token, 'x-token': 'other' })).toMatchObject({ status: 403 });
  });

  it('asks about paths as servers understand them', async () => {
    pods.apply(ingress({ path: '/public/.*' }));
    expect(await ask(agent, 'GET', '/public/../private')).toMatchObject({ status: 403 });
    expect(await ask(agent, 'GET', '/private/%2e%2E//public//a')).toMatchObject({ body: 'GET /public/a' });
    const slash = await ask(agent, 'GET', '/public/..%2Fprivate');
    expect(slash).toMatchObject({ status: 307, headers: { location: '/private' } });
    expect(await ask(agent, 'GET', 'http://shop/public/b')).toMatchObject({ body: 'GET /public/b' });
    expect(seen.map(({ headers }) => headers.host)).toEqual(['web', 'shop']);
  });

  it('passes what is large in either direction, and what changes the protocol', async () => {
    pods.apply(ingress({ path: '/big|/chat' }), egress({}));
    expect((await ask(agent, 'GET', '/big')).body).toHaveLength(BIG_BYTES);
    await ask(agent, 'POST', '/big', { 'transfer-encoding': 'chunked' }, 'y'.repeat(BIG_BYTES));
    expect(seen[1]).toMatchObject({ method: 'POST', bytes: BIG_BYTES });

    const upgrade = 'Host: web\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';
    expect(await exchange({}, `GET /chat HTTP/1.1\r\n${upgrade}`, /switching protocols/i, 'hello', /hello/)).toMatch(
      /^HTTP\/1\.1 101 Switching Protocols\r\nupgrade: websocket\r\n/,
    );
    expect(await exchange({}, `GET /other HTTP/1.1\r\n${upgrade}`, /denied/)).toContain('403 Forbidden');
  });

  it('answers requests that were sent before the answers, in their order', async () => {
    pods.apply(ingress({ path: '/[13]' }));
    const text = ['/1', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1\r\nHost: web\r\n\r\n`).join('');
    expect(await exchange({}, text, /GET \/1[\s\S]*Access denied[\s\S]*GET \/3/)).toMatch(
      /200 OK[\s\S]*403 Forbidden[\s\S]*200 OK/,
    );
  });

  it('follows the rules as they change, within a connection too', async () => {
    pods.apply(ingress({ path: '/one' }));
    expect(await ask(agent, 'GET', '/two')).toMatchObject({ status: 403 });
    pods.apply(ingress({ path: '/two' }));
    expect(await ask(agent, 'GET', '/two')).toMatchObject({ status: 200 });
    pods.apply();
    expect(await ask(agent, 'GET', '/three')).toMatchObject({ status: 200 });
    expect(await ask(agent, 'GET', '/three')).toMatchObject({ status: 200 });
  });

  it('a connection that is looked into is cut when its port is forbidden', async () => {
    pods.apply(ingress({}), egress({}));
    expect(await ask(agent, 'GET', '/')).toMatchObject({ status: 200 });
    pods.apply({ ...serverSelector, ingress: [{}] });
    const late = ask(agent, 'GET', '/');
    await waitFor('packets to be refused', async () =>
      pods.hubble(2, '--verdict', 'DROPPED').includes('Policy denied'),
    );
    pods.apply(ingress({}));
    expect(await late).toMatchObject({ status: 200 }); // TCP sends again
  });

  it('a connection that nobody looked into from its beginning on is reset when rules ask', async () => {
    expect(await ask(agent, 'GET', '/')).toMatchObject({ status: 200 });
    pods.apply(ingress({}));
    await expect(ask(agent, 'GET', '/')).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await ask(agent, 'GET', '/')).toMatchObject({ status: 200 });
  });

  it('rules that ask nothing let everything through, and hubble sees it', async () => {
    pods.apply(ingress({ method: 'GET' }), { ...serverSelector, ingress: [{ fromEntities: ['cluster'] }] });
    expect(await ask(agent, 'DELETE', '/all')).toMatchObject({ status: 200 });
    expect(pods.hubble(2)).toMatch(
      /default\/client:\d+ \(ID:1000\) -> default\/server:80 \(ID:2000\) to-proxy FORWARDED \(TCP Flags: SYN\)/,
    );
    expect(pods.hubble(2, '--protocol', 'http')).toMatch(
      /-> default\/server:80 \(ID:2000\) http-request FORWARDED \(HTTP\/1\.1 DELETE http:\/\/web\/all\)\n.*<- .*http-response FORWARDED \(HTTP\/1\.1 200 \d+ms \(DELETE http:\/\/web\/all\)\)\n$/,
    );
  });

  it('says whom it denied, and by which policy', async () => {
    pods.apply(ingress({ method: 'GET' }));
    await ask(agent, 'PUT', '/v1');
    expect(pods.hubble(2, '--verdict', 'DROPPED')).toMatch(
      /http-request DROPPED \(HTTP\/1\.1 PUT http:\/\/web\/v1\)\n$/,
    );
    const [line = ''] = pods.hubble(2, '--verdict', 'DROPPED', '-o', 'json').split('\n');
    expect(JSON.parse(line).flow).toMatchObject({
      verdict: 'DROPPED',
      Type: 'L7',
      l7: { type: 'REQUEST', http: { method: 'PUT', url: 'http://web/v1', protocol: 'HTTP/1.1' } },
      ingress_denied_by: [{ kind: 'CiliumNetworkPolicy', namespace: 'default', name: 'guard' }],
    });
    expect(pods.hubble(2, '--http-status', '403')).toContain('http-response FORWARDED (HTTP/1.1 403');
    expect(pods.hubble(2, '--http-method', 'GET')).toBe('');
    expect(pods.world.command(2, 'cilium-dbg', 'status')).toMatch(
      /Proxy Status: +OK, ip 10\.244\.2\.2, 1 redirects active/,
    );
    const maps = pods.world.command(2, 'cilium-dbg', 'bpf', 'policy', 'get', '--all');
    expect(maps).toMatch(/Allow +Ingress +reserved:world +80\/TCP +10000 +disabled/);
    expect(maps).toMatch(/Allow +Egress +ANY +ANY +NONE/);
    expect(pods.world.command(2, 'cilium-dbg', 'bpf', 'policy', 'get', '4711')).toMatch(/^Error: no endpoint 4711/);
  });

  it('a server that refuses connections is 503', async () => {
    pods.apply({ ...clientSelector, egress: [{ toPorts: [{ ports: [{ port: '81' }], rules: { http: [{}] } }] }] });
    const answer = await exchange({ port: 81 }, 'GET / HTTP/1.1\r\nHost: web\r\n\r\n', /reset reason: \w+ \w+$/);
    expect(answer).toMatch(/^HTTP\/1\.1 503 [\s\S]*reset reason: connection failure$/);
  });

  it('what is no HTTP is 400', async () => {
    pods.apply(ingress({}));
    expect(await exchange({}, 'SSH-2.0-OpenSSH\r\n\r\n', /\r\n\r\n/)).toMatch(/^HTTP\/1\.1 400 /);
    const long = `GET / HTTP/1.1\r\nHost: web\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`;
    expect(await exchange({}, long, /\r\n\r\n/)).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('what is no HTTP does not end up in an answer that is under way', async () => {
    pods.apply(ingress({}));
    const socket = await pods.client.connectTcp({ host: pods.serverAddress, port: 80 });
    let heard = '';
    socket.on('data', (piece: Buffer) => {
      heard += piece.toString('latin1');
    });
    const closed = new Promise((told) => socket.on('error', () => undefined).once('close', told));
    socket.write('GET /big HTTP/1.1\r\nHost: web\r\n\r\nNONSENSE\r\n\r\n');
    await closed;
    expect(heard).not.toContain('400 Bad Request');
  });

  it('what would no longer be looked into does not begin', async () => {
    pods.apply(ingress({ path: '/chat' }));
    const ask = (protocol: string, more = '') =>
      `GET /chat HTTP/1.1\r\nHost: web\r\nUpgrade: ${protocol}\r\nConnection: Upgrade\r\n${more}\r\n`;
    expect(await exchange({}, ask('spdy'), /denied/)).toContain('403 Forbidden');
    expect(await exchange({}, ask('h2c', 'Content-Length: 1\r\n'), /denied/)).toContain('403 Forbidden');
    expect(await exchange({}, ask('h2c'), /GET \/chat/)).toContain('200 OK'); // in HTTP/1.1
    expect(seen[0]?.headers.upgrade).toBeUndefined();
  });

  it('lives with what servers and clients may say', async () => {
    pods.apply(ingress({}));
    expect(await ask(agent, 'GET', '/zero')).toMatchObject({ status: 502 });
    expect(await ask(agent, 'GET', '/words')).toMatchObject({ status: 200 });
    expect(await ask(agent, 'GET', '/trailer')).toMatchObject({ status: 200 });
    expect(await ask(agent, 'GET', '/switch')).toMatchObject({ status: 502 });
    expect(await ask(agent, 'GET', '/none')).toMatchObject({
      status: 502,
      body: expect.stringMatching(/protocol error$/),
    });
    const trailer = 'GET /t HTTP/1.1\r\nHost: web\r\nTrailer: x\r\n\r\n';
    expect(await exchange({}, trailer, /GET \/t/)).toContain('200 OK');
    pods.apply(ingress({ headers: ['constructor', '__proto__: x'] }));
    expect(await ask(agent, 'GET', '/')).toMatchObject({ status: 403 });
  });

  it.each([
    ['the way out too', [ingress({})], [ingress({}), egress({ path: '/new' })]],
    ['the way in too', [egress({})], [egress({}), ingress({ path: '/new' })]],
  ])('a connection within a node is not looked into by half when rules ask about %s', async (_, before, after) => {
    pods.close();
    pods = await CiliumPods.create(1);
    await serve();
    pods.apply(...before);
    expect(await ask(agent, 'GET', '/old')).toMatchObject({ status: 200 });
    pods.apply(...after);
    const said = await ask(agent, 'GET', '/old').then(
      ({ status }) => status,
      ({ code }: NodeJS.ErrnoException) => code,
    );
    expect(['ECONNRESET', 503]).toContain(said); // the client's connection is reset, or the proxy's
    expect(await ask(agent, 'GET', '/old')).toMatchObject({ status: 403 });
    expect(await ask(agent, 'GET', '/new')).toMatchObject({ status: 200 });
  });

  /** What a connection says in answer to each text, once it says what is waited for. */
  async function exchange({ port = 80 }, ...steps: (string | RegExp)[]): Promise<string> {
    const socket = await pods.client.connectTcp({ host: SERVER, port });
    let heard = '';
    socket.on('error', () => undefined);
    for (let i = 0; i < steps.length; i += 2) {
      await new Promise<void>((resolve) => {
        const waited = steps[i + 1] as RegExp; // texts and what is waited for take turns
        const listen = (piece: Uint8Array): void => {
          heard += new TextDecoder('latin1').decode(piece);
          if (!waited.test(heard)) return;
          socket.off('data', listen);
          resolve();
        };
        socket.on('data', listen);
        socket.write(steps[i] as string);
      });
    }
    socket.destroy();
    return heard;
  }
});
