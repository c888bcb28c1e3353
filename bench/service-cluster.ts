/**
 * Services of a real cluster of two nodes: how long after the deletion of a pod the last request still goes to it, and what `wrk` gets of a
 * NodePort's real address beside the very same program on a bare socket.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { NodeEntrance } from '../shared/bus/subjects.ts';
import { freePort } from '../test/contract/nats-server.ts';
import { waitFor } from '../test/wait-for.ts';
import type { ApiEndpoint, ApiLoad } from './api-load.ts';
import { nodePod, withCluster } from './bench-cluster.ts';
import type { BenchmarkContext, MissingFigure } from './benchmark.ts';
import type { Podwire } from './cluster-process.ts';
import { execInPod } from './exec-client.ts';
import type { FigureInput } from './figure.ts';
import { runWrk, type WrkResult, wrkIsThere } from './wrk.ts';

const NAMESPACE = '/api/v1/namespaces/default';
const REPLICAS = 3;
/** The client sends for so long; the pod is deleted when it has begun everywhere, and is forgotten well before the end. */
const SENDING_MS = 6000;
const DELETED_AFTER_MS = 2000;
const QUIET_MS = 1000;
const SENDERS = 4;
const WRK_SECONDS = 10;
const WARM_UP_SECONDS = 2;
const ASKED_AGAIN_AFTER_MS = 1000;
const START_LIMIT_MS = 60_000;

type Figures = Record<string, FigureInput | MissingFigure>;

export async function clusterFigures(context: BenchmarkContext): Promise<Figures> {
  context.progress('a cluster of two nodes');
  return withCluster(['--nodes', '2'], async ({ load, endpoint, podwire }) => ({
    ...(await deletionFigures(load, endpoint, context)),
    ...(await wrkFigures(load, podwire, context)),
  }));
}

/** By the answers' times at the client, whose clock is the machine's. */
async function deletionFigures(load: ApiLoad, endpoint: ApiEndpoint, context: BenchmarkContext): Promise<Figures> {
  await load.call('POST', '/apis/apps/v1/namespaces/default/deployments', webDeployment());
  const service = { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] };
  const clusterIp = await createService(load, 'web', service);
  await load.call('POST', `${NAMESPACE}/pods`, nodePod('client', 'worker-1', ['sleep', 'infinity']));
  await waitFor('the client', async () => (await podNames(load, 'app=client')).length === 1, START_LIMIT_MS);
  const lastMs: number[] = [];
  const failed: number[] = [];
  for (let round = 1; round <= context.repeats; round++) {
    context.progress(`deletion of a pod, ${round} of ${context.repeats}`);
    const deletion = await deleteWhileSending(load, endpoint, clusterIp);
    lastMs.push(deletion.lastMs);
    failed.push(deletion.failed);
  }
  return {
    deletion: { label: 'from the DELETE of a pod to the last request that it got', unit: 'ms', samples: lastMs },
    deletionFailures: {
      label: 'requests that failed meanwhile',
      unit: 'requests',
      samples: failed,
      goal: { compare: '<=', bound: 0, of: 'value' },
    },
  };
}

interface Sent {
  readonly failed: number;
  /** By the name of the pod, milliseconds since 1970. */
  readonly answers: Readonly<Record<string, { readonly first: number; readonly last: number }>>;
}

/** Each request on a connection of its own, one after the other in each of a few senders. */
function sendingScript(address: string): string {
  return `
    const sent = { failed: 0, answers: {} };
    const until = Date.now() + ${SENDING_MS};
    async function send() {
      while (Date.now() < until) {
        try {
          const name = await ask();
          sent.answers[name] ??= { first: Date.now() };
          sent.answers[name].last = Date.now();
        } catch (error) {
          console.error(String(error));
          sent.failed++;
        }
      }
    }
    function ask() {
      return new Promise((resolve, reject) => {
        const request = require('node:http').get({ host: '${address}', path: '/hostname', agent: false, timeout: 5000 }, (response) => {
          let name = '';
          response.on('data', (text) => { name += text; }).on('end', () => resolve(name)).on('error', reject);
        });
        request.on('error', reject).on('timeout', () => request.destroy(new Error('no answer')));
      });
    }
    Promise.all(Array.from({ length: ${SENDERS} }, send)).then(() => console.log(JSON.stringify(sent)));`;
}

async function deleteWhileSending(
  load: ApiLoad,
  endpoint: ApiEndpoint,
  clusterIp: string,
): Promise<{ lastMs: number; failed: number }> {
  const pods = await waitFor(
    'the pods behind the Service',
    async () => {
      const names = await podNames(load, 'app=web');
      return names.length === REPLICAS ? names : undefined;
    },
    START_LIMIT_MS,
  );
  const pod = pods[0] as string;
  const sending = execInPod(endpoint, 'client', ['node', '-e', sendingScript(clusterIp)]);
  await Promise.race([sending, delay(DELETED_AFTER_MS)]);
  const deletedAt = Date.now();
  await load.call('DELETE', `${NAMESPACE}/pods/${pod}`);
  const { answers, failed } = JSON.parse((await sending).stdout) as Sent;
  const endedAt = Date.now();
  const own = answers[pod];
  if (own === undefined || own.first > deletedAt) throw new Error(`${pod} was not asked before its deletion`);
  if (own.last > endedAt - QUIET_MS) throw new Error(`${pod} is asked ${own.last - deletedAt} ms after its deletion`);
  return { lastMs: own.last - deletedAt, failed };
}

async function wrkFigures(load: ApiLoad, podwire: Podwire, context: BenchmarkContext): Promise<Figures> {
  const label = 'wrk on a NodePort, 16 connections';
  if (!(await wrkIsThere())) return { wrk: { label, missing: 'wrk is not on PATH (apt-get install wrk)' } };
  await load.call('POST', `${NAMESPACE}/pods`, nodePod('hello', 'worker-1', ['node', '-e', helloScript(3000)]));
  await createService(load, 'hello', { type: 'NodePort', selector: { app: 'hello' }, ports: [{ port: 3000 }] });
  const url = await nodePortUrl(podwire, 'worker-1');
  context.progress(`wrk on ${url} for ${WRK_SECONDS} s, and on the same program's bare socket`);
  const inPod = await underWrk(url);
  const bare = await bareUnderWrk();
  return {
    wrk: {
      label,
      unit: 'requests/s',
      samples: [inPod.requestsPerSecond],
      reference: { label: 'the same program, bare socket', samples: [bare.requestsPerSecond] },
    },
    wrkErrors: {
      label: `${label}: errors`,
      unit: 'errors',
      samples: [inPod.errors],
      goal: { compare: '<=', bound: 0, of: 'value' },
    },
  };
}

function helloScript(port: number): string {
  return `require('node:http').createServer((request, response) => response.end('hello\\n')).listen(${port}, () => console.log('listening'));`;
}

async function nodePortUrl(podwire: Podwire, nodeName: string): Promise<string> {
  return waitFor(
    'an answer at the NodePort',
    async () => {
      const { entrances, nodes } = JSON.parse((await podwire('status', '-o', 'json')).stdout) as PodwireStatus;
      const node = nodes.find(({ name }) => name === nodeName);
      const entrance = entrances.find(
        ({ service, address }) => service === 'default/hello' && address === node?.internalIp,
      );
      if (entrance === undefined) return undefined;
      const url = `http://${entrance.realAddress}:${entrance.realPort}/`;
      const answer = await fetch(url, { signal: AbortSignal.timeout(ASKED_AGAIN_AFTER_MS) }).catch(String);
      return answer instanceof Response && answer.ok ? url : undefined;
    },
    START_LIMIT_MS,
  );
}

async function bareUnderWrk(): Promise<WrkResult> {
  const port = await freePort();
  const server = spawn(process.execPath, ['-e', helloScript(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(server.stdout, 'data');
    return await underWrk(`http://127.0.0.1:${port}/`);
  } finally {
    const exit = once(server, 'exit');
    server.kill('SIGKILL');
    await exit;
  }
}

async function underWrk(url: string): Promise<WrkResult> {
  await runWrk(url, WARM_UP_SECONDS);
  return runWrk(url, WRK_SECONDS);
}

async function createService(load: ApiLoad, name: string, spec: object): Promise<string> {
  const body = JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec });
  const service: unknown = JSON.parse(String(await load.call('POST', `${NAMESPACE}/services`, body)));
  return (service as { spec: { clusterIP: string } }).spec.clusterIP;
}

/** Of those that are Ready and stay. */
async function podNames(load: ApiLoad, selector: string): Promise<string[]> {
  const path = `${NAMESPACE}/pods?labelSelector=${encodeURIComponent(selector)}`;
  const { items } = JSON.parse(String(await load.call('GET', path))) as PodList;
  return items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .filter(({ status }) => status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'))
    .map(({ metadata }) => metadata.name);
}

interface PodwireStatus {
  readonly nodes: readonly { readonly name: string; readonly internalIp: string }[];
  readonly entrances: readonly NodeEntrance[];
}

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
    readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  }[];
}

/** They serve on while their endpoints go, as the documentation of Pod Lifecycle advises; the grace is the default. */
function webDeployment(): string {
  const labels = { app: 'web' };
  const container = {
    name: 'web',
    image: 'registry.k8s.io/e2e-test-images/agnhost:2.53',
    args: ['netexec'],
    lifecycle: { preStop: { sleep: { seconds: 10 } } },
  };
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', labels },
    spec: {
      replicas: REPLICAS,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  });
}
