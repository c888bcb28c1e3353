import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allowedFolder } from './host-path.ts';

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'podwire-host-path-')));
  for (const name of ['lent/app', 'lent-not', 'secret']) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'secret/key'), '');
  symlinkSync(join(folder, 'secret'), join(folder, 'lent/out'));
  symlinkSync('app', join(folder, 'lent/same'));
  symlinkSync(join(folder, 'lent'), join(folder, 'alias'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a hostPath', () => {
  it.each<[what: string, path: string, allowed: readonly string[], found: string | undefined]>([
    ['that was lent', 'lent', ['lent'], 'lent'],
    ['in one that was lent', 'lent/app', ['lent'], 'lent/app'],
    ['by a link within it', 'lent/same', ['lent'], 'lent/app'],
    ['by another name of it', 'alias/app', ['lent'], 'lent/app'],
    ['lent by another name', 'lent/app', ['alias'], 'lent/app'],
    ['in one of several', 'secret', ['lent', 'secret'], 'secret'],
    ['beside it with a name that begins so', 'lent-not', ['lent'], undefined],
    ['above it', '.', ['lent'], undefined],
    ['out of it by dots', 'lent/../secret', ['lent'], undefined],
    ['out of it by a link', 'lent/out', ['lent'], undefined],
    ['that is not there', 'lent/nothing', ['lent'], undefined],
    ['in one that is not there', 'lent/app', ['nothing'], undefined],
    ['where none was lent', 'lent', [], undefined],
  ])('%s', (_, path, allowed, found) => {
    const full = (name: string) => `${folder}/${name}`;
    expect(allowedFolder(full(path), allowed.map(full))).toBe(found === undefined ? undefined : full(found));
  });

  it('anywhere, when the whole machine was lent', () => {
    expect(allowedFolder(`${folder}/secret`, ['/'])).toBe(`${folder}/secret`);
  });
});
