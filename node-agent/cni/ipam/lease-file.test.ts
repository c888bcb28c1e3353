import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Leases } from './host-local.ts';
import { LeaseFile } from './lease-file.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-leases-'));
  path = join(folder, 'ipam.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

function leasesOf(count: number): Leases {
  const entries = Array.from({ length: count }, (_, i) => [`uid-${i}`, 0x0af40102 + i] as const);
  return { range: '183763200/24', lastGiven: 0x0af40101 + count, entries };
}

async function save(leases: Leases): Promise<void> {
  const file = new LeaseFile(path);
  file.load();
  file.save(leases);
  await new Promise((resolve) => setImmediate(resolve));
}

describe('the lease file', () => {
  test('is empty at first, and has what was saved last', async () => {
    expect(new LeaseFile(path).load()).toBeUndefined();
    for (const count of [3, 5, 1, 0, 2]) {
      await save(leasesOf(count));
      expect(new LeaseFile(path).load()).toEqual(leasesOf(count));
    }
  });

  test('writes once what changed several times in one turn', async () => {
    const file = new LeaseFile(path);
    for (const count of [1, 2, 3]) file.save(leasesOf(count));
    await new Promise((resolve) => setImmediate(resolve));
    expect(new LeaseFile(path).load()).toEqual(leasesOf(3));
    expect(readFileSync(`${path}.other`, 'utf8')).toContain('"turn":1,');
  });

  test('has the state before, or the new one, when a write was cut anywhere', async () => {
    const other = `${path}.other`;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(8),
        fc.nat(8),
        fc.nat(8),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (...values) => {
          const [first, before, after, part] = values;
          for (const name of [path, other]) rmSync(name, { force: true });
          await save(leasesOf(first));
          await save(leasesOf(before));
          const old = readFileSync(other);
          await save(leasesOf(after));
          const whole = readFileSync(other);
          const cut = Math.round(part * whole.length);
          writeFileSync(other, Buffer.concat([whole.subarray(0, cut), old.subarray(cut)]));
          expect([leasesOf(before), leasesOf(after)]).toContainEqual(new LeaseFile(path).load());
        },
      ),
      { numRuns: 50 },
    );
  });
});
