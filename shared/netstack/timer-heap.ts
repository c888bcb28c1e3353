import type { TimerHandle } from './engine.ts';

/** Cancelled timers stay in the heap until they come up, or until they are this many and half of it. */
const COMPACT_ABOVE = 256;

class Timer implements TimerHandle {
  readonly deadlineUs: number;
  /** Earlier of two with one deadline runs first, so that a run is a function of its inputs. */
  readonly order: number;
  /** null once it ran or was cancelled. */
  run: (() => void) | null;
  private readonly heap: TimerHeap;

  constructor(heap: TimerHeap, deadlineUs: number, order: number, run: () => void) {
    this.heap = heap;
    this.deadlineUs = deadlineUs;
    this.order = order;
    this.run = run;
  }

  cancel(): void {
    if (this.run === null) return;
    this.run = null;
    this.heap.noteCancelled();
  }
}

/** A binary heap of timers: adding costs O(log n), cancelling nothing but a mark. */
export class TimerHeap {
  private timers: Timer[] = [];
  private cancelled = 0;
  private added = 0;

  /** Timers that will still run. */
  get pending(): number {
    return this.timers.length - this.cancelled;
  }

  add(deadlineUs: number, run: () => void): TimerHandle {
    const timer = new Timer(this, deadlineUs, this.added++, run);
    this.timers.push(timer);
    this.siftUp(this.timers.length - 1);
    return timer;
  }

  /** Runs what is due at `nowUs`, in order of deadline; also what becomes due meanwhile. */
  run(nowUs: number): void {
    for (;;) {
      const first = this.timers[0];
      if (first === undefined || first.deadlineUs > nowUs) return;
      this.removeFirst();
      const { run } = first;
      if (run === null) {
        this.cancelled--;
        continue;
      }
      first.run = null;
      run();
    }
  }

  nextDeadlineUs(): number {
    for (;;) {
      const first = this.timers[0];
      if (first === undefined) return Number.POSITIVE_INFINITY;
      if (first.run !== null) return first.deadlineUs;
      this.cancelled--;
      this.removeFirst();
    }
  }

  noteCancelled(): void {
    this.cancelled++;
    if (this.cancelled > COMPACT_ABOVE && this.cancelled * 2 > this.timers.length) this.compact();
  }

  private compact(): void {
    this.timers = this.timers.filter((timer) => timer.run !== null);
    this.cancelled = 0;
    for (let i = (this.timers.length >>> 1) - 1; i >= 0; i--) this.siftDown(i);
  }

  private removeFirst(): void {
    const last = this.timers.pop()!;
    if (this.timers.length === 0) return;
    this.timers[0] = last;
    this.siftDown(0);
  }

  private siftUp(start: number): void {
    const { timers } = this;
    const timer = timers[start]!;
    let at = start;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!before(timer, timers[parent]!)) break;
      timers[at] = timers[parent]!;
      at = parent;
    }
    timers[at] = timer;
  }

  private siftDown(start: number): void {
    const { timers } = this;
    const timer = timers[start]!;
    const size = timers.length;
    let at = start;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && before(timers[child + 1]!, timers[child]!)) child++;
      if (!before(timers[child]!, timer)) break;
      timers[at] = timers[child]!;
      at = child;
    }
    timers[at] = timer;
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.deadlineUs < b.deadlineUs || (a.deadlineUs === b.deadlineUs && a.order < b.order);
}
