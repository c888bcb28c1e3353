/**
 * What a write, a list and a watch of the API cost, over HTTPS from another process, beside bare writes to a NATS KV bucket
 * of the same nats-server in the same run: the same number of bytes, each a compare-and-set too.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'nats';
import { freePort, startNatsServer, type TestNatsServer } from '../test/contract/nats-server.ts';
import { ApiLoad, asFastAsPossible, atRate, quantile } from './api-load.ts';
import type { Benchmark, BenchmarkContext } from './benchmark.ts';
import { startApiServer } from './component-process.ts';
import type { FigureInput } from './figure.ts';

const PODS = '/api/v1/namespaces/default/pods';
const LISTED_PODS = 5000;
const RATE_PER_SECOND = 500;
const CREATES_AT_RATE = 2500;
const IN_FLIGHT = 16;
const UPDATES = 2000;
const LISTS = 5;
const WATCHERS = 100;
const WATCHED_UPDATES = 250;
const WATCHED_UPDATES_PER_SECOND = 50;
const WARM_UP = 1000;

interface Samples {
  readonly createP99: number[];
  readonly rawP99: number[];
  readonly creates: number[];
  readonly rawWrites: number[];
  readonly updates: number[];
  readonly list: number[];
  readonly fanOut: number[];
  readonly resident: number[];
}

export const apiBenchmark: Benchmark = {
  name: 'api',
  summary: 'creates, updates, lists and watches over HTTPS, beside bare NATS KV writes',
  async run(context: BenchmarkContext): Promise<Record<string, FigureInput>> {
    const samples: Samples = {
      createP99: [],
      rawP99: [],
      creates: [],
      rawWrites: [],
      updates: [],
      list: [],
      fanOut: [],
      resident: [],
    };
    for (let round = 1; round <= context.repeats; round++) {
      context.progress(`round ${round} of ${context.repeats}`);
      await measureRound(samples);
    }
    return figuresOf(samples);
  },
};

async function measureRound(samples: Samples): Promise<void> {
  const nats = await startNatsServer();
  const folder = mkdtempSync(join(tmpdir(), 'podwire-bench-api-'));
  const port = await freePort();
  const server = await startApiServer(nats, folder, port);
  const load = new ApiLoad({
    port,
    ca: readFileSync(join(folder, 'pki/ca.crt'), 'utf8'),
    token: readFileSync(join(folder, 'pki/admin.token'), 'utf8').trim(),
  });
  try {
    await load.call('POST', '/api/v1/namespaces/default/serviceaccounts', '{"metadata":{"name":"default"}}');
    await measureRawWrites(nats, samples);
    await measureWrites(load, samples);
    await measureLists(load, samples);
    await measureFanOut(load, samples);
    samples.resident.push(residentMiB(server));
  } finally {
    load.close();
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
    await nats.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureRawWrites(nats: TestNatsServer, samples: Samples): Promise<void> {
  const connection = await connect({ servers: nats.url, token: nats.token });
  try {
    const bucket = await connection.jetstream().views.kv('bench');
    const payload = Buffer.from(pod('raw'));
    const write = (prefix: string) => (index: number) => bucket.create(`${prefix}-${index}`, payload);
    await asFastAsPossible(WARM_UP, IN_FLIGHT, write('warm'));
    samples.rawP99.push(quantile(await atRate(CREATES_AT_RATE, RATE_PER_SECOND, write('rate')), 0.99));
    samples.rawWrites.push(await asFastAsPossible(LISTED_PODS - CREATES_AT_RATE, IN_FLIGHT, write('fast')));
    await bucket.destroy();
  } finally {
    await connection.close();
  }
}

async function measureWrites(load: ApiLoad, samples: Samples): Promise<void> {
  const create = (prefix: string) => (index: number) => load.call('POST', PODS, pod(`${prefix}-${index}`));
  const fast = LISTED_PODS - CREATES_AT_RATE - WARM_UP;
  await asFastAsPossible(WARM_UP, IN_FLIGHT, create('warm'));
  samples.createP99.push(quantile(await atRate(CREATES_AT_RATE, RATE_PER_SECOND, create('rate')), 0.99));
  samples.creates.push(await asFastAsPossible(fast, IN_FLIGHT, create('fast')));
  samples.updates.push(await asFastAsPossible(UPDATES, IN_FLIGHT, (index) => label(load, `rate-${index}`, index)));
}

function label(load: ApiLoad, name: string, value: number): Promise<Buffer> {
  const patch = JSON.stringify({ metadata: { labels: { changed: `v${value}` } } });
  return load.call('PATCH', `${PODS}/${name}`, patch, 'application/merge-patch+json');
}

async function measureLists(load: ApiLoad, samples: Samples): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < LISTS; i++) {
    const beganMs = performance.now();
    const bytes = await load.call('GET', PODS);
    times.push(performance.now() - beganMs);
    const { items } = JSON.parse(bytes.toString('utf8'));
    if (items.length !== LISTED_PODS) throw new Error(`the list has ${items.length} pods`);
  }
  samples.list.push(Math.max(...times));
}

/** From when a write is due to when a watcher has its event, for every write and watcher. */
async function measureFanOut(load: ApiLoad, samples: Samples): Promise<void> {
  const { metadata } = JSON.parse((await load.call('GET', `${PODS}?limit=1`)).toString('utf8'));
  const dueMs: number[] = [];
  const times: number[] = [];
  const all = Promise.withResolvers<void>();
  const told = (line: string) => {
    const index = /"changed":"w(\d+)"/.exec(line)?.[1];
    if (index === undefined) return;
    times.push(performance.now() - (dueMs[Number(index)] as number));
    if (times.length === WATCHERS * WATCHED_UPDATES) all.resolve();
  };
  const path = `${PODS}?watch=1&resourceVersion=${metadata.resourceVersion}`;
  const watches = await Promise.all(Array.from({ length: WATCHERS }, () => load.watch(path, told)));
  await atRate(WATCHED_UPDATES, WATCHED_UPDATES_PER_SECOND, (index) => {
    dueMs[index] = performance.now();
    const patch = JSON.stringify({ metadata: { labels: { changed: `w${index}` } } });
    return load.call('PATCH', `${PODS}/rate-${index}`, patch, 'application/merge-patch+json');
  });
  await all.promise;
  for (const stop of watches) stop();
  samples.fanOut.push(quantile(times, 0.99));
}

function figuresOf(samples: Samples): Record<string, FigureInput> {
  const raw = 'bare NATS KV create';
  return {
    createP99: {
      label: `create of a pod at ${RATE_PER_SECOND}/s, p99`,
      unit: 'ms',
      samples: samples.createP99,
      reference: { label: raw, samples: samples.rawP99 },
      goal: { compare: '<=', bound: 20, of: 'value' },
    },
    creates: {
      label: `creates of pods, ${IN_FLIGHT} in flight`,
      unit: '1/s',
      samples: samples.creates,
      reference: { label: raw, samples: samples.rawWrites },
    },
    updates: {
      label: `merge patches of pods, ${IN_FLIGHT} in flight`,
      unit: '1/s',
      samples: samples.updates,
      reference: { label: raw, samples: samples.rawWrites },
    },
    list: {
      label: `list of ${LISTED_PODS} pods, slowest of ${LISTS}`,
      unit: 'ms',
      samples: samples.list,
      goal: { compare: '<=', bound: 150, of: 'value' },
    },
    fanOut: {
      label: `write to event at ${WATCHERS} watchers, p99`,
      unit: 'ms',
      samples: samples.fanOut,
      goal: { compare: '<=', bound: 50, of: 'value' },
    },
    resident: { label: `apiserver with ${LISTED_PODS} pods, resident`, unit: 'MiB', samples: samples.resident },
  };
}

function residentMiB({ pid }: ChildProcess): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}

/** As a ReplicaSet makes them, with a probe. */
function pod(name: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: 'web', 'pod-template-hash': '7d4b9c' }, annotations: { note: 'a benchmark pod' } },
    spec: {
      containers: [
        {
          name: 'web',
          image: 'nginx:1.27',
          ports: [{ name: 'http', containerPort: 80 }],
          env: [{ name: 'MODE', value: 'production' }],
          resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
          readinessProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 5 },
        },
      ],
    },
  });
}
