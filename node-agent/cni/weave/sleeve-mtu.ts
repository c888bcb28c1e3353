/**
 * The largest packet of a pod that goes through the sleeve to a peer: sizes are tried with packets that may not be cut, which the
 * other peer confirms over TCP. It begins with what the route allows, and halves the distance to what is known to be too long.
 */
import { Alarm } from '../../../shared/netstack/alarm.ts';
import type { Engine } from '../../../shared/netstack/engine.ts';

/** Every path takes it: IPv4's least MTU of 576, with what the sleeve puts before a packet. */
const LEAST_BYTES = 460;
/** Tries of one size; the other peer has 10 ms for the first, and twice as long for each that follows. */
const ATTEMPTS = 6;
const FIRST_TIMEOUT_US = 10_000;

export interface SleeveMtuOptions {
  readonly engine: Engine;
  /** By the route, and what "fragmentation needed" said since. */
  readonly limitBytes: () => number;
  readonly probe: (mtuBytes: number) => void;
  readonly verified: (mtuBytes: number) => void;
}

export class SleeveMtu {
  private readonly options: SleeveMtuOptions;
  private readonly alarm: Alarm;
  private good = LEAST_BYTES;
  private bad = Number.POSITIVE_INFINITY;
  private candidate = 0;
  private attempts = 0;

  constructor(options: SleeveMtuOptions) {
    this.options = options;
    this.alarm = new Alarm(options.engine, () => this.timedOut());
  }

  start(): void {
    this.good = LEAST_BYTES;
    this.bad = this.options.limitBytes() + 1;
    this.attempt(this.bad - 1);
  }

  stop(): void {
    this.alarm.dispose();
  }

  /** The other peer had a packet of that size. */
  confirmed(mtuBytes: number): void {
    if (!this.alarm.isSet || mtuBytes !== this.candidate) return;
    this.good = Math.max(this.good, mtuBytes);
    this.search();
  }

  private timedOut(): void {
    const { limitBytes } = this.options;
    if (this.attempts < ATTEMPTS && this.candidate <= limitBytes()) this.send();
    else {
      this.bad = Math.min(this.candidate, limitBytes() + 1);
      this.search();
    }
  }

  private search(): void {
    if (this.good + 1 >= this.bad) {
      this.alarm.clear();
      this.options.verified(this.good);
    } else this.attempt(this.candidate > this.options.limitBytes() ? this.bad - 1 : (this.good + this.bad) >> 1);
  }

  private attempt(candidate: number): void {
    this.candidate = candidate;
    this.attempts = 0;
    this.send();
  }

  private send(): void {
    const { engine, probe } = this.options;
    this.alarm.set(engine.nowUs + FIRST_TIMEOUT_US * 2 ** this.attempts++);
    probe(this.candidate);
  }
}
