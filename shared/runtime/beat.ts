/**
 * Periodic work that is done together: each process does it at the wall clock's multiples of the period. What a renewed Lease wakes
 * (the server of the bus, an apiserver, a controller) it then wakes once for all nodes of a machine, and not for each by itself.
 */

/** A timer may be early by a rounding; what is so near is the beat that has just been. */
const SAME_BEAT_SHARE = 0.1;

/** How long to wait, from 0.1 to 1.1 periods. `nowMs` is the wall clock's time. */
export function untilNextBeatMs(nowMs: number, periodMs: number): number {
  const waitMs = periodMs - (nowMs % periodMs);
  return waitMs > periodMs * SAME_BEAT_SHARE ? waitMs : waitMs + periodMs;
}
