/** Peers of cilium's proxy that say what HTTP/2 lets them frame, and no library would: it costs their stream, and nobody else's. */
import { connect, constants, type IncomingHttpHeaders } from 'node:http2';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { PodTcpSocket } from '../../shared/podnet/pod-network.ts';
import { waitFor } from '../wait-for.ts';
import { CiliumPods } from './cilium-pods.testkit.ts';

const FRAME_HEADER_BYTES = 9;
const [DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY] = [0, 1, 3, 4, 7];
const [END_STREAM, END_HEADERS] = [1, 4];
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const OK = { ':status': '200' };

type Says = (id: number) => Buffer[];

let pods: CiliumPods;
let sockets: PodTcpSocket[];
/** What the server says to each request. */
let says: Says;

beforeEach(async () => {
  pods = await CiliumPods.create();
  sockets = [];
  says = (id) => [headers(id, END_STREAM, OK)];
  (await pods.server.listenTcp({ port: 80 })).on('connection', serve);
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  pods.close();
});

/** RFC 9113 section 4.1 */
function frame(type: number, flags: number, id: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(id, 5);
  return Buffer.concat([header, payload]);
}

/** Each as a literal that is not indexed (RFC 7541 section 6.2.2), shorter than 127 bytes. */
function headers(id: number, flags: number, fields: Readonly<Record<string, string>>): Buffer {
  const text = (value: string) => [Buffer.from([value.length]), Buffer.from(value)];
  const literals = Object.entries(fields).flatMap(([name, value]) => [Buffer.from([0]), ...text(name), ...text(value)]);
  return frame(HEADERS, flags | END_HEADERS, id, Buffer.concat(literals));
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function serve(socket: PodTcpSocket): void {
  sockets.push(socket.on('error', () => undefined));
  let heard = Buffer.alloc(0);
  let isIntroduced = false;
  socket.write(frame(SETTINGS, 0, 0));
  socket.on('data', (piece: Uint8Array) => {
    heard = Buffer.concat([heard, piece]);
    if (!isIntroduced && heard.length < PREFACE.length) return;
    if (!isIntroduced) heard = heard.subarray(PREFACE.length);
    isIntroduced = true;
    while (heard.length >= FRAME_HEADER_BYTES) {
      const end = FRAME_HEADER_BYTES + heard.readUIntBE(0, 3);
      if (heard.length < end) return;
      if (heard[3] === HEADERS) socket.write(Buffer.concat(says(heard.readUInt32BE(5))));
      heard = heard.subarray(end);
    }
  });
}

async function open(): Promise<PodTcpSocket> {
  const socket = await pods.client.connectTcp({ host: pods.serverAddress, port: 80 });
  sockets.push(socket);
  return socket;
}

function apply(path: string): void {
  const http = [{ path }];
  const toPorts = [{ ports: [{ port: '80', protocol: 'TCP' as const }], rules: { http } }];
  pods.apply({ endpointSelector: { matchLabels: { app: 'server' } }, ingress: [{ toPorts }] });
}

/** The status that a client sees at last, or how its stream ended. */
async function ask(path = '/open', fields: Readonly<Record<string, string>> = {}): Promise<number | string> {
  const socket = await open();
  const session = connect('http://web', { createConnection: () => socket });
  session.on('error', () => undefined);
  return await new Promise((resolve) => {
    const stream = session.request({ ':path': path, ...fields });
    let status: number | string = 'none';
    stream.on('response', (told: IncomingHttpHeaders & { ':status'?: number }) => {
      status = told[':status'] ?? 0;
    });
    stream.on('error', ({ message }) => {
      status = message;
    });
    stream.on('close', () => {
      session.destroy();
      resolve(status);
    });
    stream.resume();
  });
}

it.each<[what: string, says: Says, seen: number | RegExp]>([
  ['a status that there is not', (id) => [headers(id, END_STREAM, { ':status': '700' })], 502],
  ['a status of no answer as the last', (id) => [headers(id, END_STREAM, { ':status': '103' })], 503],
  ['a status below all', (id) => [headers(id, END_STREAM, { ':status': '042' })], 503],
  ['a header of one connection', (id) => [headers(id, END_STREAM, { ...OK, 'http2-settings': 'AAMAAABk' })], 200],
  ['it before the answer', (id) => [headers(id, 0, { ':status': '103', 'http2-settings': 'a' }), ...whole(id)], 200],
  ['it behind the answer', (id) => [headers(id, 0, OK), headers(id, END_STREAM, { 'http2-settings': 'a' })], 200],
  ['a body where none may be', (id) => [headers(id, 0, { ':status': '204' }), data(id, 'body')], /^204$|NGHTTP2/],
  ['an answer after its reset', (id) => [reset(id), ...whole(id)], 503],
  ['a reset after its answer', (id) => [...whole(id), reset(id)], 200],
  ['farewell, and an answer', (id) => [farewell(id), ...whole(id)], 200],
  ['farewell to all', () => [farewell(0)], 503],
])('a server says %s', async (_, told, seen) => {
  apply('/open');
  says = told;
  expect(`${await ask()}`).toMatch(seen instanceof RegExp ? seen : new RegExp(`^${seen}$`));
  says = whole;
  expect(await ask()).toBe(200);
});

const whole: Says = (id) => [headers(id, END_STREAM, OK)];
const data = (id: number, text: string) => frame(DATA, END_STREAM, id, Buffer.from(text));
const reset = (id: number) => frame(RST_STREAM, 0, id, word(constants.NGHTTP2_CANCEL));
const farewell = (last: number) => frame(GOAWAY, 0, 0, Buffer.concat([word(last), word(constants.NGHTTP2_NO_ERROR)]));

it('requests that are taken back in the same breath', async () => {
  apply('/open');
  const socket = await open();
  const asked = ['/open', '/denied', '/a%2Fb'].map((path) => ({ ':method': 'GET', ':scheme': 'http', ':path': path }));
  const flood = asked.flatMap((fields, i) => [headers(2 * i + 1, END_STREAM, fields), reset(2 * i + 1)]);
  socket.write(Buffer.concat([Buffer.from(PREFACE), frame(SETTINGS, 0, 0), ...flood]));
  expect(await ask()).toBe(200);
  expect(await ask('/denied')).toBe(403);
});

it('what is no HTTP/2 behind its first words ends the connection', async () => {
  apply('/open');
  const socket = await open();
  let isClosed = false;
  socket.resume().on('close', () => {
    isClosed = true;
  });
  socket.write(`${PREFACE}${'x'.repeat(100)}`);
  await waitFor('the connection to end', async () => isClosed);
});

it('a server is asked for the host that the rules were asked about', async () => {
  apply('/open');
  let isTold = false;
  says = (id) => {
    isTold = true;
    return whole(id);
  };
  const socket = await open();
  const fields = { ':method': 'GET', ':scheme': 'http', ':path': '/open', ':authority': 'web', host: 'elsewhere' };
  const asked = headers(1, END_STREAM, { ...fields, 'http2-settings': 'AAMAAABk' });
  socket.write(Buffer.concat([Buffer.from(PREFACE), frame(SETTINGS, 0, 0), asked]));
  await waitFor('the server to be asked', async () => isTold);
});
