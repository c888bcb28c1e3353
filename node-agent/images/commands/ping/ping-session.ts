/**
 * The part of ping that both its variants share: requests on a schedule, answers as they come, and when it is over.
 * What is printed, and what an error means, is the variant's.
 */
import type { PingOptions, PingOutcome, PodNetwork } from '../../../../shared/podnet/pod-network.ts';
import { type SocketErrorCode, socketErrorCode } from '../../../../shared/podnet/socket-error.ts';
import type { RoundTrips } from './round-trips.ts';

/** How long an answer may take while the session lasts; a late one still counts, as in the real programs. */
const ANSWER_TIMEOUT_MS = 60_000;
/** However quick the answers are, other programs of the node must have their turn. */
const MIN_ADAPTIVE_INTERVAL_MS = 1;

export interface PingPlan {
  readonly request: Omit<PingOptions, 'sequence' | 'timeoutMs'>;
  /** iputils counts from 1, busybox from 0. */
  readonly firstSequence: number;
  readonly count: number;
  readonly intervalMs: number;
  /** Infinite without one. */
  readonly deadlineMs: number;
  /** The next request as soon as the last one is answered. */
  readonly adaptive: boolean;
  /** iputils: errors are answers too, and with a deadline `count` limits answers instead of requests. */
  readonly countsErrors: boolean;
  /** How long to wait after the last request. */
  lingerMs(trips: RoundTrips): number;
}

export type PingArrival =
  | { readonly sequence: number; readonly outcome: PingOutcome }
  | { readonly sequence: number; readonly failure: SocketErrorCode };

export interface PingListener {
  sent(sequence: number): Promise<void>;
  /** False ends the session. */
  arrived(arrival: PingArrival): Promise<boolean>;
}

/** Runs until the plan is fulfilled or `stop` is aborted; keeps `trips` up to date. */
export async function runPing(
  network: PodNetwork,
  plan: PingPlan,
  trips: RoundTrips,
  listener: PingListener,
  stop: AbortSignal,
): Promise<void> {
  const session = new PingSession(network, plan, trips, listener, stop);
  try {
    await session.run();
  } finally {
    session.abandon();
  }
}

class PingSession {
  private readonly network: PodNetwork;
  private readonly plan: PingPlan;
  private readonly trips: RoundTrips;
  private readonly listener: PingListener;
  private readonly stop: AbortSignal;
  private readonly outstanding = new AbortController();
  private readonly arrivals: PingArrival[] = [];
  private readonly startedMs = performance.now();
  private nextRequestMs = this.startedMs;
  private lastRequestMs = this.startedMs;
  private wake: () => void = () => undefined;
  /** What broke a request without being the network's answer. */
  private fault: { readonly error: unknown } | undefined;

  constructor(network: PodNetwork, plan: PingPlan, trips: RoundTrips, listener: PingListener, stop: AbortSignal) {
    this.network = network;
    this.plan = plan;
    this.trips = trips;
    this.listener = listener;
    this.stop = stop;
  }

  async run(): Promise<void> {
    while (!this.stop.aborted) {
      if (this.fault !== undefined) throw this.fault.error;
      const arrival = this.arrivals.shift();
      if (arrival !== undefined) {
        if (!(await this.take(arrival))) return;
        continue;
      }
      if (this.isAnswered() || performance.now() >= this.endMs()) return;
      if (this.mayRequest() && performance.now() >= this.nextRequestMs) await this.request();
      else await this.rest();
    }
  }

  abandon(): void {
    this.outstanding.abort();
  }

  private async take(arrival: PingArrival): Promise<boolean> {
    if ('outcome' in arrival) {
      const { outcome } = arrival;
      if (outcome.kind === 'timeout') return true;
      if (outcome.kind === 'reply') this.trips.replied(arrival.sequence, outcome.reply.rttMs);
      else this.trips.failed(arrival.sequence);
    } else this.trips.failed(arrival.sequence);
    if (this.plan.adaptive) this.nextRequestMs = this.lastRequestMs + MIN_ADAPTIVE_INTERVAL_MS;
    return this.listener.arrived(arrival);
  }

  private isAnswered(): boolean {
    const { count, countsErrors, deadlineMs } = this.plan;
    const { received, errors } = this.trips;
    if (countsErrors && errors > 0 && deadlineMs !== Number.POSITIVE_INFINITY) return true;
    return received + (countsErrors ? errors : 0) >= count;
  }

  private mayRequest(): boolean {
    const { count, countsErrors, deadlineMs } = this.plan;
    const untilAnswered = countsErrors && deadlineMs !== Number.POSITIVE_INFINITY;
    return untilAnswered || this.trips.transmitted < count;
  }

  private endMs(): number {
    const deadlineMs = this.startedMs + this.plan.deadlineMs;
    return this.mayRequest() ? deadlineMs : Math.min(deadlineMs, this.lastRequestMs + this.plan.lingerMs(this.trips));
  }

  private async request(): Promise<void> {
    const { request, firstSequence, intervalMs } = this.plan;
    const sequence = (firstSequence + this.trips.transmitted) & 0xffff;
    const nowMs = performance.now();
    this.lastRequestMs = nowMs;
    // Kept to the schedule, but a late one is not made up for.
    this.nextRequestMs = Math.max(this.nextRequestMs + intervalMs, nowMs + Math.min(intervalMs, 1));
    this.trips.sent(nowMs);
    const answered = this.network.ping(
      { ...request, sequence, timeoutMs: Math.max(ANSWER_TIMEOUT_MS, intervalMs) },
      this.outstanding.signal,
    );
    answered.then(
      (outcome) => this.arrive({ sequence, outcome }),
      (error: unknown) => this.fail(sequence, error),
    );
    await this.listener.sent(sequence);
  }

  private fail(sequence: number, error: unknown): void {
    if (this.outstanding.signal.aborted) return;
    const failure = socketErrorCode(error);
    if (failure !== undefined) {
      this.arrive({ sequence, failure });
      return;
    }
    this.fault = { error };
    this.wake();
  }

  private arrive(arrival: PingArrival): void {
    this.arrivals.push(arrival);
    this.wake();
  }

  /** Until an answer, the next request or the end. */
  private rest(): Promise<void> {
    const untilMs = this.mayRequest() ? Math.min(this.nextRequestMs, this.endMs()) : this.endMs();
    const waitMs = Math.min(2 ** 31 - 1, Math.max(1, Math.ceil(untilMs - performance.now())));
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.stop.removeEventListener('abort', done);
        this.wake = () => undefined;
        resolve();
      };
      const timer = setTimeout(done, waitMs);
      this.stop.addEventListener('abort', done, { once: true });
      this.wake = done;
    });
  }
}
