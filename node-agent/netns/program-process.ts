/** A program of the machine at work for a container: its process, its standard streams or terminal, and how it ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { PseudoTerminal, type WindowSize } from '../io/pseudo-terminal.ts';
import { CommandStartError, type ContainerEnd } from '../pods/container-runtime.ts';
import { MISSING, STARTED } from './container-script.ts';

export interface ProgramOptions {
  /** Words before the script: what enters or makes the namespaces. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin: boolean;
  /** The size at the beginning of the terminal that it gets; none is wanted without. */
  readonly terminal: WindowSize | undefined;
  /** The first word makes a PID namespace: all in it ends with that one. */
  readonly makesNamespace: boolean;
  /** The program's own name, for the message that it does not exist. */
  readonly name: string;
  /** A terminal has only `stdout`. Neither is ended. */
  readonly stdout: Writable;
  readonly stderr: Writable;
}

export interface ProgramProcess {
  /** Of the program itself, as this process' namespace counts. */
  readonly pid: number;
  readonly stdin: Writable | undefined;
  /** Resolves when the program is over and its output was handed on. */
  readonly ended: Promise<ContainerEnd>;
  readonly over: boolean;
  kill(signal: NodeJS.Signals): void;
  /** Who held the other ends has left: a terminal hangs up, a program without one is ended. */
  hangUp(): void;
  resize(size: WindowSize): void;
}

/**
 * Resolves once the program runs. Rejects with CommandStartError when there is no such program, else with the words of the
 * step that failed.
 */
export async function startProgram(options: ProgramOptions): Promise<ProgramProcess> {
  const terminal = options.terminal && (await PseudoTerminal.open(options.terminal));
  const child = spawnProgram(options, terminal);
  terminal?.closeProgramEnd();
  const exit = exitOf(child);
  const outputs = forwardOutput(child, terminal, options);
  const ended = Promise.all([exit, ...outputs]).then(([end]) => end);
  const said = await outcomeOf(child.stdio[3] as Readable);
  if (!said.endsWith(STARTED)) {
    await ended;
    throw startError(said, options.name);
  }
  const pid = childOf(child.pid ?? 0) ?? child.pid ?? 0;
  let over = false;
  void exit.then(() => {
    over = true;
  });
  return {
    pid,
    stdin: terminal?.stream ?? child.stdin ?? undefined,
    ended,
    get over() {
      return over;
    },
    kill: (signal) => {
      // `unshare` would not pass on that its child was killed, but it takes the child with it.
      const target = signal === 'SIGKILL' && options.makesNamespace ? (child.pid ?? pid) : pid;
      if (!over) sendSignal(target, signal);
    },
    hangUp: () => {
      if (terminal === undefined) sendSignal(pid, 'SIGKILL');
      else terminal.stream.destroy();
    },
    resize: (size) => terminal?.resize(size),
  };
}

function spawnProgram({ command, environment, stdin }: ProgramOptions, terminal: PseudoTerminal | undefined) {
  const [program = '', ...args] = command;
  const streams = terminal?.programEnd ?? 'pipe';
  return spawn(program, args, {
    env: { ...environment, PATH: process.env.PATH },
    stdio: [terminal?.programEnd ?? (stdin ? 'pipe' : 'ignore'), streams, streams, 'pipe'],
  });
}

function forwardOutput(
  child: ChildProcess,
  terminal: PseudoTerminal | undefined,
  { stdout, stderr }: ProgramOptions,
): Promise<void>[] {
  if (terminal !== undefined) return [forward(terminal.stream, stdout)];
  return [forward(child.stdout as Readable, stdout), forward(child.stderr as Readable, stderr)];
}

/** Resolves when there is nothing more to read, or nobody to hand it to. */
async function forward(from: Readable, to: Writable): Promise<void> {
  from.pipe(to, { end: false });
  const lost = (): void => {
    from.destroy();
  };
  to.once('close', lost);
  await finished(from, { writable: false }).catch(lost);
  to.off('close', lost);
}

function exitOf(child: ChildProcess): Promise<ContainerEnd> {
  return new Promise((resolve) => {
    child.once('error', () => resolve({ exitCode: 128 }));
    child.once('exit', (code, signalName) => {
      if (signalName === null) resolve({ exitCode: code ?? 0 });
      else {
        const signal = constants.signals[signalName];
        resolve({ exitCode: 128 + signal, signal });
      }
    });
  });
}

/** All that was said when it is STARTED, or when nobody is left to say more. */
async function outcomeOf(stream: Readable): Promise<string> {
  let said = '';
  for await (const chunk of stream) {
    said += String(chunk);
    if (said.endsWith(STARTED)) break;
  }
  return said;
}

function startError(said: string, name: string): Error {
  if (said.endsWith(MISSING)) {
    const problem = `exec: ${JSON.stringify(name)}: executable file not found in $PATH`;
    return new CommandStartError(`unable to start container process: ${problem}`);
  }
  return new Error(`the container could not be set up: ${said.trim() || 'what failed is in its output'}`);
}

/** `unshare` and `nsenter` wait for the one process that they started, which is the program. */
function childOf(pid: number): number | undefined {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return first === undefined || first === '' ? undefined : Number(first);
  } catch {
    // It has ended already; `ended` tells how.
    return undefined;
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const gone = error instanceof Error && 'code' in error && error.code === 'ESRCH';
    if (!gone) throw error;
  }
}
