/** Simple commands (POSIX 2.9.1): assignments, redirections, then a function, a built-in or a program. */
import type { Assignment, Command } from 'unbash';
import { OpenFile } from '../open-file.ts';
import { SPECIAL_BUILTINS } from './builtins/special.ts';
import { runNode } from './evaluator.ts';
import { expandAssignment, expandWords } from './expansion.ts';
import { ExitFlow, InterruptFlow, ReplacedFlow, ReturnFlow, ShellError } from './flow.ts';
import { applyRedirections, RedirectionError, withRedirections } from './redirection.ts';
import type { FunctionBody, Shell, Variable } from './shell.ts';

/** `tail`: the program may replace the shell's process. */
export async function runCommand(shell: Shell, command: Command, tail: boolean): Promise<number> {
  shell.substitutionStatus = undefined;
  const words = command.name === undefined ? [] : await expandWords(shell, [command.name, ...command.args]);
  const resolved = expandAlias(shell, words);
  const assignments: [string, string][] = [];
  for (const assignment of command.prefix) {
    if (assignment.type === 'Assignment')
      assignments.push([assignment.name, await assignmentValue(shell, assignment, assignments)]);
  }
  if (shell.options.has('xtrace')) await trace(shell, assignments, resolved);
  const [name] = resolved;
  try {
    if (name === 'exec' && !shell.functions.has('exec'))
      return await runExec(shell, command, resolved.slice(1), assignments);
    return await withRedirections(shell, command.redirects, () =>
      name === undefined ? assign(shell, assignments) : dispatch(shell, name, resolved.slice(1), assignments, tail),
    );
  } catch (error) {
    if (!(error instanceof RedirectionError)) throw error;
    await shell.complain(error.message);
    if (name !== undefined && SPECIAL_BUILTINS.has(name) && !shell.interactive) throw new ExitFlow(2);
    return 1;
  }
}

function expandAlias(shell: Shell, words: string[]): string[] {
  const alias = words[0] === undefined ? undefined : shell.aliases.get(words[0]);
  return alias === undefined ? words : [...alias.split(/\s+/).filter((word) => word !== ''), ...words.slice(1)];
}

/** The value sees the assignments before it. */
async function assignmentValue(
  shell: Shell,
  assignment: Assignment,
  before: readonly [string, string][],
): Promise<string> {
  const saved = overlay(shell, before);
  try {
    const value = await expandAssignment(shell, assignment);
    return assignment.append ? (shell.get(assignment.name) ?? '') + value : value;
  } finally {
    restore(shell, saved);
  }
}

async function assign(shell: Shell, assignments: readonly [string, string][]): Promise<number> {
  for (const [name, value] of assignments) shell.set(name, value);
  return shell.substitutionStatus ?? 0;
}

async function dispatch(
  shell: Shell,
  name: string,
  args: readonly string[],
  assignments: readonly [string, string][],
  tail: boolean,
): Promise<number> {
  const builtin = shell.builtins[name];
  if (builtin !== undefined && SPECIAL_BUILTINS.has(name)) {
    for (const [variable, value] of assignments) shell.set(variable, value);
    return builtin(shell, args);
  }
  const body = shell.functions.get(name);
  if (body === undefined && builtin === undefined) return runProgram(shell, name, args, assignments, tail);
  const saved = overlay(shell, assignments);
  try {
    return await (body !== undefined ? callFunction(shell, body, args) : (builtin?.(shell, args) ?? 127));
  } finally {
    restore(shell, saved);
  }
}

type Saved = [string, Variable | undefined][];

function overlay(shell: Shell, assignments: readonly [string, string][]): Saved {
  const saved: Saved = assignments.map(([name]) => [name, shell.variables.get(name)]);
  for (const [name, value] of assignments) {
    shell.set(name, value);
    shell.variables.set(name, { value, exported: true, readonly: false });
  }
  return saved;
}

function restore(shell: Shell, saved: Saved): void {
  for (const [name, variable] of saved.toReversed()) {
    if (variable === undefined) shell.variables.delete(name);
    else shell.variables.set(name, variable);
  }
}

const MAX_FUNCTION_DEPTH = 500;

export async function callFunction(shell: Shell, body: FunctionBody, args: readonly string[]): Promise<number> {
  if (shell.localScopes.length >= MAX_FUNCTION_DEPTH) throw new ShellError('maximum function recursion depth exceeded');
  const positional = shell.positional;
  const loopDepth = shell.loopDepth;
  const scope = new Map<string, Variable | undefined>();
  shell.localScopes.push(scope);
  shell.positional = args;
  shell.loopDepth = 0;
  try {
    return await runNode(shell, body);
  } catch (flow) {
    if (flow instanceof ReturnFlow) return flow.status;
    throw flow;
  } finally {
    shell.positional = positional;
    shell.loopDepth = loopDepth;
    shell.localScopes.pop();
    restore(shell, [...scope]);
  }
}

/** `exec`: redirections stay; a command takes the shell's process over. */
async function runExec(
  shell: Shell,
  command: Command,
  args: readonly string[],
  assignments: readonly [string, string][],
): Promise<number> {
  await applyRedirections(shell, command.redirects);
  const rest = args[0] === '-a' ? args.slice(2) : args[0] === '--' ? args.slice(1) : args;
  const [name] = rest;
  if (name === undefined) return assign(shell, assignments);
  const status = await runProgram(shell, name, rest.slice(1), assignments, true);
  if (shell.interactive) return status;
  throw new ExitFlow(status);
}

/** Runs a program by name; also for `command`, `xargs`-like callers. */
export async function runProgram(
  shell: Shell,
  name: string,
  args: readonly string[],
  assignments: readonly [string, string][],
  tail: boolean,
): Promise<number> {
  const searchPath = assignments.findLast(([variable]) => variable === 'PATH')?.[1] ?? shell.get('PATH');
  const executable =
    name === '' ? { kind: 'not-found' as const } : shell.container.findExecutable(name, searchPath, shell.cwd);
  if (executable.kind === 'not-found') {
    await shell.complain(shell.isBash && !name.includes('/') ? `${name}: command not found` : `${name}: not found`);
    return 127;
  }
  if (executable.kind === 'not-executable') {
    await shell.complain(`${name}: Permission denied`);
    return 126;
  }
  const [stdin, stdout, stderr] = [0, 1, 2].map((number) => shell.descriptors.get(number) ?? new OpenFile({}));
  if (stdin === undefined || stdout === undefined || stderr === undefined) return 126;
  const process = shell.container.launch({
    path: executable.path,
    argv: [name, ...args],
    env: { ...shell.environment(), ...Object.fromEntries(assignments) },
    cwd: shell.cwd,
    stdin,
    stdout,
    stderr,
    terminal: shell.terminal,
    parent: shell.process,
    replace: tail ? shell.process : undefined,
  });
  if (tail) throw new ReplacedFlow();
  const status = await shell.waitFor(process.exited);
  if (status?.signal === 'SIGINT' && shell.interactive) throw new InterruptFlow();
  return status?.code ?? 0;
}

async function trace(shell: Shell, assignments: readonly [string, string][], words: readonly string[]): Promise<void> {
  const parts = [...assignments.map(([name, value]) => `${name}=${traceQuote(value)}`), ...words.map(traceQuote)];
  if (parts.length === 0) return;
  const file = shell.descriptors.get(2);
  if (file?.writable) await shell.write(2, `${shell.get('PS4') ?? '+ '}${parts.join(' ')}\n`);
}

function traceQuote(word: string): string {
  return /^[\w@%+=:,./^-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}
