/** The time of captured packets: the monotonic clock that they are stamped with as nanoseconds since 1970. */
import { monotonicUs } from './event-loop.ts';

/** `performance.timeOrigin` is as precise as the system's clock; where it was set since, `Date.now()` is nearer. */
const MAX_DIFFERENCE_MS = 5;

/** A function from `monotonicUs()` to the wall clock as it stands now; the processes of one machine agree to microseconds. */
export function wallClockNs(): (monotonic: number) => bigint {
  const precise = performance.timeOrigin + performance.now();
  const nowMs = Math.abs(Date.now() - precise) > MAX_DIFFERENCE_MS ? Date.now() : precise;
  const originNs = BigInt(Math.round(nowMs * 1000)) * 1000n - BigInt(Math.round(monotonicUs() * 1000));
  return (monotonic) => originNs + BigInt(Math.round(monotonic * 1000));
}
