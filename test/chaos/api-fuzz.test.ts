/**
 * Whatever is sent to the apiserver, over HTTPS or over the bus: it answers, never with an internal error, and lives on.
 *
 * `PODWIRE_FUZZ_REQUESTS=100000` is the long form, `PODWIRE_SEED=N` another course.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { NatsError } from 'nats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fieldAt } from '../../shared/api/object.ts';
import { encodeProtobuf } from '../../shared/api/protobuf/encode.testkit.ts';
import { decodeMessage, encodeMessage } from '../../shared/bus/codec.ts';
import { type Bus, connectBus } from '../../shared/bus/connection.ts';
import { API_REQUEST, subjectText } from '../../shared/bus/subjects.ts';
import { type Random, seededRandom } from '../../shared/runtime/random.ts';
import { freePort, startNatsServer, type TestNatsServer } from '../contract/nats-server.ts';
import { ApiProcess, TEST_CLUSTER } from '../e2e/api-process.testkit.ts';
import { mutated, mutatedBytes, pick, randomQuery } from '../e2e/fuzz.testkit.ts';
import { waitFor } from '../wait-for.ts';
import { SAMPLES, type Sample, VERBS } from './fuzz-samples.testkit.ts';

const REQUESTS = Number(process.env.PODWIRE_FUZZ_REQUESTS ?? 1500);
const SEED = Number(process.env.PODWIRE_SEED ?? 1);
const IN_FLIGHT = 8;
const MAX_RESIDENT_MIB = 400;
/** In place of an HTTP code. */
const NO_ANSWER = 599;

let nats: TestNatsServer;
let folder: string;
let api: ApiProcess;
let bus: Bus;

beforeAll(async () => {
  nats = await startNatsServer();
  folder = mkdtempSync(join(tmpdir(), 'podwire-fuzz-'));
  api = new ApiProcess({ nats, folder, port: await freePort(), environment: { PODWIRE_LOG_LEVEL: 'warn' } });
  await api.start();
  bus = await connectBus({ url: nats.url, token: nats.token, cluster: TEST_CLUSTER, clientName: 'fuzz' });
  await api.call('POST', '/api/v1/namespaces/default/serviceaccounts', '{"metadata":{"name":"default"}}');
  for (const { collection, object } of SAMPLES) {
    const made = await api.call('POST', collection, JSON.stringify(object));
    expect(made.code, made.body).toBe(201);
  }
});
afterAll(async () => {
  await bus.close();
  await api.kill();
  await nats.stop();
  rmSync(folder, { recursive: true, force: true });
});

const PATCH_TYPES = ['json-patch+json', 'merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml'];

/** What was asked, for the message of a failure, and the code of the answer. */
interface Outcome {
  readonly asked: string;
  readonly code: number;
  readonly answer: string;
}

async function ask(method: string, path: string, body: string | Buffer, mediaType: string): Promise<Outcome> {
  const asked = `${method} ${path} (${mediaType}) ${body.toString().slice(0, 600)}`;
  try {
    const { code, body: answer } = await api.call(method, path, body, { 'content-type': mediaType });
    return { asked, code, answer };
  } catch (error) {
    // Node's own client does not send everything, and a refused connection is an answer too.
    if (!(error instanceof Error && 'code' in error)) throw error;
    return { asked, code: 0, answer: String(error.code) };
  }
}

const kinds: Readonly<Record<string, (random: Random, sample: Sample) => Promise<Outcome>>> = {
  json(random, { collection, object }) {
    return ask(
      'POST',
      `${collection}?${randomQuery(random)}`,
      JSON.stringify(mutated(object, random)),
      'application/json',
    );
  },
  bytes(random, { collection, object }) {
    const body = mutatedBytes(Buffer.from(JSON.stringify(object)), random);
    return ask('POST', collection, body, pick(random, ['application/json', 'application/yaml', 'text/yaml', 'x/y']));
  },
  protobuf(random, { collection, object, isCustom }) {
    const body = isCustom ? random.bytes(60) : encodeProtobuf(object as Parameters<typeof encodeProtobuf>[0]);
    return ask('POST', collection, mutatedBytes(body, random), 'application/vnd.kubernetes.protobuf');
  },
  replace(random, { collection, object, name }) {
    const path = `${collection}/${name}${pick(random, ['', '', '/status', '/scale', '/finalize', '/binding', '/eviction'])}`;
    return ask(pick(random, ['PUT', 'POST']), path, JSON.stringify(mutated(object, random)), 'application/json');
  },
  patch(random, { collection, object, name }) {
    const type = pick(random, PATCH_TYPES);
    const operation = {
      op: pick(random, ['add', 'remove', 'replace', 'move', 'copy', 'test', 'sing']),
      path: pick(random, [
        '',
        '/',
        '/metadata/labels/a',
        '/spec/-',
        '/spec/containers/0',
        '/a~2b',
        '/metadata/name',
        'spec',
      ]),
      from: pick(random, ['/spec', '/metadata', '', '/nothing']),
      value: mutated({ a: [1, { b: 'c' }] }, random),
    };
    const body = type.startsWith('json-patch') ? mutated([operation, operation], random) : mutated(object, random);
    const query = type.startsWith('apply') ? `fieldManager=fuzz&force=${random.next() < 0.7}` : randomQuery(random);
    return ask('PATCH', `${collection}/${name}?${query}`, JSON.stringify(body), `application/${type}`);
  },
  query(random, { collection, name }) {
    const tail = pick(random, [
      '',
      '',
      `/${name}`,
      `/${name}/log`,
      `/${name}/status`,
      `/${name}/proxy/../x`,
      '/%2e%2e%2f',
      '/%00',
    ]);
    const method = pick(random, ['GET', 'GET', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE']);
    return ask(
      method,
      `${collection}${tail}?${randomQuery(random)}${method === 'DELETE' ? '&dryRun=All' : ''}`,
      '',
      'application/json',
    );
  },
  async upgrade(random, { collection, name }) {
    const lines = [
      `${pick(random, ['GET', 'POST', 'PUT'])} ${collection}/${name}/${pick(random, ['exec', 'attach', 'portforward', 'log', ''])}?${randomQuery(random)}&command=a HTTP/1.1`,
      'Host: x',
      `Authorization: Bearer ${api.token}`,
      `Connection: ${pick(random, ['Upgrade', 'upgrade, keep-alive', 'close'])}`,
      `Upgrade: ${pick(random, ['websocket', 'SPDY/3.1', 'h2c', ',', 'websocket, SPDY/3.1'])}`,
      `Sec-WebSocket-Key: ${pick(random, ['dGhlIHNhbXBsZSBub25jZQ==', 'x', ''])}`,
      `Sec-WebSocket-Version: ${pick(random, ['13', '8', 'x'])}`,
      `Sec-WebSocket-Protocol: ${pick(random, ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'nonsense', ',,', 'base64url.bearer.authorization.k8s.io.%%'])}`,
      `X-Stream-Protocol-Version: ${pick(random, ['v4.channel.k8s.io', 'portforward.k8s.io', 'x'])}`,
    ];
    const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
    return {
      asked: head.toString(),
      ...(await rawExchange(Buffer.concat([head, Buffer.from(random.bytes(random.integer(0, 400)))]))),
    };
  },
  async garbage(random) {
    const bytes = mutatedBytes(
      Buffer.from('GET /api/v1/pods HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345'),
      random,
    );
    return { asked: bytes.toString('latin1'), ...(await rawExchange(bytes)) };
  },
  async bus(random, { object, resource, group, version, name }) {
    const namespace = object.metadata.namespace ?? 'default';
    const verb = pick(random, VERBS);
    const request = {
      verb,
      group,
      version,
      resource,
      namespace,
      name,
      query: { fieldManager: 'x' },
      user: 'fuzz',
      body: object,
    };
    const whole = encodeMessage(random.next() < 0.6 ? mutated(request, random) : request);
    const bytes = random.next() < 0.4 ? mutatedBytes(whole, random) : whole;
    return { asked: `bus ${JSON.stringify(request).slice(0, 300)}`, ...(await askBus(bytes)) };
  },
};

const BUS_ATTEMPTS = 3;
const BUS_ANSWER_MS = 20_000;

/**
 * On a busy machine the apiserver may be cut off from NATS for a moment: then the same bytes are sent again once it is back. What
 * is not answered then is what broke it.
 */
async function askBus(bytes: Uint8Array): Promise<Pick<Outcome, 'code' | 'answer'>> {
  const subject = subjectText(TEST_CLUSTER, API_REQUEST.pattern, {});
  for (let attempt = 1; ; attempt++) {
    try {
      const reply = await bus.nats.request(subject, bytes, { timeout: BUS_ANSWER_MS });
      return busAnswer(decodeMessage(reply.data));
    } catch (error) {
      if (!(error instanceof NatsError)) throw error;
      if (attempt === BUS_ATTEMPTS) return { code: NO_ANSWER, answer: String(error) };
      await waitFor('readiness', async () => (await api.call('GET', '/readyz')).code === 200);
    }
  }
}

/** What was not a request at all is refused without a code. */
function busAnswer(message: unknown): Pick<Outcome, 'code' | 'answer'> {
  const answer = JSON.stringify(message).slice(0, 300);
  const code = fieldAt(message, 'result', 'code');
  if (typeof code === 'number') return { code, answer };
  return { code: typeof fieldAt(message, 'failure', 'message') === 'string' ? 400 : NO_ANSWER, answer };
}

/** Sends bytes over a connection of its own and hears what comes back until it ends, or nothing more comes. */
function rawExchange(bytes: Buffer): Promise<Pick<Outcome, 'code' | 'answer'>> {
  return new Promise((resolve) => {
    const socket = connectTls({ host: '127.0.0.1', port: api.port, ca: api.ca }, () => socket.write(bytes));
    let text = '';
    const finish = () => {
      socket.destroy();
      resolve({ code: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), answer: text.slice(0, 300) });
    };
    socket.setTimeout(150, finish);
    socket.on('data', (data) => {
      text += data.toString('latin1');
    });
    socket.on('error', finish);
    socket.on('close', finish);
  });
}

function residentMiB(): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${api.pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}

describe('the apiserver', () => {
  it(
    `answers ${REQUESTS} broken requests (PODWIRE_SEED=${SEED})`,
    async () => {
      const random = seededRandom(SEED);
      const internal = new Map<string, string>();
      const codes = new Map<number, number>();
      let next = 0;
      const worker = async () => {
        while (next++ < REQUESTS && api.ended === undefined) {
          const kind = pick(random, Object.keys(kinds));
          const outcome = await kinds[kind]!(random, pick(random, SAMPLES));
          codes.set(outcome.code, (codes.get(outcome.code) ?? 0) + 1);
          // What waits for a later revision or for a node is told that it waited in vain.
          const isFine = outcome.code < 500 || outcome.code === 503 || outcome.code === 504;
          if (!isFine) internal.set(`${kind}: ${outcome.answer.slice(0, 300)}`, outcome.asked);
        }
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
      expect(api.ended, api.log.slice(-3000)).toBeUndefined();
      expect([...internal].map(([answer, asked]) => `${answer} TO ${asked}`)).toEqual([]);
      expect(api.log).not.toContain('"fatal"');
      await waitFor('readiness', async () => (await api.call('GET', '/readyz')).code === 200);
      const made = await api.call(
        'POST',
        '/api/v1/namespaces/default/configmaps',
        '{"metadata":{"generateName":"after-"}}',
      );
      expect(made.code, made.body).toBe(201);
      if (process.platform === 'linux') expect(residentMiB()).toBeLessThan(MAX_RESIDENT_MIB);
      console.log(
        `answers: ${[...codes]
          .sort(([a], [b]) => a - b)
          .map(([code, count]) => `${code}: ${count}`)
          .join(', ')}`,
      );
    },
    Math.max(120_000, REQUESTS * 40),
  );
});
