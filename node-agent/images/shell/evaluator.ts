/**
 * Runs a syntax tree: lists, pipelines whose stages run side by side, compound commands, background jobs.
 * A stage, a subshell and a job each are a forked `Shell` with a process of their own; what a function here returns is
 * the exit status.
 */
import type { AndOr, Case, CompoundList, For, If, Pipeline, PipelineNode, Statement, While } from 'unbash';
import { emptyReadable, openPipe, readerFile } from '../open-file.ts';
import { SIGNAL_NUMBERS } from '../process.ts';
import { BrokenPipeError } from '../program-io.ts';
import { evaluateArithmetic } from './arithmetic.ts';
import { runCommand } from './command.ts';
import { evaluateTestExpression } from './double-bracket.ts';
import { expandPattern, expandText, expandWords } from './expansion.ts';
import {
  BreakFlow,
  ContinueFlow,
  ExitFlow,
  InterruptFlow,
  KilledFlow,
  ReplacedFlow,
  ReturnFlow,
  ShellError,
} from './flow.ts';
import { patternToRegExp } from './pattern.ts';
import { RedirectionError, withRedirections } from './redirection.ts';
import type { Shell } from './shell.ts';
import { runExitTrap, runPendingTraps } from './traps.ts';

/** `tail`: nothing comes after it in this process, so its last command may replace the shell. */
export async function runStatements(shell: Shell, statements: readonly Statement[], tail = false): Promise<number> {
  for (const [index, statement] of statements.entries()) {
    await runStatement(shell, statement, tail && index === statements.length - 1);
  }
  return shell.lastStatus;
}

export async function runStatement(shell: Shell, statement: Statement, tail = false): Promise<void> {
  await shell.checkpoint();
  await runPendingTraps(shell);
  if (statement.background) {
    startJob(shell, statement);
    shell.lastStatus = 0;
  } else shell.lastStatus = await runNode(shell, statement.command, tail);
  await runPendingTraps(shell);
}

export async function runNode(shell: Shell, node: PipelineNode | AndOr, tail = false): Promise<number> {
  switch (node.type) {
    case 'AndOr':
      return runAndOr(shell, node);
    case 'Pipeline':
      return runPipeline(shell, node);
    case 'Command':
      return checked(shell, await runCommand(shell, node, tail));
    case 'Subshell':
      // A stage or a job is a subshell already.
      if (tail) return runStatements(shell, node.body.commands, tailCommand(shell, node.body.commands));
      return checked(shell, await runSubshell(shell, node.body));
    case 'Redirected':
      return runRedirected(shell, node);
    case 'BraceGroup':
      return runStatements(shell, node.body.commands);
    case 'If':
      return runIf(shell, node);
    case 'While':
      return runWhile(shell, node);
    case 'For':
      return runFor(shell, node);
    case 'Case':
      return runCase(shell, node);
    case 'Function':
      // The parser gives a bare list only together with a syntax error, which ended the script before.
      if (node.body.type !== 'CompoundList') shell.functions.set(node.name.value, node.body);
      return 0;
    case 'ArithmeticCommand':
      return (await evaluateArithmetic(shell, node.expression)) === 0n ? 1 : 0;
    case 'ArithmeticFor': {
      await evaluateArithmetic(shell, node.initialize);
      const test = async (): Promise<boolean> =>
        node.test === undefined || (await evaluateArithmetic(shell, node.test)) !== 0n;
      const after = async (): Promise<void> => void (await evaluateArithmetic(shell, node.update));
      return runLoop(shell, test, node.body, after);
    }
    case 'TestCommand':
      return checked(shell, (await evaluateTestExpression(shell, node.expression)) ? 0 : 1);
    case 'Select':
    case 'Coproc':
      throw new ShellError(`${node.type.toLowerCase()} is not supported`);
  }
}

/** `set -e`: a failure that nobody tests ends the shell. */
function checked(shell: Shell, status: number): number {
  if (status !== 0 && shell.options.has('errexit') && shell.errexitSuppressed === 0) {
    shell.lastStatus = status;
    throw new ExitFlow(status);
  }
  return status;
}

async function tested<T>(shell: Shell, run: () => Promise<T>): Promise<T> {
  shell.errexitSuppressed += 1;
  try {
    return await run();
  } finally {
    shell.errexitSuppressed -= 1;
  }
}

async function runAndOr(shell: Shell, node: AndOr): Promise<number> {
  let status = 0;
  const last = node.commands.length - 1;
  for (const [index, command] of node.commands.entries()) {
    const operator = node.operators[index - 1];
    if ((operator === '&&' && status !== 0) || (operator === '||' && status === 0)) continue;
    status = index === last ? await runNode(shell, command) : await tested(shell, () => runNode(shell, command));
    shell.lastStatus = status;
  }
  return status;
}

async function runPipeline(shell: Shell, node: Pipeline): Promise<number> {
  const negations = node.prefixes.filter((prefix) => prefix.type === 'Negation').length;
  const timed = node.prefixes.some((prefix) => prefix.type === 'Time');
  const startedMs = performance.now();
  const run = (): Promise<number> => runStages(shell, node);
  const status = negations > 0 ? await tested(shell, run) : await run();
  if (timed) await shell.write(2, timeReport(performance.now() - startedMs));
  if (negations === 0) return status;
  return negations % 2 === 1 ? (status === 0 ? 1 : 0) : status;
}

function timeReport(durationMs: number): string {
  const seconds = durationMs / 1000;
  const real = `${Math.floor(seconds / 60)}m ${(seconds % 60).toFixed(2)}s`;
  return `real\t${real}\nuser\t0m 0.00s\nsys\t0m 0.00s\n`;
}

async function runStages(shell: Shell, node: Pipeline): Promise<number> {
  const [first] = node.commands;
  if (first !== undefined && node.commands.length === 1) return runNode(shell, first);
  const stages: Shell[] = [];
  let reading: ReturnType<typeof openPipe>['reading'] | undefined;
  for (const [index, command] of node.commands.entries()) {
    const stage = shell.fork();
    if (reading !== undefined) stage.descriptors.set(0, reading);
    reading = undefined;
    if (index < node.commands.length - 1) {
      const pipe = openPipe();
      stage.descriptors.set(1, pipe.writing);
      if (node.operators[index] === '|&') stage.descriptors.set(2, pipe.writing.retain());
      reading = pipe.reading;
    }
    stages.push(stage);
    void runForked(stage, () => runNode(stage, command, true));
  }
  const ends = await shell.waitFor(Promise.all(stages.map((stage) => stage.process.exited)));
  const statuses = (ends ?? []).map((end) => end.code);
  if (shell.interactive && ends?.some((end) => end.signal === 'SIGINT')) throw new InterruptFlow();
  const failed = statuses.findLast((status) => status !== 0) ?? 0;
  return checked(shell, shell.options.has('pipefail') ? failed : (statuses.at(-1) ?? 0));
}

async function runSubshell(shell: Shell, body: CompoundList): Promise<number> {
  const child = shell.fork();
  void runForked(child, () => runStatements(child, body.commands, tailCommand(child, body.commands)));
  const end = await shell.waitFor(child.process.exited);
  return end?.code ?? 0;
}

/** The last command may take the process over when nothing has to happen after it. */
export function tailCommand(shell: Shell, statements: readonly Statement[]): boolean {
  return statements.at(-1)?.command.type === 'Command' && shell.traps.size === 0;
}

function startJob(shell: Shell, statement: Statement): void {
  const child = shell.fork([shell.name], shell.interactive);
  if (!shell.interactive) child.descriptors.set(0, readerFile(emptyReadable()));
  child.interactive = false;
  const number = Math.max(0, ...shell.jobs.map((job) => job.number)) + 1;
  const job = { number, process: child.process, text: '', status: undefined };
  shell.jobs.push(job);
  shell.lastBackgroundPid = child.process.pid;
  void child.process.exited.then((status) => Object.assign(job, { status }));
  void runForked(child, () => runNode(child, statement.command, true));
}

/** Runs a forked shell to its end and lets its process exit; never rejects. */
export async function runForked(shell: Shell, body: () => Promise<number>): Promise<void> {
  let status: number;
  try {
    status = await body();
    status = await runExitTrap(shell, status);
  } catch (flow) {
    const outcome = await endOf(shell, flow);
    if (outcome === undefined) {
      shell.descriptors.dispose();
      return;
    }
    status = outcome;
  }
  shell.descriptors.dispose();
  shell.process.exit({ code: status & 255 });
}

/** The status with which a thrown flow ends a whole shell; undefined when its process ended or was replaced already. */
export async function endOf(shell: Shell, flow: unknown): Promise<number | undefined> {
  if (flow instanceof KilledFlow || flow instanceof ReplacedFlow) return undefined;
  if (flow instanceof ExitFlow) return runExitTrap(shell, flow.status);
  if (flow instanceof ReturnFlow) return flow.status;
  if (flow instanceof BreakFlow || flow instanceof ContinueFlow) return shell.lastStatus;
  if (flow instanceof InterruptFlow) return 128 + SIGNAL_NUMBERS.SIGINT;
  if (flow instanceof ShellError) {
    await shell.complain(flow.message);
    return runExitTrap(shell, flow.status);
  }
  if (flow instanceof RedirectionError) {
    await shell.complain(flow.message);
    return 1;
  }
  if (flow instanceof BrokenPipeError) return 128 + SIGNAL_NUMBERS.SIGPIPE;
  // A bug of ours ends this script only, and says where it is.
  await shell.complain(flow instanceof Error ? (flow.stack ?? flow.message) : String(flow));
  return 2;
}

async function runRedirected(shell: Shell, node: Extract<PipelineNode, { type: 'Redirected' }>): Promise<number> {
  try {
    return await withRedirections(shell, node.redirects, () => runNode(shell, node.command));
  } catch (error) {
    if (!(error instanceof RedirectionError)) throw error;
    await shell.complain(error.message);
    return checked(shell, 1);
  }
}

async function runIf(shell: Shell, node: If): Promise<number> {
  for (const branch of [node, ...node.elif]) {
    const status = await tested(shell, () => runStatements(shell, branch.clause.commands));
    if (status === 0) return runBody(shell, branch.then);
  }
  return node.else === undefined ? 0 : runBody(shell, node.else);
}

async function runBody(shell: Shell, body: CompoundList): Promise<number> {
  shell.lastStatus = 0;
  return runStatements(shell, body.commands);
}

async function runWhile(shell: Shell, node: While): Promise<number> {
  const test = async (): Promise<boolean> => {
    const status = await tested(shell, () => runStatements(shell, node.clause.commands));
    return (status === 0) === (node.kind === 'while');
  };
  return runLoop(shell, test, node.body);
}

async function runFor(shell: Shell, node: For): Promise<number> {
  const values = node.wordlist === undefined ? shell.positional : await expandWords(shell, node.wordlist);
  const remaining = [...values];
  const test = async (): Promise<boolean> => {
    const value = remaining.shift();
    if (value === undefined) return false;
    shell.set(node.name.value, value);
    return true;
  };
  return runLoop(shell, test, node.body);
}

async function runLoop(
  shell: Shell,
  test: () => Promise<boolean>,
  body: CompoundList,
  after?: () => Promise<void>,
): Promise<number> {
  let status = 0;
  shell.loopDepth += 1;
  try {
    for (;;) {
      await shell.checkpoint();
      const outcome = await loopTurn(async () => {
        if (!(await test())) return 'end';
        status = await runStatements(shell, body.commands);
        return 'next';
      });
      if (outcome === 'end') break;
      if (outcome === 'broken') {
        status = 0;
        break;
      }
      await after?.();
    }
  } finally {
    shell.loopDepth -= 1;
  }
  return status;
}

async function loopTurn(run: () => Promise<'end' | 'next'>): Promise<'end' | 'next' | 'broken'> {
  try {
    return await run();
  } catch (flow) {
    if (flow instanceof BreakFlow) {
      if (flow.levels > 1) throw new BreakFlow(flow.levels - 1);
      return 'broken';
    }
    if (flow instanceof ContinueFlow) {
      if (flow.levels > 1) throw new ContinueFlow(flow.levels - 1);
      return 'next';
    }
    throw flow;
  }
}

async function runCase(shell: Shell, node: Case): Promise<number> {
  const word = await expandText(shell, node.word);
  let status = 0;
  let fallsThrough = false;
  for (const item of node.items) {
    if (!fallsThrough && !(await matchesAny(shell, word, item.pattern))) continue;
    status = await runBody(shell, item.body);
    fallsThrough = item.terminator === ';&';
    if (item.terminator === ';;' || item.terminator === undefined) break;
  }
  return status;
}

async function matchesAny(shell: Shell, word: string, patterns: Case['items'][number]['pattern']): Promise<boolean> {
  for (const pattern of patterns) {
    if (patternToRegExp(await expandPattern(shell, pattern)).test(word)) return true;
  }
  return false;
}
