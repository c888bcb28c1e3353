/**
 * What a link with a delay gives: by how much the delay of single datagrams differs from the one asked for, beside how much
 * the round trips of bare sockets differ in the same run; and what a delay costs of one TCP flow's throughput.
 * `PODWIRE_IO_TIER=dgram` measures links of another kind. Five rounds take a minute and a half.
 */
import { join } from 'node:path';
import type { IoTier } from '../node-agent/io/open-link.ts';
import { defaultTcpSettings } from '../shared/netstack/tcp/settings.ts';
import { availableTiers } from './available-tiers.ts';
import type { Benchmark, BenchmarkContext } from './benchmark.ts';
import type { EndResult, Spread } from './datapath-message.ts';
import type { FigureInput } from './figure.ts';
import { runTwoEnds } from './two-ends.ts';

const END = join(import.meta.dirname, 'link-end.ts');
const DELAYS_MS = [1, 5, 20, 100];
const P50_LIMIT_US = 200;
const P99_LIMIT_US = 1000;
const BULK_DELAY_MS = 1;
const BULK_GOAL = 0.9;

export const linkBenchmark: Benchmark = {
  name: 'link',
  summary: 'accuracy of delays, and throughput over a delayed link',
  async run(context: BenchmarkContext): Promise<Record<string, FigureInput>> {
    const tier = await chosenTier(context);
    return { ...(await delayErrors(tier, context)), ...(await throughput(tier, context)) };
  },
};

/** `PODWIRE_IO_TIER`, or the fastest that works here. */
async function chosenTier(context: BenchmarkContext): Promise<IoTier> {
  const tiers = await availableTiers(context);
  const { PODWIRE_IO_TIER: wanted = tiers.at(-1) } = process.env;
  const tier = tiers.find((each) => each === wanted);
  if (tier === undefined) throw new Error(`PODWIRE_IO_TIER is "${wanted}": here are ${tiers.join(', ')}`);
  return tier;
}

function measure(
  carrier: 'bare' | IoTier,
  quantity: 'error' | 'bulk',
  delaysMs: readonly number[],
): Promise<EndResult> {
  return runTwoEnds({
    commandOf: (role) => [END, carrier, role, quantity, ...delaysMs.map(String)],
    coreOf: () => undefined,
    resultFrom: quantity === 'error' ? 'client' : 'server',
  });
}

async function delayErrors(tier: IoTier, context: BenchmarkContext): Promise<Record<string, FigureInput>> {
  const bare: Spread[] = [];
  const byDelay: Spread[][] = DELAYS_MS.map(() => []);
  for (let round = 1; round <= context.repeats; round++) {
    context.progress(`delay errors, round ${round} of ${context.repeats}`);
    bare.push(...((await measure('bare', 'error', [])).bySetting ?? []));
    const { bySetting = [] } = await measure(tier, 'error', DELAYS_MS);
    bySetting.forEach((spread, i) => void byDelay[i]?.push(spread));
  }
  const figures: Record<string, FigureInput> = {};
  DELAYS_MS.forEach((delayMs, i) => {
    const spreads = byDelay[i] as Spread[];
    figures[`delay ${delayMs} ms error p50`] = {
      ...errorFigure(spreads, bare, ({ p50 }) => p50, P50_LIMIT_US),
      label: `delay ${delayMs} ms: error p50`,
    };
    figures[`delay ${delayMs} ms error p99`] = {
      ...errorFigure(spreads, bare, ({ p99 }) => p99, P99_LIMIT_US),
      label: `delay ${delayMs} ms: error p99`,
    };
  });
  return figures;
}

function errorFigure(
  spreads: readonly Spread[],
  bare: readonly Spread[],
  sample: (spread: Spread) => number,
  bound: number,
): Omit<FigureInput, 'label'> {
  return {
    unit: 'us',
    samples: spreads.map(sample),
    reference: { label: 'spread of bare dgram round trips', samples: bare.map(sample) },
    goal: { compare: '<=', bound, of: 'value' },
  };
}

/** A window a round trip is the most that any sender could have; a processor that is slower than that sets the limit. */
async function throughput(tier: IoTier, context: BenchmarkContext): Promise<Record<string, FigureInput>> {
  const windowBits = defaultTcpSettings().receiveBufferBytes * 8;
  const delayed: number[] = [];
  const limits: number[] = [];
  for (let round = 1; round <= context.repeats; round++) {
    context.progress(`throughput, round ${round} of ${context.repeats}`);
    const { value: usualUs } = await measure(tier, 'error', []);
    const undelayed = (await measure(tier, 'bulk', [0])).value;
    limits.push(Math.min(undelayed, windowBits / (usualUs + 2000 * BULK_DELAY_MS)));
    delayed.push((await measure(tier, 'bulk', [BULK_DELAY_MS])).value);
  }
  return {
    'bulk delayed': {
      label: `bulk TCP, ${BULK_DELAY_MS} ms each way`,
      unit: 'Mbit/s',
      samples: delayed,
      reference: { label: 'without delay, or a window a round trip', samples: limits },
      goal: { compare: '>=', bound: BULK_GOAL, of: 'ratio' },
    },
  };
}
