/** The state of one shell or subshell: variables, functions, options, descriptors, jobs and traps. */

import type { Readable } from 'node:stream';
import type { CompoundCommand, Redirected } from 'unbash';
import { fairTurn } from '../fair-turn.ts';
import { resolvePath } from '../files/container-files.ts';
import type { ContainerView } from '../image.ts';
import { type OpenFile, type OpenMode, openPath, writerFile } from '../open-file.ts';
import type { ExitStatus, Process, SignalName } from '../process.ts';
import { BrokenPipeError, write } from '../program-io.ts';
import type { TerminalSession } from '../terminal.ts';
import type { Builtin } from './builtins/builtin.ts';
import type { Descriptors } from './descriptors.ts';
import { InterruptFlow, KilledFlow, ShellError } from './flow.ts';

export interface Variable {
  /** Undefined: declared (`export NAME`) but without a value. */
  readonly value: string | undefined;
  readonly exported: boolean;
  readonly readonly: boolean;
}

/** Letter of `set -x` and name of `set -o xtrace`. */
export const OPTION_NAMES = {
  a: 'allexport',
  C: 'noclobber',
  e: 'errexit',
  f: 'noglob',
  m: 'monitor',
  n: 'noexec',
  u: 'nounset',
  v: 'verbose',
  x: 'xtrace',
} as const;

export type ShellOption = (typeof OPTION_NAMES)[keyof typeof OPTION_NAMES] | 'pipefail';

export type FunctionBody = CompoundCommand | Redirected;

export interface Job {
  readonly number: number;
  readonly process: Process;
  readonly text: string;
  status: ExitStatus | undefined;
}

export interface ShellSetup {
  /** Injected, for built-ins themselves run commands. */
  readonly builtins: Readonly<Record<string, Builtin>>;
  readonly container: ContainerView;
  readonly process: Process;
  readonly terminal?: TerminalSession;
  /** `$0`, and what messages start with. */
  readonly name: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly descriptors: Descriptors;
  readonly positional?: readonly string[];
}

/** Bash's extras (brace expansion, its words for errors) apply when the shell was called so. */
export class Shell {
  readonly builtins: Readonly<Record<string, Builtin>>;
  readonly container: ContainerView;
  readonly process: Process;
  readonly terminal: TerminalSession | undefined;
  readonly options: Set<ShellOption>;
  readonly functions: Map<string, FunctionBody>;
  readonly variables: Map<string, Variable>;
  readonly aliases: Map<string, string>;
  readonly jobs: Job[] = [];
  /** Signal name without SIG, or EXIT -> action; an empty action ignores the signal. */
  readonly traps = new Map<string, string>();
  readonly pendingSignals: SignalName[] = [];
  /** Saved variables of the functions that run: `local`. */
  readonly localScopes: Map<string, Variable | undefined>[] = [];
  /** Pid of the outermost shell: `$$`. */
  readonly shellPid: number;
  name: string;
  positional: readonly string[];
  cwd: string;
  descriptors: Descriptors;
  umask = 0o022;
  lastStatus = 0;
  lastBackgroundPid: number | undefined;
  /** Status of the last command substitution: what an assignment without a command returns. */
  substitutionStatus: number | undefined;
  /** Above zero while a failure is being tested (`if`, `&&`, `!`): `set -e` looks away. */
  errexitSuppressed = 0;
  loopDepth = 0;
  interactive = false;
  /** `getopts`' place inside a cluster of letters. */
  optionOffset = 1;
  private interrupt = new AbortController();
  private signalArrived: (() => void) | undefined;

  constructor(setup: ShellSetup, parent?: Shell) {
    this.builtins = setup.builtins;
    this.container = setup.container;
    this.process = setup.process;
    this.terminal = setup.terminal;
    this.name = setup.name;
    this.positional = setup.positional ?? [];
    this.cwd = setup.cwd;
    this.descriptors = setup.descriptors;
    this.shellPid = parent?.shellPid ?? setup.process.pid;
    this.options = new Set(parent?.options);
    this.functions = new Map(parent?.functions);
    this.aliases = new Map(parent?.aliases);
    this.variables = parent === undefined ? environmentVariables(setup.environment) : new Map(parent.variables);
  }

  get isBash(): boolean {
    return this.name.endsWith('bash');
  }

  /** A subshell with a process of its own; the caller disposes of its descriptors. */
  fork(argv: readonly string[] = [this.name], newGroup = false): Shell {
    const child = new Shell(
      {
        builtins: this.builtins,
        container: this.container,
        process: this.container.processes.spawn({ argv, parent: this.process, newGroup }),
        terminal: this.terminal,
        name: this.name,
        environment: {},
        cwd: this.cwd,
        descriptors: this.descriptors.copy(),
        positional: this.positional,
      },
      this,
    );
    child.umask = this.umask;
    child.lastStatus = this.lastStatus;
    child.lastBackgroundPid = this.lastBackgroundPid;
    child.errexitSuppressed = this.errexitSuppressed;
    child.loopDepth = this.loopDepth;
    for (const scope of this.localScopes) child.localScopes.push(new Map(scope));
    // Ignored signals stay ignored in a subshell, caught ones become default again (POSIX 2.12).
    for (const [name, action] of this.traps) if (action === '') child.traps.set(name, '');
    return child;
  }

  get(name: string): string | undefined {
    return this.variables.get(name)?.value;
  }

  /** Assigns; throws `ShellError` for a read-only variable. */
  set(name: string, value: string): void {
    const old = this.variables.get(name);
    if (old?.readonly) throw new ShellError(`${name}: is read only`);
    const exported = old?.exported || this.options.has('allexport');
    this.variables.set(name, { value, exported, readonly: false });
    if (name === 'OPTIND') this.optionOffset = 1;
  }

  export(name: string, value: string | undefined = this.get(name)): void {
    if (value !== undefined) this.set(name, value);
    this.variables.set(name, { value, exported: true, readonly: this.variables.get(name)?.readonly ?? false });
  }

  unset(name: string): void {
    if (this.variables.get(name)?.readonly) throw new ShellError(`unset: ${name}: is read only`);
    this.variables.delete(name);
  }

  environment(): Record<string, string> {
    const environment: Record<string, string> = {};
    for (const [name, { value, exported }] of this.variables) {
      if (exported && value !== undefined) environment[name] = value;
    }
    return environment;
  }

  resolve(path: string): string {
    return resolvePath(this.cwd, path);
  }

  open(path: string, mode: OpenMode): OpenFile {
    return openPath(this.container.files, this.resolve(path), mode, (device) => this.standardFile(device));
  }

  /** Writes to a descriptor; throws `ShellError` when it is closed, `BrokenPipeError` when nobody reads. */
  async write(number: number, text: string | Uint8Array): Promise<void> {
    const file = this.descriptors.get(number);
    if (file === undefined || !file.writable) throw new ShellError('write error: Bad file descriptor', 1);
    await write(file.writer(), text);
  }

  /** A message on standard error, with the shell's name before it; nobody minds when it cannot be written. */
  async complain(message: string): Promise<void> {
    const file = this.descriptors.get(2);
    if (file === undefined || !file.writable) return;
    try {
      await write(file.writer(), `${this.name}: ${message}\n`);
    } catch (error) {
      if (!(error instanceof BrokenPipeError)) throw error;
    }
  }

  reader(number: number): Readable | undefined {
    const file = this.descriptors.get(number);
    return file?.readable ? file.reader() : undefined;
  }

  /** Aborted when whatever waits should give up: the shell is killed or, at a prompt, interrupted. */
  get waitSignal(): AbortSignal {
    return this.interactive ? this.interrupt.signal : this.process.signal;
  }

  /** Ctrl-C at an interactive shell. */
  requestInterrupt(): void {
    this.interrupt.abort();
  }

  clearInterrupt(): void {
    if (this.interrupt.signal.aborted) this.interrupt = new AbortController();
  }

  /** A trapped signal came: its action runs after the current command; `wait` returns at once. */
  noteSignal(name: SignalName): void {
    this.pendingSignals.push(name);
    this.signalArrived?.();
  }

  /** Throws when the shell should not go on; lets others run when it has been busy for a while. */
  async checkpoint(): Promise<void> {
    await fairTurn();
    this.throwIfStopped();
  }

  throwIfStopped(): void {
    if (this.process.exitStatus !== undefined) throw new KilledFlow();
    if (this.interactive && this.interrupt.signal.aborted) throw new InterruptFlow();
  }

  /** Waits for a promise as long as the shell lives; `untilSignal` also ends it when a trapped signal arrives (undefined). */
  waitFor<T>(promise: Promise<T>, untilSignal = false): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const signal = this.waitSignal;
      const finish = (action: () => void): void => {
        signal.removeEventListener('abort', stopped);
        this.signalArrived = undefined;
        action();
      };
      const stopped = (): void => finish(() => reject(this.interactive ? new InterruptFlow() : new KilledFlow()));
      if (signal.aborted) {
        stopped();
        return;
      }
      signal.addEventListener('abort', stopped, { once: true });
      if (untilSignal) this.signalArrived = () => finish(() => resolve(undefined));
      promise.then(
        (value) => finish(() => resolve(value)),
        (error: unknown) => finish(() => reject(error)),
      );
    });
  }

  private standardFile(device: string): OpenFile | undefined {
    switch (device) {
      case 'stdin':
        return this.descriptors.get(0);
      case 'stdout':
        return this.descriptors.get(1);
      case 'stderr':
        return this.descriptors.get(2);
      case 'tty':
        return [0, 1, 2].map((number) => this.descriptors.get(number)).find((file) => file?.isTerminal);
      case 'log-stdout':
      case 'log-stderr':
        return writerFile(this.container.logWriter(device === 'log-stdout' ? 'stdout' : 'stderr'));
      default:
        return undefined;
    }
  }
}

function environmentVariables(environment: Readonly<Record<string, string>>): Map<string, Variable> {
  const variables = new Map<string, Variable>();
  for (const [name, value] of Object.entries(environment))
    variables.set(name, { value, exported: true, readonly: false });
  return variables;
}
