import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { createClaim } from './claims.ts';

const folder = mkdtempSync(join(tmpdir(), 'podwire-claims-test-'));
/** A process that certainly exists and is not this one, and one that certainly does not. */
const other = process.ppid;
const gone = spawnSync(process.execPath, ['-e', '']).pid;

describe('claims', () => {
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('are of one process as long as it lives', () => {
    expect(createClaim(folder, other)('tcp-6443')).toBe(true);
    expect(createClaim(folder)('tcp-6443')).toBe(false);
    expect(createClaim(folder)('tcp-6444')).toBe(true);
  });

  it('may be taken again by their process', () => {
    const claim = createClaim(folder);
    expect([claim('block-1'), claim('block-1')]).toEqual([true, true]);
  });

  it('end with their process', () => {
    expect(createClaim(folder, gone)('tcp-4222')).toBe(true);
    expect(createClaim(folder)('tcp-4222')).toBe(true);
  });

  it('do not mind a file that says nothing', () => {
    createClaim(folder)('tcp-1');
    writeFileSync(join(folder, 'tcp-2'), '');
    expect(createClaim(folder)('tcp-2')).toBe(true);
  });

  it('go to one of several processes that take what a dead one had, all at once', async () => {
    const source = `
      const { createClaim } = await import(${JSON.stringify(new URL('./claims.ts', import.meta.url).href)});
      const claim = createClaim(process.argv[1]);
      process.stdin.once('data', () => {
        const got = Array.from({ length: 200 }, (_, i) => claim('tcp-' + i) ? i : undefined);
        process.stdout.write(JSON.stringify(got.filter((i) => i !== undefined)) + '\\n');
      });
      process.stdout.write('ready\\n');
    `;
    const dead = createClaim(folder, gone);
    for (let i = 0; i < 200; i++) dead(`tcp-${i}`);
    const children = [1, 2, 3].map(() => spawn(process.execPath, ['--input-type=module', '-e', source, folder]));
    const lines = children.map((child) => createInterface(child.stdout)[Symbol.asyncIterator]());
    const next = async (line: (typeof lines)[number]): Promise<string> => (await line.next()).value ?? '';
    expect(await Promise.all(lines.map(next))).toEqual(['ready', 'ready', 'ready']);
    // None ends before all have answered: what it has would be anybody's again.
    for (const child of children) child.stdin.write('go\n');
    const taken = (await Promise.all(lines.map(next))).flatMap((line) => JSON.parse(line) as number[]);
    for (const child of children) child.kill();
    expect(taken.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });
});
