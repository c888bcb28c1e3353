/** What ping counts: requests, answers, and the times between them. */

export class RoundTrips {
  transmitted = 0;
  received = 0;
  errors = 0;
  leastMs = Number.POSITIVE_INFINITY;
  mostMs = 0;
  /** Exponentially weighted mean, by an eighth. */
  smoothedMs = 0;
  /** The most requests that were under way at once. */
  pipe = 0;
  private sumMs = 0;
  private sumOfSquares = 0;
  private firstRequestMs = 0;
  private lastEventMs = 0;
  private readonly firstSequence: number;

  constructor(firstSequence: number) {
    this.firstSequence = firstSequence;
  }

  sent(nowMs: number): void {
    if (this.transmitted === 0) this.firstRequestMs = nowMs;
    this.transmitted += 1;
    this.lastEventMs = nowMs;
  }

  replied(sequence: number, rttMs: number): void {
    this.received += 1;
    this.sumMs += rttMs;
    this.sumOfSquares += rttMs * rttMs;
    this.leastMs = Math.min(this.leastMs, rttMs);
    this.mostMs = Math.max(this.mostMs, rttMs);
    this.smoothedMs = this.received === 1 ? rttMs : this.smoothedMs + (rttMs - this.smoothedMs) / 8;
    this.acknowledge(sequence);
  }

  failed(sequence: number): void {
    this.errors += 1;
    this.acknowledge(sequence);
  }

  get meanMs(): number {
    return this.received === 0 ? 0 : this.sumMs / this.received;
  }

  get deviationMs(): number {
    if (this.received === 0) return 0;
    return Math.sqrt(Math.max(0, this.sumOfSquares / this.received - this.meanMs ** 2));
  }

  /** From the first request to what happened last. */
  get elapsedMs(): number {
    return this.lastEventMs - this.firstRequestMs;
  }

  get lossPercent(): number {
    return this.transmitted === 0 ? 0 : ((this.transmitted - this.received) * 100) / this.transmitted;
  }

  private acknowledge(sequence: number): void {
    this.lastEventMs = performance.now();
    const newest = (this.firstSequence + this.transmitted - 1) & 0xffff;
    const underWay = ((newest - sequence) & 0xffff) + 1;
    if (underWay <= 0x8000) this.pipe = Math.max(this.pipe, underWay);
  }
}
