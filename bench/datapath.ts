/**
 * What a packet between pods costs: round trips and one bulk TCP flow through two whole data paths (bridge, conntrack,
 * hooks, VXLAN) in two processes, beside bare connected dgram sockets and the kernel's own VXLAN in the same run. Round trips
 * are pinned, as waking an idle processor costs more than everything else: both ends on one, or each on its own.
 */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { IoTier } from '../node-agent/io/open-link.ts';
import { availableTiers } from './available-tiers.ts';
import type { Benchmark, BenchmarkContext, MissingFigure } from './benchmark.ts';
import type { Carrier, Quantity } from './datapath-message.ts';
import type { FigureInput, Goal } from './figure.ts';
import { KernelVxlan, kernelVxlanMissing } from './kernel-vxlan.ts';
import { type Role, runOneEnd, runTwoEnds, type TwoEndsResult } from './two-ends.ts';

const END = join(import.meta.dirname, 'datapath-end.ts');

/** Payload of a full segment: MTU 1450 without the headers of IPv4 and TCP, with its timestamps. */
const SEGMENT_BYTES = 1398;

type Core = 'same core' | 'cross core';
type Rows = Record<string, FigureInput | MissingFigure>;

const ROUND_TRIP_GOALS: Record<Core, Record<IoTier, number>> = {
  'same core': { dgram: 1.4, gso: 1.4, polled: 1.0 },
  'cross core': { dgram: 1.2, gso: 1.2, polled: 1.1 },
};
const BULK_GOALS: Record<IoTier, number> = { dgram: 0.1, gso: 0.4, polled: 0.7 };
const SINGLE_GOALS = { dgram: 0.45, 'gso-single': 0.45, 'polled-single': 0.65 };
const BUSY_GOALS: Record<IoTier, number> = { dgram: 12, gso: 3, polled: 1.5 };
const LOCAL_GOAL = 0.3;

export const datapathBenchmark: Benchmark = {
  name: 'datapath',
  summary: 'round trip and bulk TCP between pods, beside bare sockets and kernel VXLAN',
  async run(context: BenchmarkContext): Promise<Rows> {
    const tiers = await availableTiers(context);
    return {
      ...(await roundTrips('same core', tiers, context)),
      ...(await roundTrips('cross core', tiers, context)),
      ...(await bulk(tiers, context)),
    };
  },
};

/** Why processes cannot be placed so; undefined when they can. */
function cannotPlace(core: Core): string | undefined {
  if (spawnSync('taskset', ['-V']).status !== 0) return 'needs the program taskset';
  return core === 'cross core' && availableParallelism() < 2 ? 'needs two processors' : undefined;
}

/** Repeats of several quantities, by name. One follows the other in each round, so a slow moment hits all of them. */
class Samples {
  private readonly byName = new Map<string, number[]>();

  add(name: string, value: number): void {
    const list = this.byName.get(name);
    if (list === undefined) this.byName.set(name, [value]);
    else list.push(value);
  }

  /** Mbit/s, and under `NAME busy` processor time a full segment. */
  addBulk(name: string, { value: megabits, busy }: TwoEndsResult): void {
    this.add(name, megabits);
    this.add(`${name} busy`, (busy * SEGMENT_BYTES * 8) / megabits);
  }

  of(name: string): readonly number[] {
    return this.byName.get(name) ?? [];
  }
}

async function roundTrips(core: Core, tiers: readonly IoTier[], context: BenchmarkContext): Promise<Rows> {
  const missing = cannotPlace(core);
  if (missing !== undefined) return { [`rtt ${core}`]: { label: `RTT, ${core}`, missing } };
  const samples = new Samples();
  const fastest = tiers.at(-1) as IoTier;
  const isSame = core === 'same core';
  for (let round = 1; round <= context.repeats; round++) {
    context.progress(`round trips, ${core}, round ${round} of ${context.repeats}`);
    for (const carrier of ['bare', ...tiers] as const) samples.add(carrier, await roundTrip(carrier, 'rtt', core));
    if (!isSame) continue;
    samples.add('duplex', await roundTrip(fastest, 'duplex', core));
    samples.add('local', (await runOneEnd([END, 'dgram', 'client', 'local'], 0)).value);
  }
  const bare = { label: 'bare connected dgram', samples: samples.of('bare') };
  const rows: Rows = {};
  for (const tier of tiers) {
    rows[`rtt ${core} ${tier}`] = {
      label: `RTT p50 over ${tier}, ${core}`,
      unit: 'us',
      samples: samples.of(tier),
      reference: bare,
      goal: { compare: '<=', bound: ROUND_TRIP_GOALS[core][tier], of: 'ratio' },
    };
  }
  return isSame ? { ...rows, ...sameNodeRows(samples, fastest) } : rows;
}

function sameNodeRows(samples: Samples, fastest: IoTier): Rows {
  const reference = { label: `the stack's API, ${fastest}`, samples: samples.of(fastest) };
  return {
    'rtt duplex': {
      label: `RTT p50 through Duplex sockets, ${fastest}`,
      unit: 'us',
      samples: samples.of('duplex'),
      reference,
    },
    'rtt same node': {
      label: 'RTT p50 between pods of one node',
      unit: 'us',
      samples: samples.of('local'),
      reference: { label: `between two nodes, ${fastest}`, samples: samples.of(fastest) },
      goal: { compare: '<=', bound: LOCAL_GOAL, of: 'ratio' },
    },
  };
}

async function roundTrip(carrier: Carrier, quantity: Quantity, core: Core): Promise<number> {
  const coreOf = (role: Role): number => (role === 'client' && core === 'cross core' ? 1 : 0);
  const commandOf = (role: Role): string[] => [END, carrier, role, quantity];
  return (await runTwoEnds({ commandOf, coreOf, resultFrom: 'client' })).value;
}

async function bulk(tiers: readonly IoTier[], context: BenchmarkContext): Promise<Rows> {
  const missing = kernelVxlanMissing();
  const kernel = missing === undefined ? await KernelVxlan.open() : undefined;
  const carriers: Carrier[] = ['bare', ...tiers];
  if (tiers.length > 1) carriers.push('gso-single', 'polled-single');
  const samples = new Samples();
  try {
    for (let round = 1; round <= context.repeats; round++) {
      context.progress(`bulk TCP, round ${round} of ${context.repeats}`);
      if (kernel !== undefined) samples.add('kernel', await kernel.bulk());
      for (const carrier of carriers) samples.addBulk(carrier, await runBulk(carrier, 'bulk'));
      samples.addBulk('duplex', await runBulk(tiers.at(-1) ?? 'dgram', 'bulk duplex'));
    }
  } finally {
    kernel?.close();
  }
  return bulkRows(tiers, carriers, samples, missing);
}

function runBulk(carrier: Carrier, quantity: Quantity): Promise<TwoEndsResult> {
  const commandOf = (role: Role): string[] => [END, carrier, role, quantity];
  return runTwoEnds({ commandOf, coreOf: () => undefined, resultFrom: 'server', measuresBusy: true });
}

function bulkRows(
  tiers: readonly IoTier[],
  carriers: readonly Carrier[],
  samples: Samples,
  missing: string | undefined,
): Rows {
  const rows: Rows = {};
  for (const tier of tiers) {
    const label = `bulk TCP over ${tier}`;
    const goal: Goal = { compare: '>=', bound: BULK_GOALS[tier], of: 'ratio' };
    const reference = { label: 'kernel VXLAN, iperf3', samples: samples.of('kernel') };
    const own = { label, unit: 'Mbit/s', samples: samples.of(tier) };
    rows[`bulk ${tier}`] = missing === undefined ? { ...own, reference, goal } : own;
    if (missing !== undefined) rows[`bulk ${tier} kernel`] = { label: `${label} beside kernel VXLAN`, missing };
    rows[`busy ${tier}`] = {
      label: `processor time a full segment over ${tier}, both ends`,
      unit: 'us',
      samples: samples.of(`${tier} busy`),
      goal: { compare: '<=', bound: BUSY_GOALS[tier], of: 'value' },
    };
  }
  const fastest = tiers.at(-1) ?? 'dgram';
  rows['bulk duplex'] = {
    label: `bulk TCP through Duplex sockets, ${fastest}`,
    unit: 'Mbit/s',
    samples: samples.of('duplex'),
    reference: { label: `the stack's API, ${fastest}`, samples: samples.of(fastest) },
  };
  for (const [carrier, bound] of Object.entries(SINGLE_GOALS)) {
    if (!carriers.includes(carrier as Carrier)) continue;
    rows[`single ${carrier}`] = {
      label: `bulk TCP, a datagram a segment, ${carrier.replace('-single', '')}`,
      unit: 'Mbit/s',
      samples: samples.of(carrier),
      reference: { label: 'bare connected dgram', samples: samples.of('bare') },
      goal: { compare: '>=', bound, of: 'ratio' },
    };
  }
  return rows;
}
