/** cilium's rules about HTTP on connections of HTTP/2, with gRPC's trailers, through the proxies of one node or of both. */
import {
  type ClientHttp2Session,
  connect,
  constants,
  createServer,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
} from 'node:http2';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { PodTcpSocket } from '../../shared/podnet/pod-network.ts';
import type { CiliumPolicySpec } from '../../shared/policy/cilium-policy.ts';
import { waitFor } from '../wait-for.ts';
import { CiliumPods } from './cilium-pods.testkit.ts';

const BIG_BYTES = 1_000_000;
const GRPC = { 'content-type': 'application/grpc', te: 'trailers' };

interface Answer {
  readonly headers: IncomingHttpHeaders & IncomingHttpStatusHeader;
  readonly trailers: IncomingHttpHeaders;
  readonly body: string;
}

let pods: CiliumPods;
let session: ClientHttp2Session;
let sessions: ServerHttp2Session[];
let seen: IncomingHttpHeaders[];
/** Paths of streams that are over, and with what code. */
let closed: string[];

beforeEach(async () => {
  pods = await CiliumPods.create();
  await serve();
});
afterEach(() => {
  session.destroy();
  for (const one of sessions) one.destroy();
  pods.close();
});

/** Answers with what it was asked, and gRPC's status behind it; what it is asked to do otherwise stands in the path. */
async function serve(): Promise<void> {
  [sessions, seen, closed] = [[], [], []];
  const origin = createServer();
  origin.on('session', (one) => sessions.push(one));
  origin.on('stream', (stream, headers) => {
    seen.push(headers);
    const path = headers[':path'];
    stream.on('error', () => undefined).on('close', () => closed.push(`${path} ${stream.rstCode}`));
    if (path === '/never') return;
    if (path === '/reset') return stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    if (path === '/status') return stream.respond({ ':status': 200, 'grpc-status': 5 }, { endStream: true });
    if (path === '/early') stream.additionalHeaders({ ':status': 103, link: '</style.css>' });
    if (path === '/half') {
      stream.respond({ ':status': 200 }, { waitForTrailers: true }); // or Node would end it before it resets it
      stream.write('half', () => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM));
      return;
    }
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.write(`${headers[':method']} ${path} `);
    stream.pipe(stream);
  });
  (await pods.server.listenTcp({ port: 80 })).on('connection', (socket) => origin.emit('connection', socket));
}

const web = (...http: object[]) => [{ ports: [{ port: '80', protocol: 'TCP' }], rules: { http } }];
const rules = (side: 'ingress' | 'egress', ...http: object[]): CiliumPolicySpec => ({
  endpointSelector: { matchLabels: { app: side === 'ingress' ? 'server' : 'client' } },
  [side]: [{ toPorts: web(...http) }],
});
const apply = (...specs: CiliumPolicySpec[]) => pods.apply(...specs);
const hubble = (...words: string[]) => pods.hubble(2, ...words);

async function open(): Promise<ClientHttp2Session> {
  const socket: PodTcpSocket = await pods.client.connectTcp({ host: pods.serverAddress, port: 80 });
  session = connect('http://web', { createConnection: () => socket });
  session.on('error', () => undefined);
  return session;
}

function ask(path: string, headers: OutgoingHttpHeaders = {}, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':authority': 'web', ':path': path, ...headers });
    const answer = { headers: {}, trailers: {}, body: '' } as { -readonly [Field in keyof Answer]: Answer[Field] };
    stream.setEncoding('utf8');
    stream.on('response', (told) => Object.assign(answer, { headers: told }));
    stream.on('trailers', (told) => Object.assign(answer, { trailers: told }));
    stream.on('data', (piece: string) => {
      answer.body += piece;
    });
    stream.on('close', () => resolve(answer)).on('error', reject); // one that is reset ends too
    stream.end(body);
  });
}

it.each([
  ['on the way in', [rules('ingress', { method: 'POST', path: '/shop\\.Cart/Get.*' })]],
  ['on the way out', [rules('egress', { method: 'POST', path: '/shop\\.Cart/Get.*' })]],
  ['on both', [rules('ingress', { path: '/shop\\..*' }), rules('egress', { path: '/.*/Get.*' })]],
])('calls of gRPC are asked about %s', async (_, specs) => {
  apply(...specs);
  await open();
  const [allowed, denied, again] = await Promise.all([
    ask('/shop.Cart/GetItem', GRPC, 'apple'),
    ask('/shop.Cart/Empty', GRPC, 'apple'),
    ask('/shop.Cart/GetAll', GRPC),
  ]);
  expect(allowed).toMatchObject({
    headers: { ':status': 200, server: 'envoy', 'x-envoy-upstream-service-time': expect.stringMatching(/^\d+$/) },
    trailers: { 'grpc-status': '0' },
    body: 'POST /shop.Cart/GetItem apple',
  });
  expect(denied).toMatchObject({
    headers: { ':status': 200, 'grpc-status': '7', 'grpc-message': 'Access denied%0D%0A', server: 'envoy' },
    body: '',
  });
  expect(again.body).toBe('POST /shop.Cart/GetAll ');
  expect(seen[0]).toMatchObject({ ':authority': 'web', te: 'trailers', 'x-forwarded-proto': 'http' });
  expect(sessions).toHaveLength(1);
});

it('what is no gRPC is denied with 403, and hubble tells', async () => {
  apply(rules('ingress', { path: '/public/.*', headerMatches: [{ name: 'x-user', value: 'ann' }] }));
  await open();
  expect(await ask('/public/1', { 'x-user': 'ann' })).toMatchObject({ headers: { ':status': 200 } });
  const denied = await ask('/public/../private', { 'x-user': 'ann' }, 'x'.repeat(BIG_BYTES));
  expect(denied).toMatchObject({ headers: { ':status': 403, 'content-length': '15' }, body: 'Access denied\r\n' });
  expect(await ask('/public/..%2Fa')).toMatchObject({ headers: { ':status': 307, location: '/a' } });
  expect(hubble('--verdict', 'DROPPED')).toMatch(/http-request DROPPED \(HTTP\/2 POST http:\/\/web\/private\)\n$/);
  expect(hubble('--http-status', '200')).toMatch(/FORWARDED \(HTTP\/2 200 \d+ms \(POST http:\/\/web\/public\/1\)\)\n$/);
});

it('passes what is large, answers without a body, and what comes before them', async () => {
  apply(rules('ingress', {}), rules('egress', {}));
  await open();
  expect((await ask('/big', {}, 'x'.repeat(BIG_BYTES))).body).toHaveLength('POST /big '.length + BIG_BYTES);
  expect(await ask('/status', GRPC)).toMatchObject({ headers: { ':status': 200, 'grpc-status': '5' }, body: '' });
  const early = session.request({ ':path': '/early' });
  expect(await new Promise((told) => early.on('headers', told))).toMatchObject({
    ':status': 103,
    link: '</style.css>',
  });
  const head = session.request({ ':path': '/', ':method': 'HEAD' });
  expect(await new Promise((told) => head.on('response', told))).toMatchObject({ ':status': 200 });
});

it('a reset goes on to the other end, or is an answer', async () => {
  apply(rules('ingress', {}), rules('egress', {}));
  await open();
  const body = expect.stringMatching(/before headers\. reset reason: remote reset$/);
  expect(await ask('/reset')).toMatchObject({ headers: { ':status': 503 }, body });
  expect(await ask('/reset', GRPC)).toMatchObject({ headers: { ':status': 200, 'grpc-status': '14' } });
  await expect(ask('/half')).rejects.toMatchObject({ message: expect.stringContaining('ENHANCE_YOUR_CALM') });
  const left = session.request({ ':method': 'POST', ':path': '/never' });
  await waitFor('the server to have it', async () => seen.some((headers) => headers[':path'] === '/never'));
  left.close(constants.NGHTTP2_CANCEL);
  await waitFor('the server to be told', async () => closed.includes(`/never ${constants.NGHTTP2_CANCEL}`));
  expect((await ask('/', GRPC)).trailers).toEqual(expect.objectContaining({ 'grpc-status': '0' }));
});

it('follows the rules as they change, and a server that says goodbye', async () => {
  apply(rules('ingress', { path: '/one' }));
  await open();
  expect((await ask('/two')).headers[':status']).toBe(403);
  apply(rules('ingress', { path: '/two' }));
  expect((await ask('/two')).headers[':status']).toBe(200);
  sessions[0]!.close();
  await waitFor(
    'the proxy to connect anew',
    async () => (await ask('/two')).headers[':status'] === 200 && sessions.length === 2,
  );
  await waitFor('who tunnels to be refused', async () => {
    const tunnel = session.request({ ':method': 'CONNECT', ':authority': 'web:22' });
    const answer = await new Promise<Answer['headers']>((told) => tunnel.on('response', told));
    return answer[':status'] === 403;
  });
});

it('a server that speaks HTTP/1.1 alone, and one that is not there', async () => {
  apply({
    endpointSelector: { matchLabels: { app: 'client' } },
    egress: [{ toPorts: [{ ports: [{ port: '81' }, { port: '82' }], rules: { http: [{}] } }] }],
  });
  (await pods.server.listenTcp({ port: 81 })).on('connection', (socket: PodTcpSocket) => {
    socket.on('error', () => undefined);
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  const answers: Record<number, Answer> = {};
  for (const port of [81, 82]) {
    const socket = await pods.client.connectTcp({ host: pods.serverAddress, port });
    session = connect('http://web', { createConnection: () => socket });
    session.on('error', () => undefined);
    answers[port] = await ask('/', port === 82 ? GRPC : {});
    session.destroy();
  }
  expect(answers[81]).toMatchObject({ headers: { ':status': 502 }, body: expect.stringMatching(/protocol error$/) });
  expect(answers[82]?.headers).toMatchObject({
    'grpc-status': '14',
    'grpc-message': expect.stringMatching(/connection failure$/),
  });
});
