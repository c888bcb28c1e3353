/**
 * Runs the housekeeping, each task by itself; one that fails (NATS is away) is tried again next time. A task that says what
 * it is for rests while there is nothing of that: an idle process is not woken for it.
 */
import type { Clock, Timer } from '../../../shared/runtime/clock.ts';
import type { Logger } from '../../../shared/runtime/log.ts';
import type { ResourceCache } from '../storage/watch-cache.ts';

export interface Task {
  readonly name: string;
  readonly everyMs: number;
  run(nowMs: number): Promise<unknown>;
  /** Asked after each run, and again when something about these objects changes. Left out, the task never rests. */
  readonly need?: { readonly of: ResourceCache; holds(): boolean };
}

/** Returns what stops it. */
export function scheduleTasks(tasks: readonly Task[], clock: Clock, log: Logger): () => void {
  const schedules = tasks.map((task) => new Schedule(task, clock, log));
  return () => {
    for (const schedule of schedules) schedule.stop();
  };
}

class Schedule {
  private readonly task: Task;
  private readonly clock: Clock;
  private readonly log: Logger;
  private timer: Timer | undefined;
  private isRunning = false;
  private stopped = false;
  private unsubscribe: () => void = () => undefined;

  constructor(task: Task, clock: Clock, log: Logger) {
    this.task = task;
    this.clock = clock;
    this.log = log;
    this.followNeed();
    this.armIfNeeded();
  }

  stop(): void {
    this.stopped = true;
    this.unsubscribe();
    this.timer?.cancel();
  }

  private followNeed(): void {
    const { need } = this.task;
    if (need === undefined) return;
    this.unsubscribe = need.of.subscribe({
      change: () => this.armIfNeeded(),
      // Another store: what it holds is told again, to who asks again.
      reset: () => this.followNeed(),
    });
  }

  private armIfNeeded(): void {
    const { need, everyMs } = this.task;
    const waits = this.timer !== undefined || this.isRunning;
    if (this.stopped || waits || need?.holds() === false) return;
    this.timer = this.clock.setTimer(everyMs, () => void this.run());
  }

  private async run(): Promise<void> {
    this.timer = undefined;
    this.isRunning = true;
    try {
      await this.task.run(this.clock.nowMs());
    } catch (error) {
      this.log.warn({ error, task: this.task.name }, 'housekeeping failed; it is tried again');
    }
    this.isRunning = false;
    this.armIfNeeded();
  }
}
