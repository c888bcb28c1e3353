/**
 * What a packet between pods of two nodes costs: round trip and one bulk TCP flow through two whole data paths in two
 * processes, beside bare connected dgram sockets in the same run. Round trips are pinned, as waking an idle processor costs
 * more than everything else: both ends on one, or each on its own.
 */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { loadNativeSockets } from '../node-agent/io/native-socket.ts';
import type { Benchmark, BenchmarkContext } from './benchmark.ts';
import type { Carrier, EndResult, Quantity } from './datapath-message.ts';
import type { FigureInput, Goal } from './figure.ts';
import { type Role, runTwoEnds } from './two-ends.ts';

const END = join(import.meta.dirname, 'datapath-end.ts');

type Placement = 'same core' | 'cross core' | 'unpinned';

interface Row {
  readonly placement: Placement;
  readonly quantity: Quantity;
  readonly goals: Partial<Record<Carrier, number>>;
}

const ROWS: readonly Row[] = [
  { placement: 'same core', quantity: 'rtt', goals: { dgram: 1.4, polled: 1.0 } },
  { placement: 'cross core', quantity: 'rtt', goals: { dgram: 1.2, polled: 1.1 } },
  { placement: 'unpinned', quantity: 'bulk', goals: { dgram: 0.45, 'polled-single': 0.65 } },
];

export const datapathBenchmark: Benchmark = {
  name: 'datapath',
  summary: 'round trip and bulk TCP between pods of two nodes, beside bare sockets',
  async run(context: BenchmarkContext): Promise<Record<string, FigureInput>> {
    const carriers = await availableCarriers(context);
    const figures: Record<string, FigureInput> = {};
    for (const row of ROWS.filter(({ placement }) => canPlace(placement))) {
      const samples = await measureRow(row, carriers, context);
      for (const carrier of carriers)
        figures[`${row.quantity} ${row.placement} ${carrier}`] = figureOf(row, carrier, samples);
    }
    return figures;
  },
};

async function availableCarriers(context: BenchmarkContext): Promise<Carrier[]> {
  try {
    await loadNativeSockets();
    return ['dgram', 'polled', 'polled-single'];
  } catch (error) {
    context.progress(`dgram only: ${error instanceof Error ? error.message : String(error)}`);
    return ['dgram'];
  }
}

function canPlace(placement: Placement): boolean {
  if (placement === 'unpinned') return true;
  const hasTaskset = spawnSync('taskset', ['-V']).status === 0;
  return hasTaskset && (placement === 'same core' || availableParallelism() > 1);
}

/** Carrier after carrier in each round, so that a slow moment of the machine hits all of them. */
async function measureRow(row: Row, carriers: readonly Carrier[], context: BenchmarkContext) {
  const samples = new Map<Carrier, number[]>();
  for (let round = 1; round <= context.repeats; round++) {
    context.progress(`${row.quantity} ${row.placement}, round ${round} of ${context.repeats}`);
    for (const carrier of ['bare', ...carriers] as const) {
      const list = samples.get(carrier) ?? [];
      list.push((await measureOnce(carrier, row)).value);
      samples.set(carrier, list);
    }
  }
  return samples;
}

function figureOf(row: Row, carrier: Carrier, samples: ReadonlyMap<Carrier, number[]>): FigureInput {
  const bound = row.goals[carrier];
  const compare = row.quantity === 'rtt' ? '<=' : '>=';
  const goal: Goal | undefined = bound === undefined ? undefined : { compare, bound, of: 'ratio' };
  return {
    label: `pods over ${carrier}: ${row.quantity === 'rtt' ? 'RTT p50' : 'bulk TCP'}, ${row.placement}`,
    unit: row.quantity === 'rtt' ? 'us' : 'Mbit/s',
    samples: samples.get(carrier) ?? [],
    reference: { label: 'bare connected dgram', samples: samples.get('bare') ?? [] },
    ...(goal === undefined ? {} : { goal }),
  };
}

function measureOnce(carrier: Carrier, { placement, quantity }: Row): Promise<EndResult> {
  const coreOf = (role: Role): number | undefined =>
    placement === 'unpinned' ? undefined : role === 'client' && placement === 'cross core' ? 1 : 0;
  return runTwoEnds({
    commandOf: (role) => [END, carrier, role, quantity],
    coreOf,
    resultFrom: quantity === 'rtt' ? 'client' : 'server',
  });
}
