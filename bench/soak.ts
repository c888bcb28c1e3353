/**
 * Memory under full load: once the tables have filled, it must not grow. `PODWIRE_SOAK_SECONDS` says how long; the goal
 * is meant for 600 s. Of the repeats nothing is used: one run is one figure.
 */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { busyNodeOptions } from '../shared/runtime/entry-point.ts';
import type { Benchmark, BenchmarkContext } from './benchmark.ts';
import { type FigureInput, median } from './figure.ts';
import type { SoakSample } from './soak-message.ts';

const END = join(import.meta.dirname, 'soak-end.ts');
const DEFAULT_SECONDS = 60;
const PROGRESS_INTERVAL = 15;
const BYTES_A_MEBIBYTE = 1 << 20;

export const soakBenchmark: Benchmark = {
  name: 'soak',
  summary: 'resident memory of two nodes under full load, over the last half of the run',
  async run(context: BenchmarkContext): Promise<Record<string, FigureInput>> {
    const samples = await measure(secondsToRun(), context);
    const lastHalf = samples.slice(samples.length >> 1);
    const middle = lastHalf.length >> 1;
    const mebibytes = lastHalf.map(({ rssBytes }) => rssBytes / BYTES_A_MEBIBYTE);
    return {
      growth: {
        label: `memory in the last quarter of ${samples.length} s beside the one before`,
        unit: 'MiB',
        samples: [median(mebibytes.slice(middle))],
        reference: { label: 'third quarter', samples: [median(mebibytes.slice(0, middle))] },
        goal: { compare: '<=', bound: 1.05, of: 'ratio' },
      },
      throughput: { label: 'bulk TCP meanwhile', unit: 'Mbit/s', samples: lastHalf.map(({ megabits }) => megabits) },
      connections: {
        label: 'short connections in all',
        unit: 'connections',
        samples: [samples.at(-1)?.connections ?? 0],
      },
    };
  },
};

function secondsToRun(): number {
  const text = process.env.PODWIRE_SOAK_SECONDS ?? String(DEFAULT_SECONDS);
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < 8) {
    throw new Error(`PODWIRE_SOAK_SECONDS is "${text}": give a whole number of seconds from 8`);
  }
  return seconds;
}

function measure(seconds: number, context: BenchmarkContext): Promise<SoakSample[]> {
  const end = fork(END, {
    execArgv: [...busyNodeOptions('node-agent')],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const samples: SoakSample[] = [];
  return new Promise<SoakSample[]>((resolve, reject) => {
    end.once('exit', () => reject(new Error('the process under load ended')));
    end.on('message', (message) => {
      // Only soak-end.ts writes to this channel.
      const sample = message as SoakSample;
      samples.push(sample);
      if (samples.length % PROGRESS_INTERVAL === 0) {
        const { rssBytes, megabits, connections } = sample;
        const memory = (rssBytes / BYTES_A_MEBIBYTE).toFixed(1);
        context.progress(
          `${samples.length} s: ${memory} MiB, ${megabits.toFixed(0)} Mbit/s, ${connections} connections`,
        );
      }
      if (samples.length === seconds) resolve(samples);
    });
  }).finally(() => {
    end.removeAllListeners('exit');
    end.kill('SIGKILL');
  });
}
