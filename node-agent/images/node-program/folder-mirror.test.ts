import {
  existsSync,
  mkdirSync,
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
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ContainerFiles } from '../files/container-files.ts';
import { DirectoryNode, FileNode } from '../files/file-node.ts';
import { FolderMirror } from './folder-mirror.ts';

let folder: string;
let files: ContainerFiles;
let mirror: FolderMirror;

function begin(): void {
  folder = join(mkdtempSync(join(tmpdir(), 'podwire-mirror-')), 'root');
  files = new ContainerFiles(new DirectoryNode());
  mirror = new FolderMirror(files, folder, ['/data/kept-out']);
}

function end(): void {
  rmSync(join(folder, '..'), { recursive: true });
}

const outside = (path: string): string => join(folder, path);
const textOutside = (path: string): string => readFileSync(outside(path), 'utf8');

describe('a mirrored folder', () => {
  beforeEach(begin);
  afterEach(end);

  it('has what the container has, with its modes and links', async () => {
    files.mkdir('/srv/app', { recursive: true });
    files.writeFile('/srv/app/run', 'of the container', { mode: 0o750 });
    files.symlink('run', '/srv/app/near');
    files.symlink('/srv/app/run', '/srv/app/far');
    await mirror.sync();
    expect(textOutside('/srv/app/run')).toBe('of the container');
    expect(statSync(outside('/srv/app/run')).mode & 0o777).toBe(0o750);
    expect(readlinkSync(outside('/srv/app/near'))).toBe('run');
    expect(textOutside('/srv/app/far')).toBe('of the container');
  });

  it('lets a link lead elsewhere', async () => {
    files.symlink('one', '/current');
    await mirror.sync();
    files.unlink('/current');
    files.symlink('two', '/current');
    await mirror.sync();
    expect(readlinkSync(outside('/current'))).toBe('two');
  });

  it('gives the container what a program writes, removes what it removes', async () => {
    files.writeFile('/old', 'goes');
    await mirror.sync();
    mkdirSync(outside('/new/deep'), { recursive: true });
    writeFileSync(outside('/new/deep/file'), 'of the program', { mode: 0o600 });
    rmSync(outside('/old'));
    await mirror.sync();
    expect(files.readText('/new/deep/file')).toBe('of the program');
    expect(files.stat('/new/deep/file').mode & 0o777).toBe(0o600);
    expect(files.exists('/old')).toBe(false);
  });

  it('removes what the container removes, whole folders too', async () => {
    files.mkdir('/gone/deep', { recursive: true });
    files.writeFile('/gone/deep/file', 'x');
    await mirror.sync();
    files.unlink('/gone/deep/file');
    files.rmdir('/gone/deep');
    files.rmdir('/gone');
    await mirror.sync();
    expect(existsSync(outside('/gone'))).toBe(false);
  });

  it('follows changes of either side, and the container wins where both changed', async () => {
    for (const name of ['a', 'b', 'c']) files.writeFile(`/${name}`, 'first');
    await mirror.sync();
    files.writeFile('/a', 'changed inside');
    writeFileSync(outside('/b'), 'changed outside');
    files.writeFile('/c', 'changed by both, inside');
    writeFileSync(outside('/c'), 'changed by both, outside!');
    await mirror.sync();
    for (const [name, text] of [
      ['/a', 'changed inside'],
      ['/b', 'changed outside'],
      ['/c', 'changed by both, inside'],
    ] as const) {
      expect([files.readText(name), textOutside(name)]).toEqual([text, text]);
    }
  });

  it('puts a read-only volume right again', async () => {
    const volume = new DirectoryNode();
    volume.entries.set('settings', new FileNode(new TextEncoder().encode('fixed')));
    files.mount('/etc/app', volume, { readOnly: true });
    await mirror.sync();
    writeFileSync(outside('/etc/app/settings'), 'changed all the same');
    writeFileSync(outside('/etc/app/more'), 'not wanted');
    await mirror.sync();
    expect(textOutside('/etc/app/settings')).toBe('fixed');
    expect(existsSync(outside('/etc/app/more'))).toBe(false);
    expect(files.readText('/etc/app/settings')).toBe('fixed');
    rmSync(outside('/etc/app/settings'));
    await mirror.sync();
    expect(textOutside('/etc/app/settings')).toBe('fixed');
  });

  it('keeps programs of the image, devices and what is excluded to the container', async () => {
    files.mkdir('/usr/bin', { recursive: true });
    files.mkdir('/data/kept-out', { recursive: true });
    files.mkdir('/proc', { recursive: true });
    files.writeFile('/data/kept-out/secret', 'x');
    files.mount('/usr/bin/tool', new FileNode(new Uint8Array(1), { program: 'tool' }));
    await mirror.sync();
    expect(readdirSync(outside('/usr/bin'))).toEqual([]);
    expect(readdirSync(outside('/data'))).toEqual([]);
    expect(existsSync(outside('/proc'))).toBe(false);
  });

  it('is left alone once it is stopped', async () => {
    await mirror.sync();
    await mirror.stop();
    files.writeFile('/late', 'x');
    await mirror.sync();
    expect(existsSync(outside('/late'))).toBe(false);
  });
});

type Step = readonly ['inside' | 'outside', 'write' | 'remove' | 'sync', name: string, text: string];

describe('whatever changes on either side', () => {
  it('both are alike after a sync, and one more changes nothing', async () => {
    const step: fc.Arbitrary<Step> = fc.tuple(
      fc.constantFrom('inside' as const, 'outside' as const),
      fc.constantFrom('write' as const, 'write' as const, 'remove' as const, 'sync' as const),
      fc.constantFrom('/a', '/b', '/d/c', '/d/e'),
      fc.string({ maxLength: 8 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        begin();
        try {
          files.mkdir('/d');
          await mirror.sync();
          for (const each of steps) await perform(each);
          await mirror.sync();
          const inside = snapshotInside();
          expect(snapshotOutside()).toEqual(inside);
          await mirror.sync();
          expect([snapshotInside(), snapshotOutside()]).toEqual([inside, inside]);
        } finally {
          end();
        }
      }),
      { numRuns: 60 },
    );
  });

  async function perform([side, what, name, text]: Step): Promise<void> {
    if (what === 'sync') await mirror.sync();
    else if (side === 'inside' && what === 'write') {
      files.mkdir('/d', { recursive: true });
      files.writeFile(name, text);
    } else if (side === 'inside') {
      if (files.exists(name)) files.unlink(name);
    } else if (what === 'write') {
      mkdirSync(outside('/d'), { recursive: true });
      writeFileSync(outside(name), text);
    } else rmSync(outside(name), { force: true });
  }

  const NAMES = ['/a', '/b', '/d/c', '/d/e'];

  function snapshotInside(): Record<string, string> {
    return Object.fromEntries(NAMES.filter((name) => files.exists(name)).map((name) => [name, files.readText(name)]));
  }

  function snapshotOutside(): Record<string, string> {
    return Object.fromEntries(
      NAMES.filter((name) => existsSync(outside(name))).map((name) => [name, textOutside(name)]),
    );
  }
});
