/**
 * The queue between what changed and what is done about it: keys, not events. A key that is added many times is worked on
 * once; never by two workers at a time; again when it was added meanwhile; again, ever later, when the work failed.
 */
import type { Clock, Timer } from '../runtime/clock.ts';
import { type Logger, silentLogger } from '../runtime/log.ts';

export interface WorkQueueOptions<K> {
  readonly clock: Clock;
  /** The work. What it throws is logged and retried. */
  process(key: K): Promise<void>;
  readonly log?: Logger;
  /** Keys worked on at the same time; 1 by default. */
  readonly concurrency?: number;
  /** How long after the first `add` a key is worked on, so that a burst becomes one piece of work; 0 by default. */
  readonly gatherMs?: number;
  /** At least so long from one start of a key's work to the next; 0 by default. */
  readonly minIntervalMs?: number;
  /** The pause after the first failure; doubles with each further one. 10 ms by default. */
  readonly firstRetryMs?: number;
  /** 30 s by default. */
  readonly lastRetryMs?: number;
}

interface KeyState {
  /** When the pending work may start; undefined when none is pending. */
  dueMs: number | undefined;
  timer: Timer | undefined;
  running: boolean;
  failures: number;
  startedMs: number;
}

export class WorkQueue<K> {
  private readonly options: WorkQueueOptions<K>;
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly states = new Map<K, KeyState>();
  private readonly ready: K[] = [];
  private readonly idleWaiters: (() => void)[] = [];
  private runningCount = 0;
  private stopped = false;

  constructor(options: WorkQueueOptions<K>) {
    this.options = options;
    this.clock = options.clock;
    this.log = options.log ?? silentLogger();
  }

  /** Keys that are waiting or worked on. */
  get size(): number {
    let size = 0;
    for (const state of this.states.values()) if (state.running || state.dueMs !== undefined) size++;
    return size;
  }

  add(key: K): void {
    this.schedule(key, this.options.gatherMs ?? 0);
  }

  /** Work that is pending already happens at the earlier of both times. */
  addAfter(key: K, delayMs: number): void {
    this.schedule(key, delayMs);
  }

  /** Resolves when nothing is waiting or worked on. */
  idle(): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  /** Drops what waits; work under way ends by itself. */
  stop(): void {
    this.stopped = true;
    for (const state of this.states.values()) {
      state.timer?.cancel();
      state.dueMs = undefined;
    }
    this.ready.length = 0;
    this.notifyIdle();
  }

  private schedule(key: K, delayMs: number): void {
    if (this.stopped) return;
    const state = this.stateOf(key);
    const nowMs = this.clock.monotonicMs();
    const dueMs = Math.max(nowMs + delayMs, state.startedMs + (this.options.minIntervalMs ?? 0));
    if (state.dueMs !== undefined && state.dueMs <= dueMs) return;
    state.dueMs = dueMs;
    // Work under way looks at `dueMs` when it ends.
    if (!state.running) this.arm(key, state);
  }

  private stateOf(key: K): KeyState {
    let state = this.states.get(key);
    if (state === undefined) {
      state = { dueMs: undefined, timer: undefined, running: false, failures: 0, startedMs: Number.NEGATIVE_INFINITY };
      this.states.set(key, state);
    }
    return state;
  }

  private arm(key: K, state: KeyState): void {
    state.timer?.cancel();
    const delayMs = (state.dueMs ?? 0) - this.clock.monotonicMs();
    const enqueue = (): void => {
      state.timer = undefined;
      this.ready.push(key);
      this.startReady();
    };
    if (delayMs > 0) state.timer = this.clock.setTimer(delayMs, enqueue);
    else enqueue();
  }

  private startReady(): void {
    while (this.runningCount < (this.options.concurrency ?? 1)) {
      const key = this.ready.shift();
      if (key === undefined) return;
      void this.run(key, this.stateOf(key));
    }
  }

  private async run(key: K, state: KeyState): Promise<void> {
    state.dueMs = undefined;
    state.running = true;
    state.startedMs = this.clock.monotonicMs();
    this.runningCount++;
    // Never inside the caller of `add`.
    await Promise.resolve();
    try {
      await this.options.process(key);
      state.failures = 0;
    } catch (error) {
      this.log.warn({ error, key, failures: state.failures + 1 }, 'work failed and will be retried');
      this.schedule(key, this.retryDelayMs(state.failures++));
    }
    state.running = false;
    this.runningCount--;
    if (state.dueMs !== undefined) this.arm(key, state);
    else if (state.failures === 0 && (this.options.minIntervalMs ?? 0) === 0) this.states.delete(key);
    this.startReady();
    this.notifyIdle();
  }

  private retryDelayMs(failures: number): number {
    const firstMs = this.options.firstRetryMs ?? 10;
    return Math.min(this.options.lastRetryMs ?? 30_000, firstMs * 2 ** failures);
  }

  private notifyIdle(): void {
    if (this.size > 0) return;
    for (const resolve of this.idleWaiters.splice(0)) resolve();
  }
}
