import { describe, expect, it } from 'vitest';
import { type MeteredPod, type ProcessUsage, UsageMeter, type UsageReading, usageBetween } from './usage-meter.ts';

const KIB = 1024;

function pod(uid: string, packets: number, ...processes: (ProcessUsage | undefined)[]): MeteredPod {
  const containers = processes.map((own, index) => ({
    namespace: 'default',
    pod: uid,
    container: `c${index}`,
    startedAtMs: 0,
    processes: own,
  }));
  return { uid, packets, containers };
}

function reading(atMs: number, cpuUs: number, memoryBytes: number, ...pods: MeteredPod[]): UsageReading {
  return { atMs, agent: { cpuUs, memoryBytes }, pods };
}

describe('usage', () => {
  it('of emulated pods is their part of the packets, and an equal part of the memory', () => {
    const before = reading(0, 0, 1000 * KIB, pod('a', 100, undefined), pod('b', 0, undefined, undefined));
    const now = reading(10_000, 1_000_000, 1600 * KIB, pod('a', 400, undefined), pod('b', 100, undefined, undefined));
    const { containers, node, windowMs } = usageBetween(before, now, 1000 * KIB);
    expect(windowMs).toBe(10_000);
    // A tenth of a core, shared 300 : 100.
    expect(containers.map(({ pod: name, container, cpuNanoCores }) => [name, container, cpuNanoCores])).toEqual([
      ['a', 'c0', 75_000_000],
      ['b', 'c0', 12_500_000],
      ['b', 'c1', 12_500_000],
    ]);
    expect(containers.map(({ memoryBytes }) => memoryBytes)).toEqual([200 * KIB, 200 * KIB, 200 * KIB]);
    expect(node).toEqual({ cpuNanoCores: 100_000_000, memoryBytes: 1600 * KIB });
  });

  it('of processes is what the machine counted for them, beside the packets', () => {
    const own = (cpuUs: number): ProcessUsage => ({ cpuUs, memoryBytes: 50 * KIB });
    const before = reading(0, 0, 0, pod('a', 0, own(500_000)));
    const now = reading(1000, 100_000, 0, pod('a', 10, own(700_000)));
    const { containers, node } = usageBetween(before, now, 0);
    expect(containers[0]).toMatchObject({ cpuNanoCores: 300_000_000, memoryBytes: 50 * KIB });
    expect(node).toEqual({ cpuNanoCores: 300_000_000, memoryBytes: 50 * KIB });
  });

  it('of what was started again, or shrank, is never below zero', () => {
    const before = reading(0, 0, 500, pod('a', 900, { cpuUs: 900, memoryBytes: 1 }));
    const now = reading(1000, 0, 100, pod('a', 10, { cpuUs: 5, memoryBytes: 1 }), pod('b', 0, undefined));
    const { containers } = usageBetween(before, now, 500);
    expect(containers.map(({ cpuNanoCores, memoryBytes }) => [cpuNanoCores, memoryBytes])).toEqual([
      [0, 1],
      [0, 0],
    ]);
  });

  it('is the same for who asks again at once', () => {
    const meter = new UsageMeter(reading(0, 0, 0));
    const first = meter.usage(() => reading(10_000, 1000, 0), 10_000);
    expect(meter.usage(() => reading(12_000, 9000, 0), 12_000)).toBe(first);
    expect(meter.usage(() => reading(16_000, 9000, 0), 16_000).windowMs).toBe(6000);
  });
});
