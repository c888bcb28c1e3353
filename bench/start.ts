/**
 * How long a cluster takes from nothing to three Ready nodes and CoreDNS, and what it costs when it idles. The reference is
 * the machine's own speed at starting processes: as many empty Node processes at once as the cluster has.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Benchmark, BenchmarkContext } from './benchmark.ts';
import { clusterProcesses, cpuSeconds, isNode, residentMiB, wakeUps } from './cluster-process.ts';
import type { FigureInput } from './figure.ts';

const execFileAsync = promisify(execFile);
const MAIN = resolve(import.meta.dirname, '../cli/main.ts');
const NODES = 3;
const IDLE_WINDOW_MS = 10_000;
/**
 * After the start: caches are filled, controllers have settled, and V8 has collected once more what the start left behind, which
 * it does eight seconds after a process grew quiet.
 */
const SETTLE_MS = 12_000;

export const startBenchmark: Benchmark = {
  name: 'start',
  summary: 'start of a three-node cluster; memory and CPU when idle',
  async run(context: BenchmarkContext): Promise<Record<string, FigureInput>> {
    const home = mkdtempSync(join(tmpdir(), 'podwire-bench-'));
    const environment = { ...process.env, PODWIRE_HOME: home };
    const podwire = (...args: string[]) => execFileAsync(process.execPath, [MAIN, ...args], { env: environment });
    const samples = {
      start: [] as number[],
      reference: [] as number[],
      memory: [] as number[],
      largest: [] as number[],
      cpu: [] as number[],
      wakeUps: [] as number[],
    };
    try {
      // Once unmeasured: the bundles are made and the disk caches filled.
      await podwire('up', '--name', 'warm', '--detach', '--nodes', String(NODES));
      await podwire('down', '--name', 'warm');
      for (let round = 1; round <= context.repeats; round++) {
        context.progress(`round ${round} of ${context.repeats}`);
        const name = `bench-${round}`;
        const startedMs = performance.now();
        await podwire('up', '--name', name, '--detach', '--nodes', String(NODES));
        samples.start.push((performance.now() - startedMs) / 1000);
        try {
          await delay(SETTLE_MS);
          const processes = await clusterProcesses(podwire, name);
          const before = { cpu: cpuSeconds(processes), wakeUps: wakeUps(processes) };
          await delay(IDLE_WINDOW_MS);
          const perSecond = (count: number): number => count / (IDLE_WINDOW_MS / 1000);
          samples.cpu.push(perSecond(cpuSeconds(processes) - before.cpu) * 100);
          samples.wakeUps.push(perSecond(wakeUps(processes) - before.wakeUps));
          const memory = processes.map(residentMiB);
          samples.memory.push(memory.reduce((sum, mib) => sum + mib, 0));
          samples.largest.push(Math.max(...processes.filter(isNode).map(residentMiB)));
          samples.reference.push(await emptyProcessesSeconds(processes.length));
        } finally {
          await podwire('down', '--name', name);
        }
      }
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
    return {
      start: {
        label: 'up to 3 Ready nodes and CoreDNS',
        unit: 's',
        samples: samples.start,
        reference: { label: 'as many empty Node processes', samples: samples.reference },
        goal: { compare: '<=', bound: 3, of: 'value' },
      },
      memory: {
        label: 'idle cluster, resident',
        unit: 'MiB',
        samples: samples.memory,
        goal: { compare: '<=', bound: 900, of: 'value' },
      },
      largest: {
        label: 'largest Node process, idle',
        unit: 'MiB',
        samples: samples.largest,
        goal: { compare: '<=', bound: 70, of: 'value' },
      },
      cpu: {
        label: 'idle cluster, of one core',
        unit: '%',
        samples: samples.cpu,
        goal: { compare: '<=', bound: 10, of: 'value' },
      },
      wakeUps: { label: 'idle cluster, wake-ups', unit: '/s', samples: samples.wakeUps },
    };
  },
};

async function emptyProcessesSeconds(count: number): Promise<number> {
  const startedMs = performance.now();
  const children = Array.from({ length: count }, () => spawn(process.execPath, ['-e', ''], { stdio: 'ignore' }));
  await Promise.all(children.map((child) => once(child, 'exit')));
  return (performance.now() - startedMs) / 1000;
}
