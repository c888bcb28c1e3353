/**
 * 100 MB over every combination of loss, reordering, duplication and MTU, byte for byte. The quick run takes a part of it
 * through all of them; `PODWIRE_SIM=full npx vitest run test/sim/tcp-matrix.test.ts` moves all.
 *
 * tcp-throughput-quick.txt and tcp-throughput-full.txt hold the throughput of each run: virtual time is a function of the
 * seed, so every change of TCP shows in them. A change that is meant is kept by adding `-u` to the command.
 */
import { expect, test } from 'vitest';
import { ip } from '../../shared/netstack/network.testkit.ts';
import { Simulation } from './simulation.ts';
import { startTransfer } from './transfer.ts';

const IS_FULL = process.env.PODWIRE_SIM === 'full';
const BYTES = IS_FULL ? 100_000_000 : 10_000_000;
const GOLDEN = `tcp-throughput-${IS_FULL ? 'full' : 'quick'}.txt`;
/** Golden figures belong to one seed. */
const SEED = 20_260_102;
const LIMIT_US = 48 * 3_600e6;
const TEST_LIMIT_MS = 600_000;

const MTUS = [1280, 1450, 8950];
const LOSSES = [0, 0.01, 0.05, 0.2];
/** Of the frames; a reordered one overtakes what is on its way: it comes 1 ms early, half a round trip. */
const DISORDERS = [
  { name: 'in order', reorder: 0, duplicate: 0 },
  { name: 'reordered', reorder: 0.1, duplicate: 0 },
  { name: 'duplicated', reorder: 0, duplicate: 0.1 },
  { name: 'both', reorder: 0.1, duplicate: 0.1 },
];

const header = `Mbit/s of ${BYTES / 1e6} MB over 1 Gbit/s with a round trip of 2 ms, by frames lost each way; remade by
${IS_FULL ? 'PODWIRE_SIM=full ' : ''}npx vitest run test/sim/tcp-matrix.test.ts -u

MTU   disorder    ${LOSSES.map((loss) => `${loss * 100}%`.padStart(8)).join('')}
`;

function megabitsPerSecond(mtuBytes: number, loss: number, disorder: (typeof DISORDERS)[number]): number {
  const simulation = new Simulation(SEED);
  const a = simulation.host('a');
  const b = simulation.host('b');
  const { reorder, duplicate } = disorder;
  const path = { delayUs: 1000, rateBitsPerSecond: 1e9 };
  simulation.cable(a, '10.0.0.1/24', b, '10.0.0.2/24', { ...path, loss, reorder, duplicate }, mtuBytes);
  const startUs = simulation.engine.nowUs;
  const options = { remoteAddress: ip('10.0.0.2'), port: 5001, upBytes: BYTES, downBytes: 0, seed: SEED };
  const transfer = startTransfer(a, b, options);
  simulation.runUntil(() => transfer.done(), LIMIT_US);
  expect(transfer.errors).toEqual([null, null]);
  const megabits = (BYTES * 8) / (simulation.engine.nowUs - startUs);
  simulation.run(200_000_000);
  expect(simulation.memory.inUse).toBe(0);
  return megabits;
}

test(`${BYTES / 1e6} MB arrive, and as fast as they did`, { timeout: TEST_LIMIT_MS }, async () => {
  const rows: string[] = [];
  for (const mtuBytes of MTUS) {
    for (const disorder of DISORDERS) {
      const cells = LOSSES.map((loss) => megabitsPerSecond(mtuBytes, loss, disorder).toFixed(2).padStart(8));
      rows.push(`${String(mtuBytes).padEnd(6)}${disorder.name.padEnd(12)}${cells.join('')}`);
    }
  }
  await expect(`${header}${rows.join('\n')}\n`).toMatchFileSnapshot(GOLDEN);
});
