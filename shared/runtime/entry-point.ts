/** Where the programs of the processes are: beside a bundled one, else in the source tree. */
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMPILERS_LATER } from './compilers.ts';

/** Each process by the name of its bundle (`apiserver.mjs`), with its source below the project's root. */
export const PROCESS_SOURCES = {
  podwire: 'cli/main.ts',
  apiserver: 'services/apiserver/main.ts',
  scheduler: 'services/scheduler/main.ts',
  'controller-manager': 'services/controller-manager/main.ts',
  'cloud-controller': 'services/cloud-controller/main.ts',
  'node-agent': 'node-agent/main.ts',
  'kube-proxy': 'proxy/kube-proxy/main.ts',
  coredns: 'dns/main.ts',
  'node-program': 'node-agent/images/node-program/inside/main.ts',
} as const;

export type ProcessName = keyof typeof PROCESS_SOURCES;

/**
 * The packet path is many small functions. With V8's own limits its compiler leaves a dozen of them as calls; with these a
 * forwarded packet costs an eighth less (`node-agent/datapath/forwarding.bench.ts`).
 */
const INLINE_MORE = ['--max-inlined-bytecode-size=920', '--max-inlined-bytecode-size-cumulative=3000'];

/**
 * A young generation that starts and stays little (packets and messages are pooled or short-lived; more of it made nothing
 * faster), and an old one that grows in small steps: 2 MB less when idle, and forwarding costs the same.
 */
const SMALL_HEAP = ['--max-semi-space-size=1', '--optimize-for-size'];

/** Those that have many requests under way when there is much to do. */
const MANY_REQUESTS: ReadonlySet<ProcessName> = new Set(['apiserver', 'controller-manager', 'scheduler']);

/**
 * Whether a process that is busy grows its heap in large steps, which costs less than collecting it (a fifth of an answer of
 * CoreDNS). A node would keep a third of what its pods take free for nothing.
 */
export function growsWhenBusy(name: string): boolean {
  return name !== 'node-agent';
}

/**
 * What a request holds while it waits for its answer outlives a small young generation, and collecting it in the old one took a
 * third of a busy apiserver's time, and a quarter of its busy clients'. An idle process does not grow into this, and in small steps
 * until it is busy.
 */
const REQUESTS_IN_FLIGHT = ['--optimize-for-size', '--max-semi-space-size=4'];

/** A node knows better than V8 when its pods have dropped what they received (`shared/podnet/received-memory.ts`). */
const COLLECTS_BY_ITSELF = ['--expose-gc'];

/** Options for Node that keep a small process small: its heap, one helper thread, and no compilers before there is work. */
export function nodeOptions(name: ProcessName): readonly string[] {
  return [...busyNodeOptions(name), ...COMPILERS_LATER];
}

/** The same for a process that has work from its start: what a long-running one has once it was busy. */
export function busyNodeOptions(name: ProcessName): readonly string[] {
  const own = MANY_REQUESTS.has(name) ? REQUESTS_IN_FLIGHT : [...SMALL_HEAP, ...INLINE_MORE];
  return [...own, '--v8-pool-size=1', ...(name === 'node-agent' ? COLLECTS_BY_ITSELF : [])];
}

/** The file to run with Node for this process. */
export function entryPoint(name: ProcessName): string {
  const here = fileURLToPath(import.meta.url);
  if (here.endsWith('.mjs')) return join(dirname(here), `${name}.mjs`);
  return resolve(dirname(here), '../..', PROCESS_SOURCES[name]);
}
