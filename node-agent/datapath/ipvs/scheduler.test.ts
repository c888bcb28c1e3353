import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../shared/netstack/seeded-random.ts';
import type { Scheduler } from '../../../shared/rules/ipvs.ts';
import { maglevTable } from '../maglev.ts';
import { RealServer } from './real-server.ts';
import { makeSchedule } from './scheduler.ts';

const SERVICE = 0x0a60_0005;

function servers(...weights: number[]): RealServer[] {
  return weights.map((weight, i) => new RealServer({ address: 0x0af4_0105 + i, port: 8080, weight }));
}

/** Which servers, by their index, get `count` connections of as many clients. */
function turns(scheduler: Scheduler, all: readonly RealServer[], count: number): number[] {
  const schedule = makeSchedule(scheduler, all);
  return Array.from({ length: count }, (_, client) => all.indexOf(schedule(0x0af4_0200 + client, SERVICE)!));
}

describe('schedulers', () => {
  it('rr goes round in exact turns, past servers without weight', () => {
    expect(turns('rr', servers(1, 1, 1), 7)).toEqual([0, 1, 2, 0, 1, 2, 0]);
    expect(turns('rr', servers(1, 0, 1), 4)).toEqual([0, 2, 0, 2]);
  });

  it('wrr interleaves by weight', () => {
    expect(turns('wrr', servers(4, 3, 2), 9)).toEqual([0, 0, 1, 0, 1, 2, 0, 1, 2]);
  });

  it.each(['lc', 'wlc', 'sed', 'nq'] as const)('%s takes who has the least connections', (scheduler) => {
    const all = servers(1, 1, 1);
    all[0]!.active = 3;
    all[1]!.active = 1;
    all[2]!.active = 2;
    expect(turns(scheduler, all, 1)).toEqual([1]);
  });

  it('an active connection weighs as much as 256 inactive ones', () => {
    const all = servers(1, 1);
    all[0]!.active = 1;
    all[1]!.inactive = 255;
    expect(turns('lc', all, 1)).toEqual([1]);
    all[1]!.inactive = 257;
    expect(turns('lc', all, 1)).toEqual([0]);
  });

  it('wlc and sed divide by the weight; nq takes an idle one first', () => {
    const all = servers(1, 4);
    all[1]!.active = 2;
    all[0]!.active = 1;
    expect([turns('wlc', all, 1), turns('sed', all, 1)]).toEqual([[1], [1]]);
    all[0]!.active = 0;
    all[1]!.active = 1;
    expect([turns('sed', all, 1), turns('nq', all, 1)]).toEqual([[1], [0]]);
  });

  it.each(['sh', 'mh'] as const)('%s keeps a client at its server and spreads clients', (scheduler) => {
    const all = servers(1, 1, 1);
    const first = turns(scheduler, all, 300);
    expect(turns(scheduler, all, 300)).toEqual(first);
    expect(new Set(first).size).toBe(3);
  });

  it('dh sends all clients of an address to one server', () => {
    expect(new Set(turns('dh', servers(1, 1, 1), 50)).size).toBe(1);
  });

  it('has nobody where there is no weight', () => {
    for (const scheduler of ['rr', 'wrr', 'lc', 'wlc', 'sh', 'dh', 'sed', 'nq', 'mh'] as const) {
      expect(makeSchedule(scheduler, servers(0, 0))(1, SERVICE), scheduler).toBeNull();
    }
  });
});

describe('Maglev', () => {
  const size = 4093;
  const backends = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ address: 0x0af4_0105 + i, port: 8080, weight: 1 }));

  it('gives every backend nearly as many places', () => {
    for (const count of [1, 3, 10, 100]) {
      const places = new Array<number>(count).fill(0);
      for (const backend of maglevTable(backends(count), size)) places[backend]!++;
      expect(Math.max(...places) - Math.min(...places), `${count} backends`).toBeLessThanOrEqual(1);
    }
  });

  it('leaves nearly all clients where they are when one backend goes', () => {
    const before = maglevTable(backends(10), size);
    const random = seededRandom(7);
    const gone = Math.floor(random() * 10);
    const after = maglevTable(
      backends(10).map((backend, i) => ({ ...backend, weight: i === gone ? 0 : 1 })),
      size,
    );
    const moved = before.filter((backend, place) => backend !== gone && after[place] !== backend).length;
    expect(moved / size, `without backend ${gone}`).toBeLessThan(0.1);
  });
});
