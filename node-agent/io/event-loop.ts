/**
 * The edge of a process' engine: the real clock, the one real timer, and the turns.
 *
 *   socket readable | timer due | program calls -> enter (engine gets the time, due timers run)
 *     -> the data path works -> leave (backlog drained, links flushed, the real timer set to the next deadline)
 */
// Not the global one, which is looked up through a getter by every reading of the clock.
import { performance } from 'node:perf_hooks';
import { hrtime } from 'node:process';
import type { Engine } from '../../shared/netstack/engine.ts';
import type { PreciseTimer } from './precise-timer.ts';

/** Shorter waits than this are spun through on setImmediate: setTimeout knows no shorter one. */
const TIMER_RESOLUTION_US = 1000;
/** Up to here a deadline is met within the spin; a longer wait may end up to a millisecond late. */
const PRECISE_BELOW_US = 10_000;
/** So long before a precise deadline the spin begins where there is no precise timer: setTimeout may be that late. */
const SPIN_US = 1500;

/** Added to `performance.now()`, it gives CLOCK_MONOTONIC, which all processes of a machine share. */
const ORIGIN_READINGS = 16;
const monotonicOriginUs = measureOriginUs();

/** Microseconds of the machine's monotonic clock: comparable between the processes of one machine. */
export function monotonicUs(): number {
  return monotonicOriginUs + performance.now() * 1000;
}

/** Where `performance.now` began. The pair of clocks that was read with the least between them tells it best. */
function measureOriginUs(): number {
  let closestMs = Number.POSITIVE_INFINITY;
  let originUs = 0;
  for (let reading = 0; reading < ORIGIN_READINGS; reading++) {
    const beforeMs = performance.now();
    const monotonicNs = hrtime.bigint();
    const afterMs = performance.now();
    if (afterMs - beforeMs >= closestMs) continue;
    closestMs = afterMs - beforeMs;
    originUs = Number(monotonicNs) / 1000 - ((beforeMs + afterMs) / 2) * 1000;
  }
  return originUs;
}

export class EventLoop {
  readonly engine: Engine;
  /**
   * A deadline that is to be met as exactly as can be, however far away: when a delayed packet leaves. Infinity for none.
   * Without a precise timer the processor is busy for up to SPIN_US before it, so it is asked for only where that pays.
   */
  preciseDeadlineUs: () => number = () => Number.POSITIVE_INFINITY;
  readonly clockUs: () => number;
  private readonly onTimer = () => this.fire();
  private timeout: NodeJS.Timeout | null = null;
  private immediate: NodeJS.Immediate | null = null;
  /** What the pending timer is to wake for; Infinity when none is pending. */
  private armedUs = Number.POSITIVE_INFINITY;
  private closed = false;
  private preciseTimer: PreciseTimer | null = null;
  /** What the precise timer is to wake for; Infinity when it is not set. */
  private preciseArmedUs = Number.POSITIVE_INFINITY;
  /** Turns entered and not left. */
  private depth = 0;

  constructor(engine: Engine, clockUs: () => number = monotonicUs) {
    this.engine = engine;
    this.clockUs = clockUs;
  }

  /** Precise deadlines are met with this timer from now on, instead of a spin. It is closed with the loop. */
  usePreciseTimer(timer: PreciseTimer): void {
    this.preciseTimer = timer;
    timer.onDue = () => {
      this.preciseArmedUs = Number.POSITIVE_INFINITY;
      this.enter();
      this.leave();
    };
  }

  /** Begins a turn; every `enter` is followed by a `leave`. Nested turns join the outer one. */
  enter(): void {
    if (this.depth === 0) this.engine.enter(this.clockUs());
    this.depth++;
  }

  leave(): void {
    if (--this.depth > 0) return;
    this.engine.drain();
    this.arm();
  }

  /** A turn round a call from outside the engine: a program's write, an API's request. */
  run<Result>(call: () => Result): Result {
    this.enter();
    try {
      return call();
    } finally {
      this.leave();
    }
  }

  /** No timer fires after this. */
  close(): void {
    this.closed = true;
    this.disarm();
    this.preciseTimer?.close();
    this.preciseTimer = null;
  }

  /** A timer that fires too early costs one turn and arms itself again; so a later deadline needs nothing now. */
  private arm(): void {
    if (this.closed) return;
    const preciseUs = this.preciseDeadlineUs();
    if (this.preciseTimer === null)
      this.wakeAt(Math.min(this.engine.nextDeadlineUs(), preciseUs - SPIN_US), preciseUs - SPIN_US);
    else {
      this.setPreciseTimer(this.preciseTimer, preciseUs);
      const nextUs = this.engine.nextDeadlineUs();
      if (nextUs < preciseUs) this.wakeAt(nextUs, Number.POSITIVE_INFINITY);
    }
  }

  private setPreciseTimer(timer: PreciseTimer, deadlineUs: number): void {
    if (deadlineUs >= this.preciseArmedUs) return;
    this.preciseArmedUs = deadlineUs;
    timer.set(deadlineUs);
  }

  private wakeAt(wakeUs: number, spinUs: number): void {
    if (wakeUs >= this.armedUs) return;
    this.disarm();
    this.armedUs = wakeUs;
    const waitUs = wakeUs - this.clockUs();
    if (waitUs < TIMER_RESOLUTION_US) {
      this.immediate = setImmediate(this.onTimer);
      return;
    }
    const waitMs = waitUs / 1000;
    this.timeout = setTimeout(
      this.onTimer,
      waitUs < PRECISE_BELOW_US || wakeUs === spinUs ? Math.floor(waitMs) : Math.ceil(waitMs),
    );
  }

  private disarm(): void {
    if (this.timeout !== null) clearTimeout(this.timeout);
    if (this.immediate !== null) clearImmediate(this.immediate);
    this.timeout = null;
    this.immediate = null;
    this.armedUs = Number.POSITIVE_INFINITY;
  }

  private fire(): void {
    this.timeout = null;
    this.immediate = null;
    this.armedUs = Number.POSITIVE_INFINITY;
    this.enter();
    this.leave();
  }
}
