import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { emptyVolume, projectedVolume, replaceProjection } from '../images/files/volume.ts';
import { VolumeFolders } from './volume-folders.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'podwire-volumes-'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

test('a volume of objects follows them: files come, change and go', async () => {
  const folders = new VolumeFolders(base);
  const bytes = (text: string) => ({ bytes: new TextEncoder().encode(text) });
  const volume = projectedVolume({ 'a.conf': bytes('one'), 'sub/b.conf': { ...bytes('two'), mode: 0o400 } });
  const folder = await folders.folderOf(volume);
  expect(readFileSync(join(folder, 'a.conf'), 'utf8')).toBe('one');
  expect(statSync(join(folder, 'sub/b.conf')).mode & 0o777).toBe(0o400);
  replaceProjection(volume, { 'a.conf': bytes('three'), 'c.conf': bytes('four') });
  await folders.refresh();
  expect(readFileSync(join(folder, 'a.conf'), 'utf8')).toBe('three');
  expect(readFileSync(join(folder, 'c.conf'), 'utf8')).toBe('four');
  expect(existsSync(join(folder, 'sub/b.conf'))).toBe(false);
  const [content, ...rest] = readdirSync(folder).filter((name) => name.startsWith('..2'));
  expect(readlinkSync(join(folder, '..data'))).toBe(content);
  expect(rest).toEqual([]);
});

test('what programs wrote into an emptyDir stays, and all containers see one folder', async () => {
  const folders = new VolumeFolders(base);
  const volume = emptyVolume();
  const folder = await folders.folderOf(volume);
  writeFileSync(join(folder, 'note'), 'mine');
  await folders.refresh();
  expect(await folders.folderOf(volume)).toBe(folder);
  expect(readFileSync(join(folder, 'note'), 'utf8')).toBe('mine');
  expect(await folders.folderOf(emptyVolume())).not.toBe(folder);
});
