/**
 * A Deployment of 1,000 pods on three nodes: how long from its creation until all are Ready, what that costs in processor
 * time and memory, whether every pod answers, and what `exec` takes. Processor time stands beside the time by the clock,
 * because other work on the machine lengthens only the latter.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type ApiEndpoint, ApiLoad, quantile } from './api-load.ts';
import type { Benchmark, BenchmarkContext } from './benchmark.ts';
import { type ClusterProcess, clusterProcesses, cpuSeconds, endpointOf, residentMiB } from './cluster-process.ts';
import { execInPod } from './exec-client.ts';
import type { FigureInput } from './figure.ts';

const execFileAsync = promisify(execFile);
const MAIN = resolve(import.meta.dirname, '../cli/main.ts');
const PODS = Number(process.env.PODWIRE_BENCH_PODS ?? 1000);
const NODES = 3;
const READY_LIMIT_MS = 180_000;
/** After the last pod is Ready: events are written, caches settle. */
const SETTLE_MS = 4000;
const EXECS = 200;
const EXECS_AT_A_TIME = 15;
const EXEC_ROUNDS = 20;
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';

const SAMPLES = ['ready', 'cpu', 'memory', 'exec', 'connection', 'manyExecs'] as const;
type Samples = Record<(typeof SAMPLES)[number], number[]>;

export const workloadsBenchmark: Benchmark = {
  name: 'workloads',
  summary: `${PODS} pods on three nodes: time to Ready, memory a pod, exec`,
  async run(context: BenchmarkContext): Promise<Record<string, FigureInput>> {
    const samples = Object.fromEntries(SAMPLES.map((key) => [key, [] as number[]])) as Samples;
    const home = mkdtempSync(join(tmpdir(), 'podwire-bench-'));
    try {
      for (let round = 1; round <= context.repeats; round++) {
        context.progress(`round ${round} of ${context.repeats}`);
        await measureCluster(home, `bench-${round}`, samples, context);
      }
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
    return figuresOf(samples);
  },
};

async function measureCluster(home: string, name: string, samples: Samples, context: BenchmarkContext): Promise<void> {
  const podwire = (...args: string[]) =>
    execFileAsync(process.execPath, [MAIN, ...args, '--name', name], { env: { ...process.env, PODWIRE_HOME: home } });
  const podsANode = String(Math.ceil(PODS / NODES) + 60);
  await podwire('up', '--detach', '--nodes', String(NODES), '--max-pods', podsANode);
  try {
    const { stdout } = await podwire('status', '-o', 'json');
    const endpoint = endpointOf(join(home, name), JSON.parse(stdout));
    const load = new ApiLoad(endpoint);
    try {
      const processes = await clusterProcesses(podwire, name);
      await measureStart(load, processes, samples, context);
      await checkAnswers(load, endpoint, context);
      await measureExec(load, endpoint, samples);
    } finally {
      load.close();
    }
  } finally {
    await podwire('down');
  }
}

async function measureStart(
  load: ApiLoad,
  processes: readonly ClusterProcess[],
  samples: Samples,
  context: BenchmarkContext,
): Promise<void> {
  const agents = processes.filter(({ name }) => name === 'node-agent');
  if (agents.length !== NODES) throw new Error(`${agents.length} of ${NODES} node-agents run`);
  await delay(SETTLE_MS);
  const memoryBefore = sum(agents.map(residentMiB));
  const cpuBefore = processes.map((process) => cpuSeconds([process]));
  const startedMs = performance.now();
  const allReady = whenReady(load, PODS);
  await load.call('POST', DEPLOYMENTS, deployment());
  await allReady;
  samples.ready.push((performance.now() - startedMs) / 1000);
  const cpu = processes.map((process, i) => cpuSeconds([process]) - (cpuBefore[i] as number));
  samples.cpu.push(sum(cpu));
  context.progress(
    `ready after ${samples.ready.at(-1)?.toFixed(1)} s; processor seconds: ${processes
      .map(({ name }, i) => `${name} ${cpu[i]?.toFixed(2)}`)
      .join(', ')}`,
  );
  await delay(SETTLE_MS);
  samples.memory.push(((sum(agents.map(residentMiB)) - memoryBefore) * 1024) / PODS);
}

/** By the status of the Deployment, as `kubectl rollout status` has it. */
async function whenReady(load: ApiLoad, wanted: number): Promise<void> {
  const ready = Promise.withResolvers<void>();
  const stop = await load.watch(`${DEPLOYMENTS}?watch=1`, (line) => {
    const { object } = JSON.parse(line) as { object: { status?: { readyReplicas?: number } } };
    if (object.status?.readyReplicas === wanted) ready.resolve();
  });
  const limit = setTimeout(() => ready.reject(new Error('the pods do not become Ready')), READY_LIMIT_MS);
  try {
    await ready.promise;
  } finally {
    clearTimeout(limit);
    stop();
  }
}

interface RunningPod {
  readonly name: string;
  readonly node: string;
  readonly address: string;
}

async function runningPods(load: ApiLoad): Promise<RunningPod[]> {
  const list = JSON.parse(
    (await load.call('GET', '/api/v1/namespaces/default/pods?labelSelector=app%3Dmany')).toString('utf8'),
  ) as { items: { metadata: { name: string }; spec: { nodeName: string }; status: { podIP: string } }[] };
  return list.items.map(({ metadata, spec, status }) => ({
    name: metadata.name,
    node: spec.nodeName,
    address: status.podIP,
  }));
}

/** From one pod of each node to every pod of the cluster. */
async function checkAnswers(load: ApiLoad, endpoint: ApiEndpoint, context: BenchmarkContext): Promise<void> {
  const pods = await runningPods(load);
  const names = new Set(pods.map(({ name }) => name));
  const callers = new Map(pods.map((pod) => [pod.node, pod]));
  for (const caller of callers.values()) {
    const addresses = pods.map(({ address }) => address).join(' ');
    const script = `for a in ${addresses}; do curl -s -m 5 http://$a:8080/hostname; echo; done`;
    const { stdout, elapsedMs } = await execInPod(endpoint, caller.name, ['/bin/sh', '-c', script]);
    const answered = new Set(stdout.split('\n').filter((line) => names.has(line)));
    if (answered.size !== names.size) {
      throw new Error(`${answered.size} of ${names.size} pods answered ${caller.name} on ${caller.node}`);
    }
    context.progress(`${caller.node}: ${answered.size} pods answered within ${(elapsedMs / 1000).toFixed(1)} s`);
  }
}

async function measureExec(load: ApiLoad, endpoint: ApiEndpoint, samples: Samples): Promise<void> {
  const pods = await runningPods(load);
  const podAt = (index: number): string => (pods[index % pods.length] as RunningPod).name;
  const run = async (index: number): Promise<number> => (await execInPod(endpoint, podAt(index), ['true'])).elapsedMs;
  const times: number[] = [];
  const connections: number[] = [];
  for (let i = 0; i < EXECS; i++) {
    times.push(await run(i));
    connections.push(await connectionMs(endpoint));
  }
  samples.exec.push(quantile(times.slice(EXECS / 10), 0.5));
  samples.connection.push(quantile(connections.slice(EXECS / 10), 0.5));
  const together: number[] = [];
  for (let round = 0; round < EXEC_ROUNDS; round++) {
    together.push(...(await Promise.all(Array.from({ length: EXECS_AT_A_TIME }, (_, i) => run(i)))));
  }
  samples.manyExecs.push(quantile(together, 0.5));
}

/** A request on a connection of its own. */
async function connectionMs(endpoint: ApiEndpoint): Promise<number> {
  const load = new ApiLoad(endpoint);
  const startedMs = performance.now();
  await load.call('GET', '/version');
  load.close();
  return performance.now() - startedMs;
}

function figuresOf(samples: Samples): Record<string, FigureInput> {
  return {
    ready: {
      label: `${PODS} pods from creation to Ready`,
      unit: 's',
      samples: samples.ready,
      goal: { compare: '<=', bound: 10, of: 'value' },
    },
    cpu: { label: 'processor time of the cluster meanwhile', unit: 's', samples: samples.cpu },
    memory: {
      label: 'memory of the node-agents, a pod',
      unit: 'KiB',
      samples: samples.memory,
      goal: { compare: '<=', bound: 150, of: 'value' },
    },
    exec: {
      label: 'exec of true, p50',
      unit: 'ms',
      samples: samples.exec,
      reference: { label: 'a request on a connection of its own', samples: samples.connection },
      goal: { compare: '<=', bound: 15, of: 'value' },
    },
    manyExecs: {
      label: `exec of true, ${EXECS_AT_A_TIME} at a time, none failed, p50`,
      unit: 'ms',
      samples: samples.manyExecs,
    },
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function deployment(): string {
  const labels = { app: 'many' };
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'many', labels },
    spec: {
      replicas: PODS,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'agnhost', image: 'registry.k8s.io/e2e-test-images/agnhost:2.53', args: ['netexec'] }],
        },
      },
    },
  });
}
