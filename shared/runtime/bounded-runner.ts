/**
 * Runs a function when asked to, but not more often than the bounds allow, and at least every so often. Requests that come
 * while it waits or runs are gathered into one run. Two runs may follow each other at once before the bound holds, so that
 * a single change takes effect without delay.
 */
import type { Clock, Timer } from './clock.ts';

export interface BoundedRunnerOptions {
  readonly clock: Clock;
  /** Resolves to false when it failed and is to be tried again soon. */
  readonly run: () => Promise<boolean>;
  /** Between the starts of two runs. */
  readonly minIntervalMs: number;
  /** A run comes at the latest this long after the one before. */
  readonly maxIntervalMs: number;
  /** After a failure. */
  readonly retryMs: number;
}

const BURST_RUNS = 2;

export class BoundedRunner {
  private readonly options: BoundedRunnerOptions;
  private timer: Timer | undefined;
  private timerDueMs = Number.POSITIVE_INFINITY;
  private running = false;
  private wanted = false;
  private stopped = false;
  /** Runs that may start at once; refilled by one every `minIntervalMs`. */
  private tokens = BURST_RUNS;
  private refilledMs: number;

  constructor(options: BoundedRunnerOptions) {
    this.options = options;
    this.refilledMs = options.clock.monotonicMs();
  }

  /** Asks for a run. */
  request(): void {
    if (this.stopped) return;
    if (this.running) this.wanted = true;
    else this.runWithin(this.untilAllowedMs());
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  private untilAllowedMs(): number {
    this.refill();
    const { clock, minIntervalMs } = this.options;
    return this.tokens > 0 ? 0 : this.refilledMs + minIntervalMs - clock.monotonicMs();
  }

  private refill(): void {
    const { clock, minIntervalMs } = this.options;
    const nowMs = clock.monotonicMs();
    const refills = minIntervalMs === 0 ? BURST_RUNS : Math.floor((nowMs - this.refilledMs) / minIntervalMs);
    if (refills <= 0) return;
    this.tokens = Math.min(BURST_RUNS, this.tokens + refills);
    this.refilledMs = this.tokens === BURST_RUNS ? nowMs : this.refilledMs + refills * minIntervalMs;
  }

  /** Keeps the earlier of the present timer and the one asked for. */
  private runWithin(delayMs: number): void {
    const { clock } = this.options;
    const dueMs = clock.monotonicMs() + delayMs;
    if (dueMs >= this.timerDueMs) return;
    this.timer?.cancel();
    this.timerDueMs = dueMs;
    this.timer = clock.setTimer(delayMs, () => void this.runNow());
  }

  private async runNow(): Promise<void> {
    this.timerDueMs = Number.POSITIVE_INFINITY;
    this.running = true;
    this.wanted = false;
    this.refill();
    this.tokens = Math.max(0, this.tokens - 1);
    const succeeded = await this.options.run();
    this.running = false;
    if (this.stopped) return;
    if (this.wanted) this.runWithin(this.untilAllowedMs());
    this.runWithin(succeeded ? this.options.maxIntervalMs : this.options.retryMs);
  }
}
