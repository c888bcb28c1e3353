/**
 * The pods that wait for a node: active ones in order of priority and arrival; those that did not fit wait for a change in the
 * cluster, or a while at most, and then for a back-off that doubles with each attempt.
 */
import type { Clock, Timer } from '../../shared/runtime/clock.ts';

interface Waiting {
  readonly uid: string;
  readonly priority: number;
  readonly order: number;
  attempts: number;
  /** Not before. */
  readyAtMs: number;
  state: 'active' | 'backoff' | 'unschedulable';
}

export interface SchedulingQueueOptions {
  readonly clock: Clock;
  readonly firstBackoffMs?: number;
  readonly lastBackoffMs?: number;
  /** After this an unschedulable pod is tried again even when nothing seems to have changed. */
  readonly unschedulableLimitMs?: number;
  /** There is an active pod. */
  readonly onActive: () => void;
}

export class SchedulingQueue {
  private readonly options: SchedulingQueueOptions;
  private readonly waiting = new Map<string, Waiting>();
  private readonly active: Waiting[] = [];
  private timer: Timer | undefined;
  private nextOrder = 0;
  private isSorted = true;

  constructor(options: SchedulingQueueOptions) {
    this.options = options;
  }

  /** All pods that wait, in whatever state. */
  get size(): number {
    return this.waiting.size;
  }

  /** A new pod; one that waits already stays where it is. */
  add(uid: string, priority: number): void {
    if (this.waiting.has(uid)) return;
    const entry: Waiting = { uid, priority, order: this.nextOrder++, attempts: 0, readyAtMs: 0, state: 'active' };
    this.waiting.set(uid, entry);
    this.activate(entry);
  }

  remove(uid: string): void {
    const entry = this.waiting.get(uid);
    this.waiting.delete(uid);
    const index = entry === undefined ? -1 : this.active.indexOf(entry);
    if (index >= 0) this.active.splice(index, 1);
  }

  /** The next pod to schedule; it leaves the queue. */
  take(): { readonly uid: string; readonly attempts: number } | undefined {
    if (!this.isSorted) {
      this.active.sort((a, b) => b.priority - a.priority || a.order - b.order);
      this.isSorted = true;
    }
    const entry = this.active.shift();
    if (entry === undefined) return undefined;
    this.waiting.delete(entry.uid);
    return { uid: entry.uid, attempts: entry.attempts };
  }

  /** Comes back after a failed attempt (`attempts` of `take`): it did not fit, or its binding failed. */
  putBack(uid: string, priority: number, attempts: number, why: 'unschedulable' | 'error'): void {
    const { clock, firstBackoffMs = 1000, lastBackoffMs = 10_000, unschedulableLimitMs = 300_000 } = this.options;
    const backoffMs = Math.min(lastBackoffMs, firstBackoffMs * 2 ** attempts);
    const nowMs = clock.monotonicMs();
    const entry: Waiting = {
      uid,
      priority,
      order: this.nextOrder++,
      attempts: attempts + 1,
      readyAtMs: nowMs + backoffMs,
      state: why === 'error' ? 'backoff' : 'unschedulable',
    };
    if (why === 'unschedulable') clock.setTimer(unschedulableLimitMs, () => this.release(entry));
    this.waiting.set(uid, entry);
    this.arm();
  }

  /** Something changed that may make room: unschedulable pods are tried again once their back-off is over. */
  clusterChanged(): void {
    for (const entry of this.waiting.values()) if (entry.state === 'unschedulable') entry.state = 'backoff';
    this.promote();
  }

  stop(): void {
    this.timer?.cancel();
    this.waiting.clear();
    this.active.length = 0;
  }

  private release(entry: Waiting): void {
    if (this.waiting.get(entry.uid) !== entry || entry.state !== 'unschedulable') return;
    entry.state = 'backoff';
    this.promote();
  }

  private activate(entry: Waiting): void {
    entry.state = 'active';
    this.active.push(entry);
    this.isSorted = false;
    this.options.onActive();
  }

  private promote(): void {
    const nowMs = this.options.clock.monotonicMs();
    for (const entry of this.waiting.values()) {
      if (entry.state === 'backoff' && entry.readyAtMs <= nowMs) this.activate(entry);
    }
    this.arm();
  }

  private arm(): void {
    this.timer?.cancel();
    this.timer = undefined;
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const { state, readyAtMs } of this.waiting.values()) {
      if (state === 'backoff') earliestMs = Math.min(earliestMs, readyAtMs);
    }
    if (earliestMs === Number.POSITIVE_INFINITY) return;
    const { clock } = this.options;
    this.timer = clock.setTimer(Math.max(0, earliestMs - clock.monotonicMs()), () => this.promote());
  }
}
