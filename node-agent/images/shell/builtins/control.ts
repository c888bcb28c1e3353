/** The shell's own state and flow: `cd`, `pwd`, `exit`, `return`, `break`, `eval`, `.`, `command`, `type`, `alias`. */
import { FileError } from '../../files/file-error.ts';
import { runProgram } from '../command.ts';
import { runStatements } from '../evaluator.ts';
import { BreakFlow, ContinueFlow, ExitFlow, ReturnFlow, ShellError } from '../flow.ts';
import type { Shell } from '../shell.ts';
import { parseScript } from '../syntax.ts';
import type { Builtin } from './builtin.ts';

const KEYWORDS = new Set([
  'if',
  'then',
  'else',
  'elif',
  'fi',
  'do',
  'done',
  'case',
  'esac',
  'while',
  'until',
  'for',
  '{',
  '}',
  '!',
  'in',
]);

export const cd: Builtin = async (shell, args) => {
  const [word] = args.filter((arg) => arg !== '-P' && arg !== '-L' && arg !== '--');
  const target = word === '-' ? shell.get('OLDPWD') : (word ?? shell.get('HOME'));
  if (target === undefined) {
    await shell.complain(`cd: ${word === '-' ? 'OLDPWD' : 'HOME'} not set`);
    return 1;
  }
  const path = shell.resolve(target);
  try {
    if (shell.container.files.stat(path).kind !== 'directory') throw new FileError('ENOTDIR', path);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    await shell.complain(`cd: can't cd to ${target}: ${error.message}`);
    return shell.isBash ? 1 : 2;
  }
  shell.export('OLDPWD', shell.cwd);
  shell.cwd = args.includes('-P') ? shell.container.files.canonical(path) : path;
  shell.export('PWD', shell.cwd);
  if (word === '-') await shell.write(1, `${shell.cwd}\n`);
  return 0;
};

export const pwd: Builtin = async (shell, args) => {
  await shell.write(1, `${args[0] === '-P' ? shell.container.files.canonical(shell.cwd) : shell.cwd}\n`);
  return 0;
};

export const exit: Builtin = async (shell, args) => {
  throw new ExitFlow(statusArgument(shell, 'exit', args[0]));
};

export const returnFromFunction: Builtin = async (shell, args) => {
  throw new ReturnFlow(statusArgument(shell, 'return', args[0]));
};

function statusArgument(shell: Shell, command: string, word: string | undefined): number {
  if (word === undefined) return shell.lastStatus;
  if (!/^-?\d+$/.test(word)) throw new ShellError(`${command}: Illegal number: ${word}`);
  return Number(word) & 255;
}

export const breakLoop: Builtin = async (shell, args) => {
  if (shell.loopDepth === 0) return 0;
  throw new BreakFlow(Math.min(levels('break', args[0]), shell.loopDepth));
};

export const continueLoop: Builtin = async (shell, args) => {
  if (shell.loopDepth === 0) return 0;
  throw new ContinueFlow(Math.min(levels('continue', args[0]), shell.loopDepth));
};

function levels(command: string, word: string | undefined): number {
  const count = Number(word ?? 1);
  if (!Number.isInteger(count) || count < 1) throw new ShellError(`${command}: Illegal number: ${word}`);
  return count;
}

export const evaluate: Builtin = async (shell, args) => {
  shell.lastStatus = 0;
  return runStatements(shell, parseScript(args.join(' ')).commands);
};

export const source: Builtin = async (shell, args) => {
  const [name, ...positional] = args;
  if (name === undefined) throw new ShellError('.: filename argument required');
  const path = name.includes('/') ? shell.resolve(name) : sourceOnPath(shell, name);
  if (path === undefined || !shell.container.files.exists(path))
    throw new ShellError(`.: can't open '${name}': No such file or directory`);
  const saved = shell.positional;
  if (positional.length > 0) shell.positional = positional;
  try {
    shell.lastStatus = 0;
    return await runStatements(shell, parseScript(shell.container.files.readText(path)).commands);
  } catch (flow) {
    if (flow instanceof ReturnFlow) return flow.status;
    throw flow;
  } finally {
    shell.positional = saved;
  }
};

function sourceOnPath(shell: Shell, name: string): string | undefined {
  const candidates = (shell.get('PATH') ?? '').split(':').map((directory) => `${directory}/${name}`);
  return [...candidates, shell.resolve(name)].find((path) => shell.container.files.exists(path));
}

export const command: Builtin = async (shell, args) => {
  const [first = '', ...rest] = args;
  if (first === '-v' || first === '-V') return describe(shell, rest, first === '-V');
  if (first === '-p' || first === '--') return command(shell, rest);
  const builtin = shell.builtins[first];
  if (first === '') return 0;
  return builtin === undefined ? runProgram(shell, first, rest, [], false) : builtin(shell, rest);
};

export const type: Builtin = (shell, args) =>
  describe(
    shell,
    args.filter((arg) => !arg.startsWith('-')),
    true,
  );

async function describe(shell: Shell, names: readonly string[], long: boolean): Promise<number> {
  let code = 0;
  for (const name of names) {
    const found = await describeOne(shell, name);
    if (found === undefined) {
      if (long) await shell.write(2, `${name}: not found\n`);
      code = 127;
    } else await shell.write(1, `${long ? found.long : found.short}\n`);
  }
  return code;
}

async function describeOne(shell: Shell, name: string): Promise<{ short: string; long: string } | undefined> {
  const alias = shell.aliases.get(name);
  if (alias !== undefined) return { short: `alias ${name}='${alias}'`, long: `${name} is an alias for ${alias}` };
  if (KEYWORDS.has(name)) return { short: name, long: `${name} is a shell keyword` };
  if (shell.functions.has(name)) return { short: name, long: `${name} is a function` };
  if (shell.builtins[name] !== undefined) return { short: name, long: `${name} is a shell builtin` };
  const executable = shell.container.findExecutable(name, shell.get('PATH'), shell.cwd);
  return executable.kind === 'found' ? { short: executable.path, long: `${name} is ${executable.path}` } : undefined;
}

/** `builtin NAME`: past functions of that name. */
export const builtin: Builtin = async (shell, args) => {
  const run = shell.builtins[args[0] ?? ''];
  if (run !== undefined) return run(shell, args.slice(1));
  await shell.complain(`builtin: ${args[0]}: not a shell builtin`);
  return 1;
};

export const alias: Builtin = async (shell, args) => {
  if (args.length === 0) for (const [name, value] of shell.aliases) await shell.write(1, `alias ${name}='${value}'\n`);
  for (const word of args) {
    const equals = word.indexOf('=');
    if (equals > 0) shell.aliases.set(word.slice(0, equals), word.slice(equals + 1));
  }
  return 0;
};

export const unalias: Builtin = async (shell, args) => {
  for (const name of args) {
    if (name === '-a') shell.aliases.clear();
    else shell.aliases.delete(name);
  }
  return 0;
};

export const umask: Builtin = async (shell, args) => {
  const [mask] = args;
  if (mask === undefined) await shell.write(1, `${shell.umask.toString(8).padStart(4, '0')}\n`);
  else if (/^[0-7]+$/.test(mask)) shell.umask = Number.parseInt(mask, 8);
  return 0;
};
