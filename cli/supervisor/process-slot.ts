/**
 * One process of the cluster: started, watched, started again with back-off where that is its policy, and ended.
 *
 * No process outlives the supervisor, however that ends: Node processes have an IPC channel and exit when it closes; a
 * foreign program gets a watcher that ends it when a pipe from the supervisor closes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, renameSync } from 'node:fs';
import type { Writable } from 'node:stream';
import type { Clock, Timer } from '../../shared/runtime/clock.ts';
import { decodeReadyNotice } from '../../shared/runtime/process.ts';

export interface ProcessSpec {
  /** `apiserver`, `worker-1`: also names the log file. */
  readonly name: string;
  /** A Node program says when it is ready; a foreign one is taken to be ready once it runs. */
  readonly kind: 'node' | 'foreign';
  /** The program's file. */
  readonly program: string;
  readonly arguments: readonly string[];
  /** Options for Node itself. */
  readonly nodeOptions?: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logFile: string;
  /** `restart`: started again whenever it ends; `stay-dead`: ended is ended, as with a node that fails. */
  readonly whenItEnds: 'restart' | 'stay-dead';
}

/** `waiting`: ended, and to be started again after its back-off. */
export type ProcessState = 'starting' | 'running' | 'waiting' | 'dead' | 'stopped';

export interface ProcessStatus {
  readonly name: string;
  readonly state: ProcessState;
  readonly pid: number | undefined;
  /** Milliseconds since 1970. */
  readonly startedAtMs: number | undefined;
  readonly restarts: number;
  readonly healthPort: number | undefined;
  /** How it last ended: `exit code 1`, `SIGKILL`. */
  readonly lastEnd: string | undefined;
  /** How many times in a row it ended soon after its start. */
  readonly quickEnds: number;
}

const FIRST_BACKOFF_MS = 100;
const LAST_BACKOFF_MS = 5000;
/** Who ran for so long starts with a clean slate. */
const STABLE_AFTER_MS = 10_000;

/**
 * Runs a program under its own pid, with a watcher beside it that ends it when descriptor 3 reaches its end without a line.
 * One that was stopped hears of it only when it continues.
 */
const WATCHED_EXEC = '(read -r _ <&3 || { kill -TERM $$; kill -CONT $$; }) & exec "$@" 3<&-';

export class ProcessSlot {
  readonly spec: ProcessSpec;
  private readonly clock: Clock;
  private readonly onChange: (slot: ProcessSlot) => void;
  private child: ChildProcess | undefined;
  private state: ProcessState = 'stopped';
  private startedAtMs: number | undefined;
  private restarts = 0;
  private quickEnds = 0;
  private healthPort: number | undefined;
  private lastEnd: string | undefined;
  private backoff: Timer | undefined;
  private wanted = false;
  private ended: Promise<void> = Promise.resolve();

  constructor(spec: ProcessSpec, clock: Clock, onChange: (slot: ProcessSlot) => void) {
    this.spec = spec;
    this.clock = clock;
    this.onChange = onChange;
  }

  get status(): ProcessStatus {
    return {
      name: this.spec.name,
      state: this.state,
      pid: this.child?.pid,
      startedAtMs: this.child === undefined ? undefined : this.startedAtMs,
      restarts: this.restarts,
      healthPort: this.child === undefined ? undefined : this.healthPort,
      lastEnd: this.lastEnd,
      quickEnds: this.quickEnds,
    };
  }

  /** Starts it if it does not run. The log of the time before is kept as `<name>.log.1`. */
  start(): void {
    if (this.wanted && this.child !== undefined) return;
    this.wanted = true;
    this.backoff?.cancel();
    this.spawnChild();
  }

  /** SIGKILL, as a machine that fails; what happens then is the policy's. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.child?.kill('SIGKILL');
    await this.ended;
  }

  /** Ends it for good: SIGTERM, after the limit SIGKILL. Resolves when it is gone. */
  async stop(limitMs: number): Promise<void> {
    this.wanted = false;
    this.backoff?.cancel();
    const child = this.child;
    if (child === undefined) {
      this.setState('stopped');
      return;
    }
    child.kill('SIGTERM');
    const limit = this.clock.setTimer(limitMs, () => child.kill('SIGKILL'));
    await this.ended;
    limit.cancel();
  }

  private spawnChild(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    const child = this.launch();
    this.child = child;
    this.startedAtMs = this.clock.nowMs();
    this.healthPort = undefined;
    this.setState(this.spec.kind === 'node' ? 'starting' : 'running');
    child.on('message', (message: unknown) => {
      const notice = decodeReadyNotice(message);
      if (notice === undefined) return;
      this.healthPort = notice.healthPort;
      this.setState('running');
    });
    child.once('error', (error) => {
      this.lastEnd = error.message;
      if (child.pid === undefined) this.afterEnd(resolve);
    });
    child.once('exit', (code, signal) => {
      this.lastEnd = signal ?? `exit code ${code}`;
      this.afterEnd(resolve);
    });
  }

  private launch(): ChildProcess {
    const { program, kind, logFile } = this.spec;
    const log = openSync(logFile, 'a', 0o600);
    try {
      // A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which then ends all in order.
      const options = { env: this.spec.environment, detached: true };
      if (kind === 'node') {
        const args = [...(this.spec.nodeOptions ?? []), program, ...this.spec.arguments];
        return spawn(process.execPath, args, { ...options, stdio: ['ignore', log, log, 'ipc'] });
      }
      const args = ['-c', WATCHED_EXEC, 'sh', program, ...this.spec.arguments];
      const child = spawn('/bin/sh', args, { ...options, stdio: ['ignore', log, log, 'pipe'] });
      releaseWatcherAtEnd(child);
      return child;
    } finally {
      closeSync(log);
    }
  }

  private afterEnd(resolveEnded: () => void): void {
    if (this.child === undefined) return;
    this.child = undefined;
    if (!this.wanted) this.setState('stopped');
    else if (this.spec.whenItEnds === 'stay-dead') this.setState('dead');
    else this.scheduleRestart();
    resolveEnded();
  }

  private scheduleRestart(): void {
    const ranMs = this.clock.nowMs() - (this.startedAtMs ?? 0);
    this.quickEnds = ranMs >= STABLE_AFTER_MS ? 0 : this.quickEnds + 1;
    const delayMs = Math.min(LAST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.max(0, this.quickEnds - 1));
    this.setState('waiting');
    this.backoff = this.clock.setTimer(delayMs, () => {
      this.restarts++;
      this.spawnChild();
    });
  }

  private setState(state: ProcessState): void {
    this.state = state;
    this.onChange(this);
  }
}

/** Keeps the log of the last start beside the one that begins. */
export function rotateLog(path: string): void {
  try {
    renameSync(path, `${path}.1`);
  } catch (error) {
    // The first start has no log to keep.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

/** A line tells the watcher that the program ended by itself: there is nothing left to end, and its pid may be another's. */
function releaseWatcherAtEnd(child: ChildProcess): void {
  const pipe = child.stdio[3] as Writable | null;
  pipe?.on('error', () => pipe.destroy());
  child.once('exit', () => pipe?.end('\n'));
}
