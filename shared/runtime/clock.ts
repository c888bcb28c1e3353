/** Time as an input: code that waits or stamps takes a `Clock`, so that tests own the time. */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall clock, milliseconds since 1970 (time stamps in objects). */
  nowMs(): number;
  /** Never goes back; for durations and deadlines. Fractions of a millisecond. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs`. A pending timer keeps the process alive. */
  setTimer(delayMs: number, run: () => void): Timer;
  /** Resolves after `delayMs`, or at once when `signal` is or gets aborted (callers look at the signal). */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

function sleepOn(clock: Pick<Clock, 'setTimer'>, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const finish = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = clock.setTimer(delayMs, finish);
    signal?.addEventListener('abort', finish, { once: true });
  });
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
  sleep(delayMs, signal) {
    return sleepOn(systemClock, delayMs, signal);
  },
};

interface PendingTimer {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that moves only by `advance`. */
export class FakeClock implements Clock {
  private currentMs: number;
  private readonly startMs: number;
  private nextOrder = 0;
  private readonly pending = new Set<PendingTimer>();

  constructor(startMs = Date.UTC(2025, 0, 1)) {
    this.startMs = startMs;
    this.currentMs = startMs;
  }

  nowMs(): number {
    return this.currentMs;
  }

  monotonicMs(): number {
    return this.currentMs - this.startMs;
  }

  setTimer(delayMs: number, run: () => void): Timer {
    const timer: PendingTimer = { dueMs: this.currentMs + Math.max(0, delayMs), order: this.nextOrder++, run };
    this.pending.add(timer);
    return { cancel: () => void this.pending.delete(timer) };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }

  get pendingTimers(): number {
    return this.pending.size;
  }

  /** Moves the time on and runs the timers that fall due in order, letting promises settle after each of them. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.currentMs + byMs;
    await settlePromises();
    for (let timer = this.earliest(endMs); timer !== undefined; timer = this.earliest(endMs)) {
      this.pending.delete(timer);
      this.currentMs = Math.max(this.currentMs, timer.dueMs);
      timer.run();
      await settlePromises();
    }
    this.currentMs = endMs;
  }

  private earliest(untilMs: number): PendingTimer | undefined {
    let first: PendingTimer | undefined;
    for (const timer of this.pending) {
      if (timer.dueMs > untilMs) continue;
      if (
        first === undefined ||
        timer.dueMs < first.dueMs ||
        (timer.dueMs === first.dueMs && timer.order < first.order)
      ) {
        first = timer;
      }
    }
    return first;
  }
}

/** A turn of the event loop: every promise chain that needs no I/O has run afterwards. */
function settlePromises(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
