/**
 * V8's compilers, from the moment a process has work for them. Loaded, they cost 9 to 13 MB of resident memory,
 * and the trickle of messages that an idle process reads is enough to bring them in within minutes. So processes start
 * on the interpreter (`COMPILERS_LATER`), and switch them on once they use more of a core than an idle process ever does, or
 * once they do what their users wait for, however seldom: a round trip that is measured once a second must be the
 * compiled path's too.
 */
import { setFlagsFromString } from 'node:v8';

/**
 * For Node's command line. The checks let code that was made meanwhile move on to a compiler that comes later. Bytecode that was
 * not run between two collections is dropped: what a process did at its start, 1 to 2 MB of it.
 */
export const COMPILERS_LATER: readonly string[] = [
  '--no-sparkplug',
  '--no-maglev',
  '--no-turbofan',
  '--force-emit-interrupt-budget-checks',
  '--bytecode-old-age=1',
];
/** V8's own: who is busy collects often, and would compile the same functions again and again. */
const BUSY_BYTECODE_AGE = 6;

const LOOK_EVERY_MS = 250;
/** What a process may use for ever without being busy. */
const IDLE_SHARE = 0.08;
/** What it may use beyond that in a burst: cluster members come and go, a pod starts. */
const BURST_MS = 400;

/** A bucket that processor time fills, and that leaks at the idle share. Pure. */
export class BusyMeter {
  private levelMs = 0;

  /**
   * True once the bucket has run over. `idleMs` of the elapsed time the process waited for events. A look that is late for another
   * reason leaks no more than one in time: the process waited for a processor then, and where many share one, each that has
   * work uses less of it than an idle one may.
   */
  add(usedMs: number, elapsedMs: number, idleMs = 0): boolean {
    this.leak(idleMs);
    this.levelMs += usedMs;
    this.leak(Math.min(elapsedMs - idleMs, LOOK_EVERY_MS));
    return this.levelMs > BURST_MS;
  }

  private leak(forMs: number): void {
    this.levelMs = Math.max(0, this.levelMs - forMs * IDLE_SHARE);
  }
}

/**
 * Watches this process until it is busy, or one of the conditions holds. A process that was started with its compilers loses
 * nothing by it.
 *
 * With `growsWhenBusy` the heap, too, grows in large steps from then on.
 *
 * It looks as an immediate that keeps nothing awake: the event loop runs it when it turns for another reason. A timer would
 * wake every idle process of a cluster four times a second, which was a third of all that they did.
 */
export function compileWhenBusy(conditions: readonly (() => boolean)[] = [], growsWhenBusy = false): void {
  const meter = new BusyMeter();
  let cpu = process.cpuUsage();
  let loop = performance.eventLoopUtilization();
  let lookedAtMs = performance.now();

  const isBusy = (nowMs: number): boolean => {
    const { user, system } = process.cpuUsage(cpu);
    const { idle } = performance.eventLoopUtilization(loop);
    const busy = meter.add((user + system) / 1000, nowMs - lookedAtMs, idle);
    cpu = process.cpuUsage();
    loop = performance.eventLoopUtilization();
    lookedAtMs = nowMs;
    return busy;
  };
  const look = (): void => {
    const nowMs = performance.now();
    if (nowMs - lookedAtMs >= LOOK_EVERY_MS && (isBusy(nowMs) || conditions.some((holds) => holds())))
      switchOn(growsWhenBusy);
    else setImmediate(look).unref();
  };
  setImmediate(look).unref();
}

function switchOn(growsWhenBusy: boolean): void {
  setFlagsFromString('--sparkplug');
  setFlagsFromString('--maglev');
  setFlagsFromString('--turbofan');
  setFlagsFromString(`--bytecode-old-age=${BUSY_BYTECODE_AGE}`);
  if (growsWhenBusy) setFlagsFromString('--no-optimize-for-size');
}
