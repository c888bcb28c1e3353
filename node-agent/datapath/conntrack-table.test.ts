import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConntrackTable } from './conntrack-table.ts';
import { Connection } from './flow.ts';
import { Tuple } from './tuple.ts';

function tuple(source: number, destination: number, ports: number, protocol = 17): Tuple {
  return Object.assign(new Tuple(), { source, destination, ports, protocol });
}

function connection(of: Tuple): Connection {
  const made = new Connection(of.protocol, 0);
  of.copyTo(made.original);
  const reply = tuple(of.source, of.destination, of.ports, of.protocol);
  reply.invert();
  reply.copyTo(made.reply);
  return made;
}

describe('ConntrackTable', () => {
  it('finds both flows of what it holds and nothing else, in any order of additions and removals', () => {
    const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(int32, int32), { maxLength: 200, selector: String }),
        fc.func(fc.boolean()),
        (keys, keep) => {
          const table = new ConntrackTable(1024, 7);
          const all = keys.map(([address, ports]) => connection(tuple(address, 1, ports)));
          for (const each of all) table.add(each);
          const kept = all.filter((each) => keep(each.original.ports));
          for (const each of all) if (!kept.includes(each)) table.remove(each);
          expect([...table.connections()]).toEqual(kept);
          for (const each of all) {
            const { original, reply } = each;
            const here = kept.includes(each);
            const { source, destination, ports } = original;
            expect(table.find(tuple(source, destination, ports))).toBe(here ? original : null);
            expect(table.find(tuple(reply.source, reply.destination, reply.ports))).toBe(here ? reply : null);
            expect(table.find(tuple(source, destination, ports, 6))).toBeNull();
          }
        },
      ),
      { numRuns: 50, verbose: true },
    );
  });

  it('finds all of many, while it grows and afterwards', () => {
    const table = new ConntrackTable(65_536, 3);
    const all = Array.from({ length: 20_000 }, (_, i) => connection(tuple(i, i * 7, i)));
    for (const each of all) table.add(each);
    for (const each of all.slice(0, 10_000)) table.remove(each);
    const found = all.filter(({ original: { source, destination, ports } }) =>
      table.find(tuple(source, destination, ports)),
    );
    expect(found).toEqual(all.slice(10_000));
    expect([...table.connections()]).toEqual(found);
  });

  it('refuses when every candidate is assured', () => {
    const table = new ConntrackTable(2, 1);
    for (let i = 0; i < 2; i++) {
      const made = connection(tuple(i, 9, i));
      made.assured = true;
      table.add(made);
    }
    expect([table.makeRoom(), table.refused, table.size]).toEqual([false, 1, 2]);
  });
});
