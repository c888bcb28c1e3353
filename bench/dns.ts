/**
 * What one replica of CoreDNS answers over a real port, beside the same datagrams sent back in the same run by a bare `dgram` socket,
 * and by the kind of socket that CoreDNS itself has; and how long a new Service takes from the request that makes it to the first
 * answer with its name.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startNatsServer, type TestNatsServer } from '../test/contract/nats-server.ts';
import { ApiLoad, asFastAsPossible } from './api-load.ts';
import type { Benchmark, BenchmarkContext, MissingFigure } from './benchmark.ts';
import { cpuSeconds } from './cluster-process.ts';
import { startApiServer, startComponent } from './component-process.ts';
import { CHANGE_SECONDS, figuresOfChanges, makeService, measureChanges } from './dns-changes.ts';
import type { LoadOrder, LoadResult } from './dns-load.ts';
import type { FigureInput } from './figure.ts';

const SERVICES = 10_000;
const CACHED_NAMES = 1000;
const IN_FLIGHT = 32;
/** By then V8 has compiled what answers, however little of a processor it got. */
const WARM_UP_ANSWERS = 150_000;
const WARM_UP_LIMIT_MS = 30_000;
const SECONDS = 3;
const CREATES_IN_FLIGHT = 16;

/** What is asked, and how that went. */
class Target {
  readonly child: ChildProcess;
  readonly port: number;
  readonly names: readonly string[];
  readonly results: LoadResult[] = [];
  /** Processor time of the process for an answer. */
  readonly cpuUs: number[] = [];

  constructor(child: ChildProcess, port: number, names: readonly string[]) {
    this.child = child;
    this.port = port;
    this.names = names;
  }

  order(seconds: number): LoadOrder {
    return { port: this.port, names: this.names, seconds, inFlight: IN_FLIGHT };
  }

  of(field: keyof LoadResult): number[] {
    return this.results.map((result) => result[field]);
  }
}

interface Targets {
  readonly echo: Target;
  /** Undefined where there are no such sockets. */
  readonly batchedEcho: Target | undefined;
  readonly cached: Target;
  /** The kubernetes plugin alone: a tenth of the names, and all of them. */
  readonly few: Target;
  readonly all: Target;
}

const nameOf = (index: number): string => `svc-${index}.default.svc.cluster.local`;
/** Server and client have a processor each where there are two. */
const [SERVER_CORE, CLIENT_CORE] = availableParallelism() > 1 ? [0, 1] : [undefined, undefined];

export const dnsBenchmark: Benchmark = {
  name: 'dns',
  summary: 'queries of one CoreDNS over a real port beside a bare echo, and how soon a new Service has its name',
  async run(context: BenchmarkContext): Promise<Record<string, FigureInput | MissingFigure>> {
    const nats = await startNatsServer();
    const folder = mkdtempSync(join(tmpdir(), 'podwire-bench-dns-'));
    const children: ChildProcess[] = [];
    try {
      const apiPort = await freePort();
      children.push(await startApiServer(nats, folder, apiPort));
      const api = apiLoad(folder, apiPort);
      context.progress(`making ${SERVICES} Services`);
      await asFastAsPossible(SERVICES, CREATES_IN_FLIGHT, (index) => makeService(api, `svc-${index}`));
      const client = startScript('dns-load.ts', CLIENT_CORE);
      children.push(client);
      const targets = await startTargets(nats, folder, children);
      const all = Object.values(targets).filter((target): target is Target => target !== undefined);
      for (const target of all) await warmUp(client, target);
      for (let round = 1; round <= context.repeats; round++) {
        context.progress(`round ${round} of ${context.repeats}`);
        for (const target of all) await measure(client, target);
      }
      context.progress(`making and deleting Services for ${CHANGE_SECONDS} s`);
      const changes = await measureChanges(api, targets.all.port);
      api.close();
      return { ...figuresOf(targets), ...figuresOfChanges(changes) };
    } finally {
      await Promise.all(children.map(ended));
      await nats.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function startTargets(nats: TestNatsServer, folder: string, children: ChildProcess[]): Promise<Targets> {
  const names = Array.from({ length: SERVICES }, (_, index) => nameOf(index));
  const few = names.slice(0, CACHED_NAMES);
  const echo = startScript('dns-echo.ts', SERVER_CORE);
  const batchedEcho = startScript('dns-batched-echo.ts', SERVER_CORE);
  children.push(echo, batchedEcho);
  const [echoPort] = (await once(echo, 'message')) as [number];
  const [batchedEchoPort] = (await once(batchedEcho, 'message')) as [number];
  const cached = await startDns(nats, folder, 'cache 30');
  children.push(cached.child);
  const uncached = await startDns(nats, folder, '');
  children.push(uncached.child);
  return {
    echo: new Target(echo, echoPort, few),
    batchedEcho: batchedEchoPort === 0 ? undefined : new Target(batchedEcho, batchedEchoPort, few),
    cached: new Target(cached.child, cached.port, few),
    few: new Target(uncached.child, uncached.port, few),
    all: new Target(uncached.child, uncached.port, names),
  };
}

async function measure(client: ChildProcess, target: Target): Promise<void> {
  const beforeMs = processorMs(target.child);
  const result = await ask(client, target.order(SECONDS));
  target.results.push(result);
  target.cpuUs.push(((processorMs(target.child) - beforeMs) * 1000) / result.answers);
}

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

async function warmUp(client: ChildProcess, target: Target): Promise<void> {
  const untilMs = performance.now() + WARM_UP_LIMIT_MS;
  for (let answers = 0; answers < WARM_UP_ANSWERS && performance.now() < untilMs; ) {
    answers += (await ask(client, target.order(1))).answers;
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

function figuresOf({ echo, batchedEcho, cached, few, all }: Targets): Record<string, FigureInput | MissingFigure> {
  const beside = (of: (target: Target) => number[]): FigureInput['reference'] => ({
    label: 'bare dgram echo',
    samples: of(echo),
  });
  const perSecond = (target: Target): number[] => target.of('perSecond');
  const rate = (label: string, target: Target): FigureInput => ({
    label: `${label}, ${IN_FLIGHT} in flight`,
    unit: '1/s',
    samples: perSecond(target),
    reference: beside(perSecond),
  });
  const besideBatches = (label: string, target: Target): FigureInput | MissingFigure => {
    if (batchedEcho === undefined) return { label, missing: 'there are no sockets for batches here' };
    const reference = { label: 'echo on such sockets', samples: perSecond(batchedEcho) };
    return { label, unit: '1/s', samples: perSecond(target), reference };
  };
  const details = (name: string, target: Target): Record<string, FigureInput> => ({
    [`${name}P50`]: {
      label: '  p50',
      unit: 'us',
      samples: target.of('p50Us'),
      reference: beside((one) => one.of('p50Us')),
    },
    [`${name}P99`]: {
      label: '  p99',
      unit: 'us',
      samples: target.of('p99Us'),
      reference: beside((one) => one.of('p99Us')),
    },
    [`${name}Cpu`]: {
      label: '  processor time of an answer',
      unit: 'us',
      samples: target.cpuUs,
      reference: beside(({ cpuUs }) => cpuUs),
    },
  });
  const asked = [cached, few, all];
  return {
    cached: { ...rate('answers from a warm cache', cached), goal: { compare: '>=', bound: 0.6, of: 'ratio' } },
    cachedBesideBatches: besideBatches('  beside an echo in batches', cached),
    ...details('cached', cached),
    kubernetes: {
      ...rate(`answers of the kubernetes plugin, ${SERVICES} Services`, all),
      goal: { compare: '>=', bound: 0.4, of: 'ratio' },
    },
    kubernetesBesideBatches: besideBatches('  beside an echo in batches', all),
    ...details('kubernetes', all),
    kubernetesFew: rate(`  asked for ${CACHED_NAMES} names of these only`, few),
    lost: { label: 'questions without an answer', unit: '', samples: asked.flatMap((target) => target.of('lost')) },
    failed: { label: 'answers other than NOERROR', unit: '', samples: asked.flatMap((target) => target.of('failed')) },
  };
}
