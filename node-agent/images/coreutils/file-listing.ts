/** Utilities that look at the tree: ls, stat, du, df, find lives in its own file. */
import type { FileStat } from '../files/container-files.ts';
import { FileNode } from '../files/file-node.ts';
import { parseOptions } from './options.ts';
import type { Invocation, Utility } from './utility.ts';

export function modeText(stat: FileStat): string {
  const kind = { file: '-', directory: 'd', symlink: 'l', device: 'c' }[stat.kind];
  const bits = [...'rwxrwxrwx'].map((letter, index) => ((stat.mode >> (8 - index)) & 1 ? letter : '-')).join('');
  return kind + ((stat.mode & 0o1000) !== 0 ? `${bits.slice(0, 8)}t` : bits);
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function timeText(modifiedAtMs: number, isoTime: boolean): string {
  const date = new Date(modifiedAtMs);
  if (isoTime) return date.toISOString().replace('T', ' ').replace(/\..*/, ' +0000');
  const time = date.toISOString().slice(11, 16);
  return `${MONTHS[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2)} ${time}`;
}

export function humanSize(bytes: number): string {
  if (bytes < 1024) return String(bytes);
  let value = bytes;
  let unit = -1;
  for (; value >= 1024 && unit < 4; unit++) value /= 1024;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)}${'KMGTP'.charAt(unit)}`;
}

interface Listed {
  readonly name: string;
  readonly path: string;
  readonly stat: FileStat;
}

export const ls: Utility = async (run) => {
  const options = parseOptions(run.args, {
    flags: 'laA1dhRrtSFipnosCxgGcuLHkqTZ',
    long: { all: 'a', color: 'color', 'color=': 'color', 'full-time': 'full-time', 'human-readable': 'h' },
  });
  const { files } = run.context.container;
  const has = (flag: string): boolean => options.has(flag);
  const operands = options.operands.length === 0 ? ['.'] : options.operands;
  const order = (entries: Listed[]): Listed[] => {
    const sorted = entries.sort((a, b) => {
      if (has('t')) return b.stat.modifiedAtMs - a.stat.modifiedAtMs;
      if (has('S')) return b.stat.sizeBytes - a.stat.sizeBytes;
      return a.name < b.name ? -1 : 1;
    });
    return has('r') ? sorted.reverse() : sorted;
  };
  const loose: Listed[] = [];
  const directories: string[] = [];
  for (const operand of operands) {
    await run.attempt(operand, () => {
      const path = run.resolve(operand);
      const stat = has('l') || has('d') ? files.lstat(path) : files.stat(path);
      if (stat.kind === 'directory' && !has('d')) directories.push(operand);
      else loose.push({ name: operand, path, stat });
    });
  }
  if (loose.length > 0) await print(run, order(loose), has);
  for (const [index, directory] of directories.entries()) {
    if (operands.length > 1 || has('R')) await run.print(`${index > 0 || loose.length > 0 ? '\n' : ''}${directory}:\n`);
    await listDirectory(run, directory, has, order);
  }
};

async function listDirectory(
  run: Invocation,
  directory: string,
  has: (flag: string) => boolean,
  order: (entries: Listed[]) => Listed[],
): Promise<void> {
  const { files } = run.context.container;
  const absolute = run.resolve(directory);
  const names = files.readdir(absolute).filter((name) => has('a') || has('A') || !name.startsWith('.'));
  const entries = order(
    names.map((name) => ({
      name,
      path: run.resolve(`${absolute}/${name}`),
      stat: files.lstat(run.resolve(`${absolute}/${name}`)),
    })),
  );
  if (has('a')) {
    const parent = run.resolve(`${absolute}/..`);
    entries.unshift(
      { name: '.', path: absolute, stat: files.stat(absolute) },
      { name: '..', path: parent, stat: files.stat(parent) },
    );
  }
  if (has('l'))
    await run.print(`total ${entries.reduce((sum, { stat }) => sum + Math.ceil(stat.sizeBytes / 4096) * 4, 0)}\n`);
  await print(run, entries, has);
  if (!has('R')) return;
  for (const { name, stat } of entries) {
    if (stat.kind !== 'directory' || name === '.' || name === '..') continue;
    const path = `${directory.replace(/\/$/, '')}/${name}`;
    await run.print(`\n${path}:\n`);
    await listDirectory(run, path, has, order);
  }
}

async function print(run: Invocation, entries: readonly Listed[], has: (flag: string) => boolean): Promise<void> {
  const { files } = run.context.container;
  const sizes = entries.map(({ stat }) => (has('h') ? humanSize(stat.sizeBytes) : String(stat.sizeBytes)));
  const width = Math.max(0, ...sizes.map((size) => size.length));
  const names = entries.map(({ name, path, stat }) => {
    const mark =
      !has('F') && !has('p')
        ? ''
        : stat.kind === 'directory'
          ? '/'
          : has('F') && stat.kind === 'symlink'
            ? '@'
            : has('F') && (stat.mode & 0o111) !== 0 && stat.kind === 'file'
              ? '*'
              : '';
    const target = has('l') && stat.kind === 'symlink' ? ` -> ${files.readlink(path)}` : '';
    return `${has('i') ? `${stat.inode} ` : ''}${name}${mark}${target}`;
  });
  if (!has('l')) {
    const columns =
      !has('1') && run.context.standardFiles.stdout.isTerminal ? run.context.terminal?.columns : undefined;
    await run.print(columns === undefined ? names.map((name) => `${name}\n`).join('') : inColumns(names, columns));
    return;
  }
  const owner = has('n') ? ['0', '0'] : ['root', 'root'];
  for (const [index, { stat }] of entries.entries()) {
    const links = stat.kind === 'directory' ? 2 : 1;
    const size = sizes[index] ?? '';
    const when = timeText(stat.modifiedAtMs, has('full-time'));
    await run.print(
      `${modeText(stat)} ${String(links).padStart(4)} ${owner.join('     ')} ${size.padStart(Math.max(width, 9))} ${when} ${names[index]}\n`,
    );
  }
}

function inColumns(names: readonly string[], columns: number): string {
  const width = Math.max(1, ...names.map((name) => name.length)) + 2;
  const count = Math.max(1, Math.floor(columns / width));
  const rows = Math.ceil(names.length / count);
  let text = '';
  for (let row = 0; row < rows; row++) {
    const line: string[] = [];
    for (let column = 0; column < count; column++) {
      const name = names[column * rows + row];
      if (name !== undefined) line.push(name.padEnd(width));
    }
    text += `${line.join('').trimEnd()}\n`;
  }
  return text;
}

export const stat: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'Lft', values: 'c', long: { 'format=': 'c' } });
  const { files } = run.context.container;
  for (const path of options.operands) {
    await run.attempt(
      path,
      async () => {
        const found = options.has('L') ? files.stat(run.resolve(path)) : files.lstat(run.resolve(path));
        await run.print(
          `${options.has('c') ? statFormat(options.value('c') ?? '', path, found) : statReport(path, found)}\n`,
        );
      },
      "can't stat ",
    );
  }
};

const KIND_NAMES = {
  file: 'regular file',
  directory: 'directory',
  symlink: 'symbolic link',
  device: 'character special file',
};

function statFormat(format: string, path: string, found: FileStat): string {
  const values: Record<string, string> = {
    n: path,
    N: `'${path}'`,
    s: String(found.sizeBytes),
    a: found.mode.toString(8),
    A: modeText(found),
    F: KIND_NAMES[found.kind],
    i: String(found.inode),
    u: '0',
    g: '0',
    U: 'root',
    G: 'root',
    h: '1',
    b: String(Math.ceil(found.sizeBytes / 512)),
    Y: String(Math.floor(found.modifiedAtMs / 1000)),
    y: timeText(found.modifiedAtMs, true),
    '%': '%',
  };
  return format.replace(/%(.)/g, (_, letter: string) => values[letter] ?? '?');
}

function statReport(path: string, found: FileStat): string {
  return [
    `  File: ${path}`,
    `  Size: ${found.sizeBytes}\tBlocks: ${Math.ceil(found.sizeBytes / 512)}\tIO Block: 4096   ${KIND_NAMES[found.kind]}`,
    `Device: 0,0\tInode: ${found.inode}\tLinks: 1`,
    `Access: (${found.mode.toString(8).padStart(4, '0')}/${modeText(found)})  Uid: (    0/    root)   Gid: (    0/    root)`,
    `Modify: ${timeText(found.modifiedAtMs, true)}`,
  ].join('\n');
}

export const du: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'sahkmcbx', values: 'd', long: { 'max-depth=': 'd' } });
  const { files } = run.context.container;
  const shown = (bytes: number): string =>
    options.has('h') ? humanSize(bytes) : options.has('b') ? String(bytes) : String(Math.ceil(bytes / 1024));
  const depthLimit = options.has('s') ? 0 : (options.number('d') ?? Number.POSITIVE_INFINITY);
  const measure = async (path: string, depth: number): Promise<number> => {
    const found = files.lstat(run.resolve(path));
    let bytes = found.kind === 'directory' ? 4096 : Math.ceil(found.sizeBytes / 4096) * 4096;
    if (found.kind === 'directory')
      for (const name of files.readdir(run.resolve(path))) bytes += await measure(`${path}/${name}`, depth + 1);
    if (depth <= depthLimit && (found.kind === 'directory' || options.has('a') || depth === 0))
      await run.print(`${shown(bytes)}\t${path}\n`);
    return bytes;
  };
  for (const path of options.operands.length === 0 ? ['.'] : options.operands)
    await run.attempt(path, async () => void (await measure(path, 0)));
};

export const df: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'hkmPTai' });
  const size = (kib: number): string => (options.has('h') ? humanSize(kib * 1024) : String(kib));
  const row = (device: string, mounted: string): string =>
    `${device.padEnd(20)} ${size(20_971_520).padStart(9)} ${size(4_194_304).padStart(9)} ${size(16_777_216).padStart(9)}  20% ${mounted}\n`;
  await run.print(
    `Filesystem           ${options.has('h') ? '     Size' : '1K-blocks'}      Used Available Use% Mounted on\n`,
  );
  await run.print(row('overlay', '/'));
  for (const mount of run.context.container.files.mounts)
    if (mount.path !== '/proc') await run.print(row(mount.path === '/dev' ? 'tmpfs' : '/dev/vda1', mount.path));
};

export const mount: Utility = async (run) => {
  await run.print(
    run.context.container.files
      .readText('/proc/mounts')
      .replace(/^(\S+) (\S+) (\S+) (\S+) 0 0$/gm, '$1 on $2 type $3 ($4)'),
  );
};

/** `which`, for whoever asks where a command is. */
export const which: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'a' });
  for (const name of options.operands) {
    const found = run.context.container.findExecutable(name, run.context.env.PATH, run.context.cwd);
    if (found.kind === 'found') await run.print(`${found.path}\n`);
    else run.status = 1;
  }
};

export const file: Utility = async (run) => {
  for (const path of run.args) {
    await run.attempt(path, async () => {
      const node = run.context.container.files.node(run.resolve(path));
      const kind =
        node.kind === 'directory'
          ? 'directory'
          : node instanceof FileNode && node.program !== undefined
            ? 'ELF 64-bit LSB executable'
            : node instanceof FileNode && node.sizeBytes === 0
              ? 'empty'
              : 'ASCII text';
      await run.print(`${path}: ${kind}\n`);
    });
  }
};
