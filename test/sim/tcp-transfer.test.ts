/** Streams both ways over bad cables arrive byte for byte, whatever the seed. */
import { describe, expect, test } from 'vitest';
import { ip } from '../../shared/netstack/network.testkit.ts';
import type { ImpairmentChange } from '../../shared/rules/impairment.ts';
import { type IpFamily, parsePrefix } from '../../shared/wire/ip-address.ts';
import { type Simulation, simulate } from './simulation.ts';
import { startTransfer } from './transfer.ts';

/** Segments may still be on the way when both programs are done. */
const QUIET_US = 200_000_000;

const ENDS = {
  ipv4: ['10.0.0.1/24', '10.0.0.2/24'],
  ipv6: ['fd00::1/64', 'fd00::2/64'],
} as const;

interface Path extends ImpairmentChange {
  readonly mtuBytes?: number;
  readonly family?: IpFamily;
}

function transferOver(simulation: Simulation, path: Path, bytes: number): void {
  const { mtuBytes = 1450, family = 'ipv4', ...faults } = path;
  const [near, far] = ENDS[family];
  const a = simulation.host('a', { ipv6: family === 'ipv6' });
  const b = simulation.host('b', { ipv6: family === 'ipv6' });
  simulation.cable(a, near, b, far, { delayUs: 500, ...faults }, mtuBytes);
  const transfer = startTransfer(a, b, {
    remoteAddress: parsePrefix(far)!.address,
    port: 5001,
    upBytes: bytes,
    downBytes: bytes,
    seed: simulation.seed,
  });
  simulation.runUntil(() => transfer.done());
  expect(transfer.errors).toEqual([null, null]);
  simulation.run(QUIET_US);
  expect(simulation.memory.inUse).toBe(0);
  expect(a.tcp.list()).toEqual([]);
  expect(b.tcp.list()).toEqual([]);
}

describe.each([0, 0.01, 0.05, 0.2])('with %f of the frames lost', (loss) => {
  const bytes = loss >= 0.2 ? 100_000 : 1_000_000;
  test('alone', () => simulate((simulation) => transferOver(simulation, { loss }, bytes), 3));
  test('and a fifth reordered', () =>
    simulate((simulation) => transferOver(simulation, { loss, reorder: 0.2 }, bytes), 3));
  test('and a tenth duplicated', () =>
    simulate((simulation) => transferOver(simulation, { loss, duplicate: 0.1 }, bytes), 3));
  test('and a hundredth damaged', () =>
    simulate((simulation) => transferOver(simulation, { loss, corrupt: 0.01 }, bytes), 3));
  test('and all of it, with jitter', () =>
    simulate((simulation) => {
      const faults = { loss, reorder: 0.1, duplicate: 0.1, corrupt: 0.01, delayUs: 1500, jitterUs: 1000 };
      transferOver(simulation, faults, bytes);
    }, 3));
});

test.each([1280, 1450, 8950])('with an MTU of %i and a queue that overflows', (mtuBytes) => {
  simulate((simulation) => {
    const path = { rateBitsPerSecond: 1e8, limitBytes: 20 * mtuBytes, delayUs: 2000, mtuBytes };
    transferOver(simulation, path, 2_000_000);
  }, 3);
});

describe.each([0, 0.01, 0.05, 0.2])('over IPv6, with %f of the frames lost', (loss) => {
  const bytes = loss >= 0.2 ? 100_000 : 1_000_000;
  test.each([1280, 1450, 8950])('and an MTU of %i', (mtuBytes) =>
    simulate((simulation) => transferOver(simulation, { family: 'ipv6', loss, mtuBytes }, bytes), 3),
  );
  test('reordered, duplicated and damaged, with jitter', () =>
    simulate((simulation) => {
      const faults = { loss, reorder: 0.1, duplicate: 0.1, corrupt: 0.01, delayUs: 1500, jitterUs: 1000 };
      transferOver(simulation, { family: 'ipv6', ...faults }, bytes);
    }, 3));
});

test('a path that swaps segments keeps at least half of its throughput (RFC 3522, RFC 8985)', () => {
  const megabitsPerSecond = (simulation: Simulation, faults: ImpairmentChange): number => {
    const a = simulation.host('a');
    const b = simulation.host('b');
    const path = { delayUs: 5000, rateBitsPerSecond: 1e9 };
    simulation.cable(a, '10.0.0.1/24', b, '10.0.0.2/24', { ...path, ...faults });
    const startUs = simulation.engine.nowUs;
    const bytes = 10_000_000;
    const options = { remoteAddress: ip('10.0.0.2'), port: 1, upBytes: bytes, downBytes: 0, seed: simulation.seed };
    const transfer = startTransfer(a, b, options);
    simulation.runUntil(() => transfer.done());
    return (bytes * 8) / (simulation.engine.nowUs - startUs);
  };
  let inOrder = 0;
  simulate((simulation) => {
    inOrder = megabitsPerSecond(simulation, {});
  });
  simulate((simulation) => {
    expect(megabitsPerSecond(simulation, { reorder: 0.1 })).toBeGreaterThan(inOrder / 2);
  }, 3);
});
