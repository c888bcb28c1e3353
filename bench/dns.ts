/**
 * What one replica of CoreDNS answers over a real port, beside the same datagrams sent back by a bare socket in the same run; and how
 * long a new Service takes from the request that makes it to the first answer with its name.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { HostNetwork } from '../dns/host-network.ts';
import { queryDns } from '../shared/podnet/dns-query.ts';
import { freePort, startNatsServer, type TestNatsServer } from '../test/contract/nats-server.ts';
import { ApiLoad, asFastAsPossible, quantile } from './api-load.ts';
import type { Benchmark, BenchmarkContext } from './benchmark.ts';
import { cpuSeconds } from './cluster-process.ts';
import { startApiServer, startComponent } from './component-process.ts';
import type { LoadOrder, LoadResult } from './dns-load.ts';
import type { FigureInput } from './figure.ts';

const SERVICES = 10_000;
const CACHED_NAMES = 1000;
const IN_FLIGHT = 32;
/** By then V8 has compiled what answers, however little of a processor it got. */
const WARM_UP_ANSWERS = 150_000;
const WARM_UP_LIMIT_MS = 30_000;
const SECONDS = 3;
const CHANGES = 100;
const CREATES_IN_FLIGHT = 16;
const POLL_MS = 1;
const LIMIT_MS = 10_000;

interface Samples {
  readonly echo: LoadResult[];
  readonly cached: LoadResult[];
  readonly uncached: LoadResult[];
  readonly changeMs: number[];
  /** Processor time of the server for an answer. */
  readonly echoCpuUs: number[];
  readonly cachedCpuUs: number[];
  readonly uncachedCpuUs: number[];
}

const nameOf = (index: number): string => `svc-${index}.default.svc.cluster.local`;
/** Server and client have a processor each where there are two. */
const [SERVER_CORE, CLIENT_CORE] = availableParallelism() > 1 ? [0, 1] : [undefined, undefined];

export const dnsBenchmark: Benchmark = {
  name: 'dns',
  summary: 'queries of one CoreDNS over a real port beside a bare echo, and how soon a new Service has its name',
  async run(context: BenchmarkContext): Promise<Record<string, FigureInput>> {
    const samples: Samples = {
      echo: [],
      cached: [],
      uncached: [],
      changeMs: [],
      echoCpuUs: [],
      cachedCpuUs: [],
      uncachedCpuUs: [],
    };
    const nats = await startNatsServer();
    const folder = mkdtempSync(join(tmpdir(), 'podwire-bench-dns-'));
    const children: ChildProcess[] = [];
    try {
      const apiPort = await freePort();
      children.push(await startApiServer(nats, folder, apiPort));
      const api = apiLoad(folder, apiPort);
      context.progress(`making ${SERVICES} Services`);
      await makeServices(api);
      const client = startScript('dns-load.ts', CLIENT_CORE);
      const echo = startScript('dns-echo.ts', SERVER_CORE);
      const cached = await startDns(nats, folder, 'cache 30');
      const uncached = await startDns(nats, folder, '');
      children.push(client, echo, cached.child, uncached.child);
      const [echoPort] = (await once(echo, 'message')) as [number];
      const names = Array.from({ length: SERVICES }, (_, index) => nameOf(index));
      const few = names.slice(0, CACHED_NAMES);
      for (const { port, asked } of [
        { port: echoPort, asked: few },
        { port: cached.port, asked: few },
        { port: uncached.port, asked: names },
      ]) {
        await warmUp(client, { port, names: asked, seconds: 1, inFlight: IN_FLIGHT });
      }
      for (let round = 1; round <= context.repeats; round++) {
        context.progress(`round ${round} of ${context.repeats}`);
        const measure = async (
          { child, port }: { readonly child: ChildProcess; readonly port: number },
          asked: readonly string[],
          results: LoadResult[],
          cpuUs: number[],
        ): Promise<void> => {
          const beforeMs = processorMs(child);
          const result = await ask(client, { port, names: asked, seconds: SECONDS, inFlight: IN_FLIGHT });
          results.push(result);
          cpuUs.push(((processorMs(child) - beforeMs) * 1000) / result.answers);
        };
        await measure({ child: echo, port: echoPort }, few, samples.echo, samples.echoCpuUs);
        await measure(cached, few, samples.cached, samples.cachedCpuUs);
        await measure(uncached, names, samples.uncached, samples.uncachedCpuUs);
        samples.changeMs.push(await measureChanges(api, uncached.port, round));
      }
      api.close();
      return figuresOf(samples);
    } finally {
      await Promise.all(children.map(ended));
      await nats.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

function apiLoad(folder: string, port: number): ApiLoad {
  return new ApiLoad({
    port,
    ca: readFileSync(join(folder, 'pki/ca.crt'), 'utf8'),
    token: readFileSync(join(folder, 'pki/admin.token'), 'utf8').trim(),
  });
}

async function makeServices(api: ApiLoad): Promise<void> {
  await asFastAsPossible(SERVICES, CREATES_IN_FLIGHT, (index) => makeService(api, `svc-${index}`));
}

function makeService(api: ApiLoad, name: string): Promise<Buffer> {
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  };
  return api.call('POST', '/api/v1/namespaces/default/services', JSON.stringify(service));
}

async function startDns(
  nats: TestNatsServer,
  folder: string,
  cache: string,
): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const port = await freePort();
  const corefile = join(folder, `Corefile-${port}`);
  const plugins = ['errors', 'health', 'ready', 'prometheus :9153', cache, 'loadbalance'].filter((line) => line !== '');
  writeFileSync(corefile, `.:53 {\n${plugins.join('\n')}\nkubernetes cluster.local in-addr.arpa {\nttl 30\n}\n}\n`);
  const child = await startComponent({
    program: 'coredns',
    nats,
    arguments: ['--conf', corefile, '--listen', `127.0.0.1:${port}`],
    core: SERVER_CORE,
  });
  return { child, port };
}

function startScript(file: string, core: number | undefined): ChildProcess {
  const command = [process.execPath, join(import.meta.dirname, file)];
  const [first = '', ...rest] = core === undefined ? command : ['taskset', '-c', String(core), ...command];
  return spawn(first, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

async function warmUp(client: ChildProcess, order: LoadOrder): Promise<void> {
  const untilMs = performance.now() + WARM_UP_LIMIT_MS;
  for (let answers = 0; answers < WARM_UP_ANSWERS && performance.now() < untilMs; ) {
    answers += (await ask(client, order)).answers;
  }
}

async function ask(client: ChildProcess, order: LoadOrder): Promise<LoadResult> {
  const answer = once(client, 'message');
  client.send(order);
  // Only dns-load.ts writes to this channel.
  const [result] = (await answer) as [LoadResult];
  return result;
}

function processorMs({ pid = 0 }: ChildProcess): number {
  return cpuSeconds([{ name: 'server', pid }]) * 1000;
}

/** From the request that makes a Service to the first answer with its address, 99th percentile. */
async function measureChanges(api: ApiLoad, port: number, round: number): Promise<number> {
  const network = new HostNetwork('127.0.0.1');
  const timesMs: number[] = [];
  for (let index = 0; index < CHANGES; index++) {
    const name = `new-${round}-${index}`;
    const beganMs = performance.now();
    const made = makeService(api, name);
    const question = { server: '127.0.0.1', port, name: `${name}.default.svc.cluster.local`, type: 'A' } as const;
    while ((await queryDns(network, { ...question, timeoutMs: LIMIT_MS })).packet.rcode !== 'NOERROR') {
      if (performance.now() - beganMs > LIMIT_MS) throw new Error(`${name} has no address after ${LIMIT_MS} ms`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    timesMs.push(performance.now() - beganMs);
    await made;
  }
  return quantile(timesMs, 0.99);
}

function figuresOf(samples: Samples): Record<string, FigureInput> {
  const { echo, cached, uncached, changeMs } = samples;
  const of = (results: readonly LoadResult[], field: keyof LoadResult): number[] =>
    results.map((result) => result[field]);
  const rate = (label: string, results: readonly LoadResult[], bound: number): FigureInput => ({
    label,
    unit: '1/s',
    samples: of(results, 'perSecond'),
    reference: { label: 'bare dgram echo', samples: of(echo, 'perSecond') },
    goal: { compare: '>=', bound, of: 'ratio' },
  });
  const latency = (label: string, results: readonly LoadResult[], field: 'p50Us' | 'p99Us'): FigureInput => ({
    label,
    unit: 'us',
    samples: of(results, field),
    reference: { label: 'bare dgram echo', samples: of(echo, field) },
  });
  const processor = (label: string, of: readonly number[]): FigureInput => ({
    label,
    unit: 'us',
    samples: of,
    reference: { label: 'bare dgram echo', samples: samples.echoCpuUs },
  });
  const inFlight = `${IN_FLIGHT} in flight`;
  return {
    cached: rate(`answers from a warm cache, ${inFlight}`, cached, 0.6),
    cachedP50: latency('  p50', cached, 'p50Us'),
    cachedP99: latency('  p99', cached, 'p99Us'),
    cachedCpu: processor('  processor time of an answer', samples.cachedCpuUs),
    kubernetes: rate(`answers of the kubernetes plugin, ${SERVICES} Services`, uncached, 0.4),
    kubernetesP50: latency('  p50', uncached, 'p50Us'),
    kubernetesP99: latency('  p99', uncached, 'p99Us'),
    kubernetesCpu: processor('  processor time of an answer', samples.uncachedCpuUs),
    lost: { label: 'questions without an answer', unit: '', samples: of([...cached, ...uncached], 'lost') },
    failed: { label: 'answers other than NOERROR', unit: '', samples: of([...cached, ...uncached], 'failed') },
    change: {
      label: 'request for a Service to its name in DNS, p99',
      unit: 'ms',
      samples: changeMs,
      goal: { compare: '<=', bound: 100, of: 'value' },
    },
  };
}
