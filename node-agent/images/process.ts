/** The process table of a container's PID namespace: pids, groups and signals of the programs that run in it. */
import { Descriptors, type SocketOwner } from '../../shared/podnet/socket-owner.ts';
import type { ContainerFiles } from './files/container-files.ts';

/** Linux' numbers (x86-64). */
export const SIGNAL_NUMBERS = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGWINCH: 28,
} as const;

export type SignalName = keyof typeof SIGNAL_NUMBERS;

const IGNORED_BY_DEFAULT: ReadonlySet<SignalName> = new Set(['SIGCHLD', 'SIGCONT', 'SIGWINCH', 'SIGSTOP', 'SIGTSTP']);

/** `TERM`, `SIGTERM`, `sigterm` or `15`; undefined for anything else. */
export function parseSignal(text: string): SignalName | undefined {
  const upper = text.toUpperCase();
  for (const [name, number] of Object.entries(SIGNAL_NUMBERS)) {
    if (name === upper || name === `SIG${upper}` || String(number) === text) return name as SignalName;
  }
  return undefined;
}

export interface ExitStatus {
  /** 0 to 255; 128 + number for a signal, as a shell reports it. */
  readonly code: number;
  readonly signal?: SignalName;
}

export type SignalHandler = (signal: SignalName) => void;

/** Why a program's `AbortSignal` is aborted. */
export class KilledError extends Error {
  override readonly name = 'KilledError';
  readonly signal: SignalName;

  constructor(signal: SignalName) {
    super(`killed by ${signal}`);
    this.signal = signal;
  }
}

/** Of the processes of all containers of this node, as one outside their namespaces numbers them. */
let nextNodePid = 1000;
/** Linux' TASK_COMM_LEN without its last zero. */
const MAX_NAME_LENGTH = 15;

export class Process implements SocketOwner {
  readonly pid: number;
  readonly nodePid = nextNodePid++;
  readonly descriptors = new Descriptors();
  readonly parentPid: number;
  /** Process group: what Ctrl-C reaches together. */
  readonly group: number;
  readonly startedAtMs = Date.now();
  argv: readonly string[];
  /** Resolves when the process is gone. */
  readonly exited: Promise<ExitStatus>;
  private readonly table: ProcessTable;
  private readonly handlers = new Map<SignalName, SignalHandler | 'ignore'>();
  private readonly abort = new AbortController();
  private resolveExited!: (status: ExitStatus) => void;
  private status: ExitStatus | undefined;

  constructor(table: ProcessTable, pid: number, parentPid: number, group: number, argv: readonly string[]) {
    this.table = table;
    this.pid = pid;
    this.parentPid = parentPid;
    this.group = group;
    this.argv = argv;
    this.exited = new Promise((resolve) => {
      this.resolveExited = resolve;
    });
  }

  /** Aborted when a signal without a handler ends the process, and when it exits; `reason` is a `KilledError`. */
  get signal(): AbortSignal {
    return this.abort.signal;
  }

  get name(): string {
    return (this.argv[0]?.split('/').at(-1) ?? '').slice(0, MAX_NAME_LENGTH);
  }

  get pidNamespace(): ProcessTable {
    return this.table;
  }

  get exitStatus(): ExitStatus | undefined {
    return this.status;
  }

  /** SIGKILL and SIGSTOP cannot be handled. */
  onSignal(name: SignalName, handler: SignalHandler | 'ignore' | 'default'): void {
    if (handler === 'default') this.handlers.delete(name);
    else this.handlers.set(name, handler);
  }

  /** exec(2): another program in the same process; handlers are gone, ignored signals stay ignored. */
  becomes(argv: readonly string[]): void {
    this.argv = argv;
    for (const [name, handler] of this.handlers) if (handler !== 'ignore') this.handlers.delete(name);
  }

  deliver(name: SignalName): void {
    if (this.status !== undefined) return;
    const handler = name === 'SIGKILL' ? undefined : this.handlers.get(name);
    if (handler === 'ignore') return;
    if (handler !== undefined) {
      handler(name);
      return;
    }
    if (!IGNORED_BY_DEFAULT.has(name)) this.exit({ code: 128 + SIGNAL_NUMBERS[name], signal: name });
  }

  /** The process is over; what still runs of it is told through `signal`. */
  exit(status: ExitStatus): void {
    if (this.status !== undefined) return;
    this.status = status;
    this.table.remove(this);
    this.descriptors.clear();
    this.abort.abort(new KilledError(status.signal ?? 'SIGKILL'));
    this.resolveExited(status);
  }
}

export interface SpawnOptions {
  readonly argv: readonly string[];
  readonly parent?: Process;
  /** A new group of its own instead of the parent's. */
  readonly newGroup?: boolean;
}

/** A PID namespace. */
interface ProcessSpace {
  readonly processes: Map<number, Process>;
  nextPid: number;
}

/** The processes that a container sees, of which some may be another's (`kubectl debug --target`), and those that are its own. */
export class ProcessTable {
  /** The container's, where `/proc/PID/root` of its processes leads. */
  files: ContainerFiles | undefined;
  private readonly space: ProcessSpace;
  private readonly own = new Set<Process>();
  private first: Process | undefined;

  constructor(space: ProcessSpace = { processes: new Map(), nextPid: 1 }) {
    this.space = space;
  }

  /** The table of another container in the same PID namespace. */
  joined(): ProcessTable {
    return new ProcessTable(this.space);
  }

  /** The container's first process; it has the PID 1 where the container has a PID namespace of its own. */
  get main(): Process | undefined {
    return this.first;
  }

  spawn(options: SpawnOptions): Process {
    const pid = this.space.nextPid++;
    const group = options.newGroup || options.parent === undefined ? pid : options.parent.group;
    const process = new Process(this, pid, options.parent?.pid ?? 0, group, options.argv);
    this.space.processes.set(pid, process);
    this.own.add(process);
    this.first ??= process;
    return process;
  }

  get(pid: number): Process | undefined {
    return this.space.processes.get(pid);
  }

  list(): Process[] {
    return [...this.space.processes.values()];
  }

  signalGroup(group: number, name: SignalName): void {
    for (const process of this.list()) if (process.group === group) process.deliver(name);
  }

  /** To the container's own. */
  signalAll(name: SignalName): void {
    for (const process of [...this.own]) process.deliver(name);
  }

  remove(process: Process): void {
    this.space.processes.delete(process.pid);
    this.own.delete(process);
  }
}
