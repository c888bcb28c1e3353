/**
 * The wait before a crashed container is started again, as the kubelet does it: none after the first exit, then 10 s
 * doubling to 5 min, counted from the moment the container ended; forgotten after ten quiet minutes.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
 */

export interface BackoffTimings {
  readonly initialMs: number;
  readonly maxMs: number;
}

export const KUBELET_BACKOFF: BackoffTimings = { initialMs: 10_000, maxMs: 300_000 };

/** What is remembered of one container (or one image) between attempts. */
export interface Backoff {
  readonly delayMs: number;
  readonly updatedAtMs: number;
}

export const NO_BACKOFF: Backoff = { delayMs: 0, updatedAtMs: 0 };

/** When the next attempt may be made after the one that ended at `endedAtMs`. */
export function nextAttemptAtMs(
  backoff: Backoff,
  endedAtMs: number,
  timings: BackoffTimings = KUBELET_BACKOFF,
): number {
  return isForgotten(backoff, endedAtMs, timings) ? endedAtMs : endedAtMs + backoff.delayMs;
}

/** The memory after an attempt that follows a failure at `endedAtMs`. */
export function afterAttempt(
  backoff: Backoff,
  endedAtMs: number,
  nowMs: number,
  timings: BackoffTimings = KUBELET_BACKOFF,
): Backoff {
  if (backoff.delayMs === 0 || isForgotten(backoff, endedAtMs, timings)) {
    return { delayMs: timings.initialMs, updatedAtMs: nowMs };
  }
  return { delayMs: Math.min(backoff.delayMs * 2, timings.maxMs), updatedAtMs: nowMs };
}

function isForgotten(backoff: Backoff, endedAtMs: number, timings: BackoffTimings): boolean {
  return endedAtMs - backoff.updatedAtMs > timings.maxMs * 2;
}

/** `10s`, `1m20s`, `5m0s`: a duration as Go prints it, which is how users know it from kubectl. */
export function goDuration(durationMs: number): string {
  const seconds = Math.round(durationMs / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
