/**
 * What a packet between pods of two nodes costs: round trip and one bulk TCP flow through two whole data paths in two
 * processes, beside bare connected dgram sockets in the same run. Round trips are pinned, as waking an idle processor costs
 * more than everything else: both ends on one, or each on its own.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { loadNativeSockets } from '../node-agent/io/native-socket.ts';
import type { Benchmark, BenchmarkContext } from './benchmark.ts';
import type { Carrier, EndMessage, Introduction, Quantity } from './datapath-message.ts';
import type { FigureInput, Goal } from './figure.ts';

const END = join(import.meta.dirname, 'datapath-end.ts');
const LIMIT_MS = 30_000;

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
      list.push(await measureOnce(carrier, row));
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

async function measureOnce(carrier: Carrier, { placement, quantity }: Row): Promise<number> {
  const ends = (['server', 'client'] as const).map((role) => {
    const core = placement === 'unpinned' ? undefined : role === 'client' && placement === 'cross core' ? 1 : 0;
    return startEnd([END, carrier, role, quantity], core);
  });
  const [server, client] = ends as [ChildProcess, ChildProcess];
  try {
    const [ofServer, ofClient] = await Promise.all(ends.map(introductionOf));
    const ready = Promise.all(ends.map((end) => messageOf(end, 'ready')));
    server.send(ofClient as Introduction);
    client.send(ofServer as Introduction);
    await ready;
    const result = messageOf(quantity === 'rtt' ? client : server, 'result');
    client.send('start');
    return (await result).value;
  } finally {
    for (const end of ends) end.kill('SIGKILL');
  }
}

function startEnd(args: readonly string[], core: number | undefined): ChildProcess {
  const [command, ...rest] = [
    ...(core === undefined ? [] : ['taskset', '-c', String(core)]),
    process.execPath,
    ...args,
  ];
  return spawn(command as string, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

async function introductionOf(end: ChildProcess): Promise<Introduction> {
  return (await messageOf(end, 'introduction')).introduction;
}

function messageOf<K extends EndMessage['kind']>(end: ChildProcess, kind: K): Promise<EndMessage & { kind: K }> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => settle(() => reject(new Error(`no '${kind}' within ${LIMIT_MS} ms`))), LIMIT_MS);
    const onExit = () => settle(() => reject(new Error(`an end of the path ended before its '${kind}'`)));
    const onMessage = (message: unknown) => {
      // Only datapath-end.ts writes to this channel.
      const said = message as EndMessage & { kind: K };
      if (said.kind === kind) settle(() => resolve(said));
    };
    const settle = (action: () => void): void => {
      clearTimeout(limit);
      end.off('exit', onExit).off('message', onMessage);
      action();
    };
    end.on('exit', onExit).on('message', onMessage);
  });
}
