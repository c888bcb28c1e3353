/**
 * A bottleneck: packets leave one after the other at a rate, and wait before it in a queue with a bound and tail drop.
 * Their times of departure are known when they arrive, so the queue is those times.
 */
import type { Impairment } from '../../../shared/rules/impairment.ts';

interface Departure {
  readonly startUs: number;
  readonly bytes: number;
}

export class RateLimit {
  private busyUntilUs = 0;
  /** Of packets that have not begun to leave, oldest first from `head`. */
  private waiting: Departure[] = [];
  private head = 0;
  private waitingBytes = 0;

  /** When the last bit of a packet that arrives now has left; undefined when the queue is full. */
  departureUs(nowUs: number, bytes: number, impairment: Impairment): number | undefined {
    const { rateBitsPerSecond, limitPackets, limitBytes } = impairment;
    if (rateBitsPerSecond === 0) return nowUs;
    this.forgetStarted(nowUs);
    const startUs = Math.max(nowUs, this.busyUntilUs);
    if (startUs > nowUs) {
      if (this.waiting.length - this.head >= limitPackets) return undefined;
      if (limitBytes > 0 && this.waitingBytes + bytes > limitBytes) return undefined;
      this.waiting.push({ startUs, bytes });
      this.waitingBytes += bytes;
    }
    this.busyUntilUs = startUs + (bytes * 8e6) / rateBitsPerSecond;
    return this.busyUntilUs;
  }

  private forgetStarted(nowUs: number): void {
    for (let next = this.waiting[this.head]; next !== undefined && next.startUs <= nowUs; ) {
      this.waitingBytes -= next.bytes;
      next = this.waiting[++this.head];
    }
    if (this.head * 2 <= this.waiting.length) return;
    this.waiting = this.waiting.slice(this.head);
    this.head = 0;
  }
}
