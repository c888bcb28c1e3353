/** tar (ustar): `-c`, `-x`, `-t` with `-f`, `-C`, `-z`, `-v`, `-m`; what `kubectl cp` runs in a container. */
import { gunzipSync, gzipSync } from 'node:zlib';
import { readAll } from '../program-io.ts';
import { modeText } from './file-listing.ts';
import { type ParsedOptions, parseOptions, UsageError } from './options.ts';
import type { Invocation, Utility } from './utility.ts';

const BLOCK_BYTES = 512;
const NAME_BYTES = 100;

export const tar: Utility = async (run) => {
  const [first = '', ...rest] = run.args;
  // `tar xzf file`: the first word is a cluster even without its dash; each letter that wants a value takes the next word.
  const args = first.startsWith('-') || first === '' ? run.args : clusterWithoutDash(first, rest);
  const options = parseOptions(args, {
    flags: 'cxtzvmpOkhj',
    values: 'fC',
    long: {
      'directory=': 'C',
      'file=': 'f',
      'no-same-owner': 'o',
      'no-same-permissions': 'o',
      'strip-components=': 'strip',
      'exclude=': 'exclude',
      'warning=': 'warning',
    },
  });
  if (options.has('c')) await create(run, options);
  else if (options.has('x') || options.has('t')) await extract(run, options);
  else throw new UsageError('You must specify one of the options -ctx');
};

function clusterWithoutDash(cluster: string, rest: readonly string[]): string[] {
  const words = [...rest];
  const args: string[] = [];
  for (const letter of cluster) {
    args.push(`-${letter}`);
    if (letter === 'f' || letter === 'C') args.push(words.shift() ?? '');
  }
  return [...args, ...words];
}

function base(run: Invocation, options: ParsedOptions): string {
  return run.resolve(options.value('C') ?? '.');
}

async function create(run: Invocation, options: ParsedOptions): Promise<void> {
  const { files } = run.context.container;
  const parts: Buffer[] = [];
  const root = base(run, options);
  const add = async (name: string): Promise<void> => {
    const path = name.startsWith('/') ? name : `${root}/${name}`;
    const stat = options.has('h') ? files.stat(path) : files.lstat(path);
    const stored = name.replace(/^\/+/, '');
    if (options.has('v')) run.context.stderr.write(`${stored}\n`);
    if (stat.kind === 'directory') {
      if (stored !== '') parts.push(header(`${stored.replace(/\/$/, '')}/`, '5', 0, stat.mode, stat.modifiedAtMs));
      for (const child of files.readdir(path)) await add(`${name.replace(/\/$/, '')}/${child}`);
    } else if (stat.kind === 'symlink')
      parts.push(header(stored, '2', 0, stat.mode, stat.modifiedAtMs, files.readlink(path)));
    else if (stat.kind === 'file') {
      const bytes = files.readBytes(path);
      parts.push(
        header(stored, '0', bytes.length, stat.mode, stat.modifiedAtMs),
        Buffer.from(bytes),
        padding(bytes.length),
      );
    }
  };
  for (const operand of options.operands) await run.attempt(operand, () => add(operand));
  parts.push(Buffer.alloc(BLOCK_BYTES * 2));
  const archive = options.has('z') ? gzipSync(Buffer.concat(parts)) : Buffer.concat(parts);
  const target = options.value('f') ?? '-';
  if (target === '-') await run.print(archive);
  else files.writeFile(run.resolve(target), archive);
}

function padding(length: number): Buffer {
  return Buffer.alloc((BLOCK_BYTES - (length % BLOCK_BYTES)) % BLOCK_BYTES);
}

function header(name: string, type: string, size: number, mode: number, modifiedAtMs: number, link = ''): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  const split = Buffer.byteLength(name) <= NAME_BYTES ? -1 : name.indexOf('/', name.length - NAME_BYTES - 1);
  block.write(split < 0 ? name : name.slice(split + 1), 0);
  if (split >= 0) block.write(name.slice(0, split), 345);
  const octal = (value: number, offset: number, width: number): void =>
    void block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, offset);
  octal(mode & 0o7777, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(Math.floor(modifiedAtMs / 1000), 136, 12);
  block.write('        ', 148);
  block.write(type, 156);
  block.write(link, 157);
  block.write('ustar\0' + '00', 257);
  block.write('root', 265);
  block.write('root', 297);
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return block;
}

async function extract(run: Invocation, options: ParsedOptions): Promise<void> {
  const { files } = run.context.container;
  const source = options.value('f') ?? '-';
  let archive = source === '-' ? await readAll(run.context.stdin) : Buffer.from(files.readBytes(run.resolve(source)));
  if (archive[0] === 0x1f && archive[1] === 0x8b) archive = gunzipSync(archive);
  const root = base(run, options);
  const strip = options.number('strip') ?? 0;
  let longName: string | undefined;
  for (let offset = 0; offset + BLOCK_BYTES <= archive.length; ) {
    const block = archive.subarray(offset, offset + BLOCK_BYTES);
    if (block.every((byte) => byte === 0)) break;
    const text = (start: number, length: number): string =>
      block.toString('utf8', start, start + length).split('\0', 1)[0] ?? '';
    const size = Number.parseInt(text(124, 12).trim() || '0', 8);
    const content = archive.subarray(offset + BLOCK_BYTES, offset + BLOCK_BYTES + size);
    offset += BLOCK_BYTES + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
    const type = text(156, 1) || '0';
    if (type === 'L') {
      longName = content.toString('utf8').split('\0', 1)[0];
      continue;
    }
    if (type === 'x' || type === 'g') {
      longName = /\d+ path=([^\n]*)\n/.exec(content.toString('utf8'))?.[1];
      continue;
    }
    const prefix = text(345, 155);
    const full = longName ?? (prefix === '' ? text(0, NAME_BYTES) : `${prefix}/${text(0, NAME_BYTES)}`);
    longName = undefined;
    const name = full
      .split('/')
      .filter((part) => part !== '..' && part !== '.')
      .slice(strip)
      .join('/')
      .replace(/^\/+/, '');
    if (
      name === '' ||
      (options.operands.length > 0 &&
        !options.operands.some((operand) => full === operand || full.startsWith(`${operand.replace(/\/$/, '')}/`)))
    )
      continue;
    const mode = Number.parseInt(text(100, 8).trim() || '644', 8) & 0o7777;
    if (options.has('t')) {
      const kind = type === '5' ? 'directory' : type === '2' ? 'symlink' : 'file';
      await run.print(
        options.has('v')
          ? `${modeText({ kind, sizeBytes: size, mode, modifiedAtMs: 0, inode: 0 })} root/root ${String(size).padStart(9)} ${full}\n`
          : `${full}\n`,
      );
      continue;
    }
    if (options.has('v')) await run.print(`${full}\n`);
    const path = `${root === '/' ? '' : root}/${name.replace(/\/$/, '')}`;
    if (type === '5') files.mkdir(path, { recursive: true, mode });
    else {
      files.mkdir(path.slice(0, path.lastIndexOf('/')) || '/', { recursive: true });
      if (type === '2') files.symlink(text(157, NAME_BYTES), path);
      else {
        files.writeFile(path, Uint8Array.from(content), { mode });
        files.chmod(path, mode);
      }
    }
  }
}
