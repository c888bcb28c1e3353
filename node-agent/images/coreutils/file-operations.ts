/** Utilities that change the tree: cp, mv, rm, mkdir, rmdir, touch, ln, chmod, chown, mktemp, truncate; and path words. */
import type { FileStat } from '../files/container-files.ts';
import { parseOptions, UsageError } from './options.ts';
import type { Invocation, Utility } from './utility.ts';

export const mkdir: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'pv', values: 'm', long: { parents: 'p', 'mode=': 'm' } });
  const mode = options.has('m') ? Number.parseInt(options.value('m') ?? '755', 8) : undefined;
  if (options.operands.length === 0) throw new UsageError('missing operand');
  for (const path of options.operands) {
    const make = (): void =>
      run.context.container.files.mkdir(run.resolve(path), { recursive: options.has('p'), mode });
    await run.attempt(path, make, "can't create directory ");
  }
};

export const rmdir: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'pv' });
  for (const path of options.operands)
    await run.attempt(path, () => run.context.container.files.rmdir(run.resolve(path)));
};

export const rm: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'rRfiv', long: { recursive: 'r', force: 'f' } });
  const { files } = run.context.container;
  const recursive = options.has('r') || options.has('R');
  for (const path of options.operands) {
    const absolute = run.resolve(path);
    if (!exists(run, absolute)) {
      if (!options.has('f')) await run.complain(`can't remove '${path}': No such file or directory`);
      continue;
    }
    if (files.lstat(absolute).kind === 'directory' && !recursive) {
      await run.complain(`'${path}' is a directory`);
      continue;
    }
    await run.attempt(path, () => removeTree(run, absolute), "can't remove ");
  }
};

function exists(run: Invocation, path: string): boolean {
  return statOrUndefined(run, path) !== undefined;
}

function statOrUndefined(run: Invocation, path: string): FileStat | undefined {
  const { files } = run.context.container;
  const parent = path.slice(0, path.lastIndexOf('/')) || '/';
  if (path === '/') return files.stat(path);
  if (!files.exists(parent) || files.stat(parent).kind !== 'directory') return undefined;
  return files.readdir(parent).includes(path.slice(path.lastIndexOf('/') + 1)) ? files.lstat(path) : undefined;
}

function removeTree(run: Invocation, path: string): void {
  const { files } = run.context.container;
  if (files.lstat(path).kind !== 'directory') {
    files.unlink(path);
    return;
  }
  for (const name of files.readdir(path)) removeTree(run, `${path === '/' ? '' : path}/${name}`);
  files.rmdir(path);
}

/** The path inside a target that is a directory. */
function destination(run: Invocation, source: string, target: string): string {
  const absolute = run.resolve(target);
  const { files } = run.context.container;
  if (!files.exists(absolute) || files.stat(absolute).kind !== 'directory') return absolute;
  return run.resolve(`${absolute}/${source.replace(/\/+$/, '').split('/').at(-1)}`);
}

export const cp: Utility = async (run) => {
  const options = parseOptions(run.args, {
    flags: 'rRafpdvniuLPHT',
    values: 't',
    long: { recursive: 'r', archive: 'a' },
  });
  const operands = [...options.operands];
  const target = options.value('t') ?? operands.pop();
  if (target === undefined || operands.length === 0) throw new UsageError('missing operand');
  const recursive = ['r', 'R', 'a'].some((flag) => options.has(flag));
  for (const source of operands) {
    await run.attempt(
      source,
      () => copyTree(run, run.resolve(source), destination(run, source, target), recursive, source),
      "can't stat ",
    );
  }
};

async function copyTree(run: Invocation, from: string, to: string, recursive: boolean, shown: string): Promise<void> {
  const { files } = run.context.container;
  const stat = recursive ? files.lstat(from) : files.stat(from);
  if (stat.kind === 'directory') {
    if (!recursive) {
      await run.complain(`omitting directory '${shown}'`);
      return;
    }
    files.mkdir(to, { recursive: true, mode: stat.mode });
    for (const name of files.readdir(from))
      await copyTree(run, `${from}/${name}`, `${to}/${name}`, recursive, `${shown}/${name}`);
    return;
  }
  if (stat.kind === 'symlink') {
    files.symlink(files.readlink(from), to);
    return;
  }
  files.writeFile(to, files.readBytes(from), { mode: stat.mode });
  const node = files.node(from);
  // A copied program is the program still.
  if (node.kind === 'file') files.fileForWriting(to).program = node.program;
  if (stat.mode !== files.stat(to).mode) files.chmod(to, stat.mode);
}

export const mv: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'fivnT', values: 't' });
  const operands = [...options.operands];
  const target = options.value('t') ?? operands.pop();
  if (target === undefined || operands.length === 0) throw new UsageError('missing operand');
  for (const source of operands) {
    const move = (): void => run.context.container.files.rename(run.resolve(source), destination(run, source, target));
    await run.attempt(source, move, "can't rename ");
  }
};

export const touch: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'cam', values: 'dtr', long: { 'date=': 'd', 'no-create': 'c' } });
  const date = options.value('d');
  const modifiedAtMs =
    date === undefined
      ? Date.now()
      : Date.parse(date.startsWith('@') ? new Date(Number(date.slice(1)) * 1000).toISOString() : date);
  for (const path of options.operands) {
    const { files } = run.context.container;
    if (options.has('c') && !files.exists(run.resolve(path))) continue;
    await run.attempt(path, () => files.touch(run.resolve(path), modifiedAtMs));
  }
};

export const ln: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'sfnvrT' });
  const operands = [...options.operands];
  const target = operands.length > 1 ? operands.pop() : '.';
  const { files } = run.context.container;
  for (const source of operands) {
    const to = destination(run, source, target ?? '.');
    await run.attempt(source, () => {
      if (options.has('f') && exists(run, to)) files.unlink(to);
      if (options.has('s')) files.symlink(source, to);
      else files.link(run.resolve(source), to);
    });
  }
};

export const chmod: Utility = async (run) => {
  const options = parseOptions(
    run.args.map((arg) => (/^-[rwxXst]+$/.test(arg) && !/^-R$/.test(arg) ? `a${arg}` : arg)),
    { flags: 'Rvf' },
  );
  const [modeText, ...paths] = options.operands;
  if (modeText === undefined) throw new UsageError('missing operand');
  const { files } = run.context.container;
  const change = (path: string): void => {
    const stat = files.stat(path);
    files.chmod(path, changedMode(stat.mode, modeText, stat.kind === 'directory'));
    if (options.has('R') && stat.kind === 'directory')
      for (const name of files.readdir(path)) change(`${path}/${name}`);
  };
  for (const path of paths) await run.attempt(path, () => change(run.resolve(path)));
};

function changedMode(mode: number, text: string, isDirectory: boolean): number {
  if (/^[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  let result = mode;
  for (const clause of text.split(',')) {
    const match = /^([ugoa]*)([-+=])([rwxXst]*)$/.exec(clause);
    if (match === null) throw new UsageError(`invalid mode '${text}'`);
    const [, who = '', operator = '', letters = ''] = match;
    let bits = 0;
    for (const letter of letters) {
      const executable = letter === 'x' || (letter === 'X' && (isDirectory || (mode & 0o111) !== 0));
      const bit = letter === 'r' ? 4 : letter === 'w' ? 2 : executable ? 1 : 0;
      for (const [name, shift] of [
        ['u', 6],
        ['g', 3],
        ['o', 0],
      ] as const)
        if (who === '' || who.includes('a') || who.includes(name)) bits |= bit << shift;
    }
    const mask = [
      ['u', 0o700],
      ['g', 0o070],
      ['o', 0o007],
    ].reduce(
      (all, [name, part]) => (who === '' || who.includes('a') || who.includes(String(name)) ? all | Number(part) : all),
      0,
    );
    if (operator === '+') result |= bits;
    else if (operator === '-') result &= ~bits;
    else result = (result & ~mask) | bits;
  }
  return result;
}

/** Everybody is root: owners are accepted and forgotten. */
export const chown: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'RvfhLHP' });
  for (const path of options.operands.slice(1))
    await run.attempt(path, () => void run.context.container.files.stat(run.resolve(path)));
};

export const mktemp: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'dqtu', values: 'p' });
  const template = options.operands[0] ?? 'tmp.XXXXXX';
  const directory =
    options.operands[0] === undefined || options.has('p') || options.has('t')
      ? `${options.value('p') ?? run.context.env.TMPDIR ?? '/tmp'}/`
      : '';
  if (!/X{3,}$/.test(template)) throw new UsageError(`too few X's in template '${template}'`);
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
  const path =
    directory +
    template.replace(/X+$/, (xs) =>
      [...xs].map(() => letters.charAt(Math.floor(Math.random() * letters.length))).join(''),
    );
  const { files } = run.context.container;
  if (options.has('d')) files.mkdir(run.resolve(path), { mode: 0o700 });
  else files.writeFile(run.resolve(path), '', { mode: 0o600 });
  await run.print(`${path}\n`);
};

export const truncate: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'c', values: 's' });
  const match = /^(\d+)([KMG]?)$/.exec(options.value('s') ?? '');
  if (match === null) throw new UsageError('missing size');
  const size = Number(match[1]) * 1024 ** ' KMG'.indexOf(match[2] || ' ');
  for (const path of options.operands)
    await run.attempt(path, () => run.context.container.files.fileForWriting(run.resolve(path)).truncate(size));
};

export const basename: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'a', values: 's' });
  const [first, second] = options.operands;
  if (first === undefined) throw new UsageError('missing operand');
  const all = options.has('a') || options.has('s') ? options.operands : [first];
  const suffix = options.value('s') ?? (options.has('a') ? '' : (second ?? ''));
  for (const path of all) {
    const name = path.replace(/\/+$/, '').split('/').at(-1) || '/';
    await run.print(
      `${suffix !== '' && name !== suffix && name.endsWith(suffix) ? name.slice(0, -suffix.length) : name}\n`,
    );
  }
};

export const dirname: Utility = async (run) => {
  for (const path of run.args) {
    const trimmed = path.replace(/\/+$/, '');
    const slash = trimmed.lastIndexOf('/');
    await run.print(
      `${slash < 0 ? (path.startsWith('/') ? '/' : '.') : trimmed.slice(0, slash).replace(/\/+$/, '') || '/'}\n`,
    );
  }
};

export const readlink: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'fenmsq' });
  const { files } = run.context.container;
  for (const path of options.operands) {
    const absolute = run.resolve(path);
    const canonical = options.has('f') || options.has('e') || options.has('m');
    if (!canonical && statOrUndefined(run, absolute)?.kind !== 'symlink') return 1;
    if (options.has('e') && !files.exists(absolute)) return 1;
    const result = canonical
      ? files.exists(absolute)
        ? files.canonical(absolute)
        : absolute
      : files.readlink(absolute);
    await run.print(options.has('n') ? result : `${result}\n`);
  }
};

export const realpath: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'emsqLP' });
  for (const path of options.operands) {
    const absolute = run.resolve(path);
    await run.attempt(path, async () => run.print(`${run.context.container.files.canonical(absolute)}\n`));
  }
};
