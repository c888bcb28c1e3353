import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
});
