/**
 * The probes of one running container: start-up first, then liveness and readiness side by side, each in its period.
 * They report changes; what follows from them is decided elsewhere.
 */
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import type { Clock, Timer } from '../../shared/runtime/clock.ts';
import type { ProbeOutcome } from './probe-check.ts';
import { NO_RESULTS, type ProbeHistory, type ProbeKind, probeOf, probeTimings, withResult } from './probe-threshold.ts';

export interface ContainerProbesOptions {
  readonly container: Container;
  readonly clock: Clock;
  /** Runs the probe once. */
  readonly check: (kind: ProbeKind, timeoutMs: number) => Promise<ProbeOutcome>;
  /** The settled result changed, or is there for the first time. */
  readonly onChange: (kind: ProbeKind, passed: boolean) => void;
  /** A single failure, before any threshold. */
  readonly onFailure: (kind: ProbeKind, outcome: ProbeOutcome) => void;
}

export class ContainerProbes {
  private readonly options: ContainerProbesOptions;
  private readonly timers = new Map<ProbeKind, Timer>();
  private stopped = false;

  constructor(options: ContainerProbesOptions) {
    this.options = options;
    if (options.container.startupProbe !== undefined) this.begin('startup');
    else this.beginOthers();
  }

  stop(): void {
    this.stopped = true;
    for (const timer of this.timers.values()) timer.cancel();
    this.timers.clear();
  }

  private beginOthers(): void {
    if (this.options.container.livenessProbe !== undefined) this.begin('liveness');
    if (this.options.container.readinessProbe !== undefined) this.begin('readiness');
  }

  private begin(kind: ProbeKind): void {
    const timings = probeTimings(probeOf(this.options.container, kind)!);
    this.arm(kind, timings.initialDelayMs, NO_RESULTS);
  }

  private arm(kind: ProbeKind, delayMs: number, history: ProbeHistory): void {
    if (this.stopped) return;
    this.timers.set(
      kind,
      this.options.clock.setTimer(delayMs, () => void this.probe(kind, history)),
    );
  }

  private async probe(kind: ProbeKind, history: ProbeHistory): Promise<void> {
    const timings = probeTimings(probeOf(this.options.container, kind)!);
    const startedMs = this.options.clock.monotonicMs();
    const outcome = await this.options.check(kind, timings.timeoutMs);
    if (this.stopped) return;
    const next = withResult(history, outcome.passed, timings);
    if (!outcome.passed) this.options.onFailure(kind, outcome);
    if (next.settled !== undefined && next.settled !== history.settled) this.options.onChange(kind, next.settled);
    if (this.stopped) return;
    if (kind === 'startup' && next.settled === true) {
      this.beginOthers();
      return;
    }
    const elapsedMs = this.options.clock.monotonicMs() - startedMs;
    this.arm(kind, Math.max(0, timings.periodMs - elapsedMs), next);
  }
}
