import type { Engine, TimerHandle } from './engine.ts';

/**
 * A timer that is moved often and rings seldom, as TCP's are: moving it later leaves the pending timer where it is, and
 * that one, when it fires, asks for the rest of the time.
 */
export class Alarm {
  /** Infinity while not set. */
  deadlineUs = Number.POSITIVE_INFINITY;
  private readonly engine: Engine;
  private readonly ring: () => void;
  private readonly onTimer: () => void;
  private timer: TimerHandle | null = null;

  constructor(engine: Engine, ring: () => void) {
    this.engine = engine;
    this.ring = ring;
    this.onTimer = () => this.fired();
  }

  get isSet(): boolean {
    return this.deadlineUs !== Number.POSITIVE_INFINITY;
  }

  /** Rings at `deadlineUs`, and no longer at the time set before. */
  set(deadlineUs: number): void {
    this.deadlineUs = deadlineUs;
    if (this.timer !== null) {
      if (this.timer.deadlineUs <= deadlineUs) return;
      this.timer.cancel();
    }
    this.timer = this.engine.schedule(deadlineUs, this.onTimer);
  }

  /** The pending timer finds nothing to do. */
  clear(): void {
    this.deadlineUs = Number.POSITIVE_INFINITY;
  }

  /** Clears it and lets go of the pending timer; for an alarm that is not set again. */
  dispose(): void {
    this.clear();
    this.timer?.cancel();
    this.timer = null;
  }

  private fired(): void {
    this.timer = null;
    if (this.deadlineUs <= this.engine.nowUs) {
      this.clear();
      this.ring();
    } else if (this.isSet) {
      this.timer = this.engine.schedule(this.deadlineUs, this.onTimer);
    }
  }
}
