/** Where the programs of the processes are: beside a bundled one, else in the source tree. */
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Each process by the name of its bundle (`apiserver.mjs`), with its source below the project's root. */
export const PROCESS_SOURCES = {
  podwire: 'cli/main.ts',
  apiserver: 'services/apiserver/main.ts',
  scheduler: 'services/scheduler/main.ts',
  'controller-manager': 'services/controller-manager/main.ts',
  'node-agent': 'node-agent/main.ts',
  'kube-proxy': 'proxy/kube-proxy/main.ts',
  coredns: 'dns/main.ts',
} as const;

export type ProcessName = keyof typeof PROCESS_SOURCES;

/**
 * Options for Node that keep a small process small: a young generation that starts and stays little, one helper thread for
 * the collector, and compilers that wait until a function is really hot (an idle process then never loads them: 8 to 12 MB
 * less resident). The node-agent, through which packets go, keeps Node's own heap; what is hot there is compiled within
 * the first second of traffic.
 */
export function nodeOptions(name: ProcessName): readonly string[] {
  return name === 'node-agent' ? LATE_COMPILERS : [...SMALL_HEAP, ...LATE_COMPILERS];
}

const SMALL_HEAP = ['--max-semi-space-size=2', '--v8-pool-size=1'];
const LATE_COMPILERS = [
  '--invocation-count-for-maglev=200000',
  '--invocation-count-for-maglev-osr=200000',
  '--invocation-count-for-turbofan=400000',
  '--invocation-count-for-osr=400000',
];

/** The file to run with Node for this process. */
export function entryPoint(name: ProcessName): string {
  const here = fileURLToPath(import.meta.url);
  if (here.endsWith('.mjs')) return join(dirname(here), `${name}.mjs`);
  return resolve(dirname(here), '../..', PROCESS_SOURCES[name]);
}
