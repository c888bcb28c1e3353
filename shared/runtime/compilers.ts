/**
 * V8's compilers, from the moment a process has work for them. Loaded, they cost 9 to 13 MB of resident memory,
 * and the trickle of messages that an idle process reads is enough to bring them in within minutes. So processes start
 * on the interpreter (`COMPILERS_LATER`), and switch them on once they use more of a core than an idle process ever does, or
 * once they do what their users wait for, however seldom: a round trip that is measured once a second must be the
 * compiled path's too.
 */
import { setFlagsFromString } from 'node:v8';

/** For Node's command line. The checks let code that was made meanwhile move on to a compiler that comes later. */
export const COMPILERS_LATER: readonly string[] = [
  '--no-sparkplug',
  '--no-maglev',
  '--no-turbofan',
  '--force-emit-interrupt-budget-checks',
];

const LOOK_EVERY_MS = 250;
/** What a process may use for ever without being busy. */
const IDLE_SHARE = 0.08;
/** What it may use beyond that in a burst: cluster members come and go, a pod starts. */
const BURST_MS = 400;

/** A bucket that processor time fills, and that leaks at the idle share. Pure. */
export class BusyMeter {
  private levelMs = 0;

  /**
   * True once the bucket has run over. A look that comes late leaks no more than one in time: the process waited for a
   * processor then, and where many share one, each that has work uses less of it than an idle one may.
   */
  add(usedMs: number, elapsedMs: number): boolean {
    this.levelMs = Math.max(0, this.levelMs + usedMs - Math.min(elapsedMs, LOOK_EVERY_MS) * IDLE_SHARE);
    return this.levelMs > BURST_MS;
  }
}

/**
 * Watches this process until it is busy, or one of the conditions holds. A process that was started with its compilers loses
 * nothing by it.
 */
export function compileWhenBusy(conditions: readonly (() => boolean)[] = []): void {
  const meter = new BusyMeter();
  let cpu = process.cpuUsage();
  let lookedAtMs = performance.now();
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage(cpu);
    const nowMs = performance.now();
    const isBusy = meter.add((user + system) / 1000, nowMs - lookedAtMs);
    cpu = process.cpuUsage();
    lookedAtMs = nowMs;
    if (!isBusy && !conditions.some((holds) => holds())) return;
    clearInterval(timer);
    setFlagsFromString('--sparkplug');
    setFlagsFromString('--maglev');
    setFlagsFromString('--turbofan');
    // From now on the heap's growth costs less than its collection.
    setFlagsFromString('--no-optimize-for-size');
  }, LOOK_EVERY_MS);
  timer.unref();
}
