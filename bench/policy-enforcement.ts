/**
 * How long after the API has accepted a NetworkPolicy the packets obey it, on a real cluster of two nodes: a pod sends numbered datagrams
 * to a pod of the other node, one after the other, and says which of them were answered. A policy that denies them comes and goes.
 *
 *   POST answered --------> the last datagram that was answered, before the silence, was sent
 *   DELETE answered ------> the first datagram that was answered again was sent
 */
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../test/wait-for.ts';
import { type ApiLoad, quantile } from './api-load.ts';
import { nodePod, withCluster } from './bench-cluster.ts';
import type { BenchmarkContext } from './benchmark.ts';
import { execInPod } from './exec-client.ts';
import type { FigureInput } from './figure.ts';

const POLICIES = '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies';
const PODS = '/api/v1/namespaces/default/pods';
const PORT = 5000;
/** A p99 needs a hundred. */
const CHANGES = 100;
/** For each change, from its acceptance to the next one's request. */
const HELD_MS = 200;
/** Until the client sends. */
const BEGUN_MS = 2000;
const GOAL_MS = 100;
const START_LIMIT_MS = 60_000;

/** By performance.timeOrigin + performance.now(), which the processes of one machine share. */
interface Sent {
  readonly atMs: number;
  readonly answered: boolean;
}

/** The API's answer to a change, and when the next change was asked for. */
interface Change {
  readonly acceptedMs: number;
  readonly untilMs: number;
}

export async function enforcementFigures(context: BenchmarkContext): Promise<Record<string, FigureInput>> {
  context.progress('a cluster of two nodes with --cni canal');
  return withCluster(['--nodes', '2', '--cni', 'canal'], async ({ load, endpoint }) => {
    await load.call('POST', PODS, nodePod('server', 'worker-2', ['node', '-e', SERVER]));
    await load.call('POST', PODS, nodePod('client', 'worker-1', ['sleep', 'infinity']));
    const server = await readyPodIp(load, 'server');
    await readyPodIp(load, 'client');
    context.progress(`${CHANGES} policies come and go`);
    const sending = execInPod(endpoint, 'client', ['node', '-e', clientScript(server)]);
    await Promise.race([sending, delay(BEGUN_MS)]);
    const denied: Change[] = [];
    const allowed: Change[] = [];
    for (let i = 0; i < CHANGES; i++) {
      denied.push(await changed(() => load.call('POST', POLICIES, DENY)));
      allowed.push(await changed(() => load.call('DELETE', `${POLICIES}/deny`)));
    }
    await execInPod(endpoint, 'client', ['node', '-e', STOP]);
    const sent = JSON.parse((await sending).stdout) as Sent[];
    return {
      ...figures(
        'NetworkPolicy accepted to the last packet that passed',
        denied.map((change) => lastAnsweredMs(sent, change)),
      ),
      ...figures(
        'NetworkPolicy deleted to the first packet that passed',
        allowed.map((change) => firstAnsweredMs(sent, change)),
      ),
    };
  });
}

const SERVER = `
  const socket = require('node:dgram').createSocket('udp4').bind(${PORT}, () => console.log('listening'));
  socket.on('message', (message, { address, port }) => socket.send(message, port, address));`;

/** One datagram a millisecond, until it is told to stop. */
function clientScript(server: string): string {
  return `
    const socket = require('node:dgram').createSocket('udp4').bind(${PORT});
    const sent = [];
    const timer = setInterval(() => {
      const number = Buffer.alloc(4);
      number.writeUInt32BE(sent.length);
      sent.push({ atMs: performance.timeOrigin + performance.now(), answered: false });
      socket.send(number, ${PORT}, '${server}');
    }, 1);
    socket.on('message', (message) => {
      if (message.length === 4) {
        sent[message.readUInt32BE()].answered = true;
        return;
      }
      clearInterval(timer);
      socket.close();
      process.stdout.write(JSON.stringify(sent));
    });`;
}

const STOP = `
  const socket = require('node:dgram').createSocket('udp4');
  socket.send('enough', ${PORT}, '127.0.0.1', () => socket.close());`;

const DENY = JSON.stringify({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'deny' },
  spec: { podSelector: { matchLabels: { app: 'server' } }, policyTypes: ['Ingress'] },
});

async function changed(request: () => Promise<unknown>): Promise<Change> {
  await request();
  const acceptedMs = performance.timeOrigin + performance.now();
  await delay(HELD_MS);
  return { acceptedMs, untilMs: performance.timeOrigin + performance.now() };
}

/**
 * Before the longest time without an answer: a datagram that waited somewhere may still be answered once the policy has gone again.
 * All the time that was waited, and so too much, where every one was answered.
 */
function lastAnsweredMs(sent: readonly Sent[], { acceptedMs, untilMs }: Change): number {
  const within = sent.filter(({ atMs }) => atMs >= acceptedMs && atMs < untilMs);
  let silence = { fromMs: untilMs, length: 0 };
  let length = 0;
  let lastMs = acceptedMs;
  for (const { atMs, answered } of within) {
    if (answered) {
      length = 0;
      lastMs = atMs;
    } else if (++length > silence.length) silence = { fromMs: lastMs, length };
  }
  return silence.fromMs - acceptedMs;
}

/** All the time that was waited, and so too much, where none was answered. */
function firstAnsweredMs(sent: readonly Sent[], { acceptedMs, untilMs }: Change): number {
  const first = sent.find(({ atMs, answered }) => answered && atMs >= acceptedMs);
  return Math.min(first?.atMs ?? untilMs, untilMs) - acceptedMs;
}

function figures(label: string, samples: readonly number[]): Record<string, FigureInput> {
  const p99 = `${label}, p99`;
  return {
    [label]: { label, unit: 'ms', samples },
    [p99]: {
      label: p99,
      unit: 'ms',
      samples: [quantile(samples, 0.99)],
      goal: { compare: '<=', bound: GOAL_MS, of: 'value' },
    },
  };
}

async function readyPodIp(load: ApiLoad, name: string): Promise<string> {
  return waitFor(
    `${name} to be Ready`,
    async () => {
      const { status } = JSON.parse(String(await load.call('GET', `${PODS}/${name}`))) as PodObject;
      const isReady = status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True');
      return isReady ? status.podIP : undefined;
    },
    START_LIMIT_MS,
  );
}

interface PodObject {
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}
