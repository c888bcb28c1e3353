/** The processes of a cluster under measurement, what each has used, and where its API is. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiEndpoint } from './api-load.ts';

export interface ClusterProcess {
  readonly name: string;
  readonly pid: number;
}

const CLOCK_TICKS_PER_SECOND = 100;

export type Podwire = (...args: string[]) => Promise<{ readonly stdout: string }>;

/** Every process of the cluster, its supervisor included. */
export async function clusterProcesses(podwire: Podwire, name: string): Promise<ClusterProcess[]> {
  const { stdout } = await podwire('status', '--name', name, '-o', 'json');
  const status = JSON.parse(stdout) as { processes: { name: string; pid?: number }[] };
  return status.processes.flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }]));
}

/** Of the cluster whose folder this is, by what `podwire status -o json` says. */
export function endpointOf(folder: string, { apiUrl }: { apiUrl: string }): ApiEndpoint {
  return {
    port: Number(new URL(apiUrl).port),
    ca: readFileSync(join(folder, 'pki/ca.crt'), 'utf8'),
    token: readFileSync(join(folder, 'pki/admin.token'), 'utf8').trim(),
  };
}

export function isNode({ pid }: ClusterProcess): boolean {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() !== 'nats-server';
}

export function residentMiB({ pid }: ClusterProcess): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}

/** User and system time so far (proc(5), fields 14 and 15 of stat). */
export function cpuSeconds(processes: readonly ClusterProcess[]): number {
  let ticks = 0;
  for (const process of processes) {
    const fields = statText(process)
      .replace(/^.*\) /, '')
      .split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / CLOCK_TICKS_PER_SECOND;
}

/**
 * How often a thread has gone to sleep so far, and so was woken: what an idle process does, whatever the machine is busy with
 * meanwhile and whatever a wake-up costs on it. Threads that ended are not counted.
 */
export function wakeUps(processes: readonly ClusterProcess[]): number {
  let count = 0;
  for (const { pid } of processes) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
      count += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
    }
  }
  return count;
}

/** A process that was started again would make every figure wrong: that is an error, and says whose. */
function statText({ name, pid }: ClusterProcess): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    throw new Error(`${name} (process ${pid}) ended while it was measured`, { cause: error });
  }
}
