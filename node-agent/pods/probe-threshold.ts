/**
 * When a probe's results change a container's state: after `failureThreshold` failures or `successThreshold` successes
 * in a row; a pure function.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes
 */
import type { Container, Probe } from 'kubernetes-types/core/v1.d.ts';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';

export interface ProbeTimings {
  readonly initialDelayMs: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}

/** `settled` is what the container is held to be; undefined until the first threshold is reached. */
export interface ProbeHistory {
  readonly settled: boolean | undefined;
  readonly latest: boolean | undefined;
  readonly inARow: number;
}

export const NO_RESULTS: ProbeHistory = { settled: undefined, latest: undefined, inARow: 0 };

export function probeTimings(probe: Probe): ProbeTimings {
  return {
    initialDelayMs: (probe.initialDelaySeconds ?? 0) * 1000,
    periodMs: (probe.periodSeconds ?? 10) * 1000,
    timeoutMs: (probe.timeoutSeconds ?? 1) * 1000,
    successThreshold: probe.successThreshold ?? 1,
    failureThreshold: probe.failureThreshold ?? 3,
  };
}

export function withResult(history: ProbeHistory, passed: boolean, timings: ProbeTimings): ProbeHistory {
  const inARow = history.latest === passed ? history.inARow + 1 : 1;
  const threshold = passed ? timings.successThreshold : timings.failureThreshold;
  return { settled: inARow >= threshold ? passed : history.settled, latest: passed, inARow };
}

export function probeOf(container: Container, kind: ProbeKind): Probe | undefined {
  if (kind === 'startup') return container.startupProbe;
  return kind === 'liveness' ? container.livenessProbe : container.readinessProbe;
}
