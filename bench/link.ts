/**
 * What a link with a delay gives: by how much the delay of single datagrams differs from the one asked for, beside how much
 * the round trips of bare sockets differ in the same run; and what a delay costs of one TCP flow's throughput.
 */
import { join } from 'node:path';
import type { IoTier } from '../node-agent/io/open-link.ts';
import { defaultTcpSettings } from '../shared/netstack/tcp/settings.ts';
import { availableTiers } from './available-tiers.ts';
import type { Benchmark, BenchmarkContext } from './benchmark.ts';
import type { EndResult } from './datapath-message.ts';
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
    const tier = (await availableTiers(context)).at(-1) ?? 'dgram';
    return { ...(await delayErrors(tier, context)), ...(await throughput(tier, context)) };
  },
};

function measure(carrier: 'bare' | IoTier, quantity: 'error' | 'bulk', delayMs: number): Promise<EndResult> {
  return runTwoEnds({
    commandOf: (role) => [END, carrier, role, quantity, String(delayMs * 1000)],
    coreOf: () => undefined,
    resultFrom: quantity === 'error' ? 'client' : 'server',
  });
}

async function delayErrors(tier: IoTier, context: BenchmarkContext): Promise<Record<string, FigureInput>> {
  const bare: EndResult[] = [];
  const byDelay = new Map<number, EndResult[]>(DELAYS_MS.map((delayMs) => [delayMs, []]));
  for (let round = 1; round <= context.repeats; round++) {
    context.progress(`delay errors, round ${round} of ${context.repeats}`);
    bare.push(await measure('bare', 'error', 0));
    for (const [delayMs, results] of byDelay) results.push(await measure(tier, 'error', delayMs));
  }
  const figures: Record<string, FigureInput> = {};
  for (const [delayMs, results] of byDelay) {
    figures[`delay ${delayMs} ms error p50`] = errorFigure(
      `delay ${delayMs} ms: error p50`,
      P50_LIMIT_US,
      results,
      bare,
      p50,
    );
    figures[`delay ${delayMs} ms error p99`] = errorFigure(
      `delay ${delayMs} ms: error p99`,
      P99_LIMIT_US,
      results,
      bare,
      p99,
    );
  }
  return figures;
}

function errorFigure(
  label: string,
  bound: number,
  results: readonly EndResult[],
  bare: readonly EndResult[],
  sample: (result: EndResult) => number,
): FigureInput {
  return {
    label,
    unit: 'us',
    samples: results.map(sample),
    reference: { label: 'spread of bare dgram round trips', samples: bare.map(sample) },
    goal: { compare: '<=', bound, of: 'value' },
  };
}

const p50 = ({ value }: EndResult): number => value;
const p99 = ({ p99: value }: EndResult): number => value ?? Number.NaN;

/** A window a round trip is the most that any sender could have; a processor that is slower than that sets the limit. */
async function throughput(tier: IoTier, context: BenchmarkContext): Promise<Record<string, FigureInput>> {
  const windowMbit = (defaultTcpSettings().receiveBufferBytes * 8) / (2 * BULK_DELAY_MS * 1000);
  const delayed: number[] = [];
  const limits: number[] = [];
  for (let round = 1; round <= context.repeats; round++) {
    context.progress(`throughput, round ${round} of ${context.repeats}`);
    limits.push(Math.min(windowMbit, (await measure(tier, 'bulk', 0)).value));
    delayed.push((await measure(tier, 'bulk', BULK_DELAY_MS)).value);
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
