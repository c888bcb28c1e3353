/** One hop of a path as mtr counts it. */

export class Hop {
  /** Who answered last; undefined while nobody did. */
  address: string | undefined;
  sent = 0;
  returned = 0;
  lastMs = 0;
  bestMs = 0;
  worstMs = 0;
  averageMs = 0;
  /** Of the last two, of the longest and of all; and RFC 1889's. */
  jitterMs = 0;
  worstJitterMs = 0;
  averageJitterMs = 0;
  interarrivalJitterMs = 0;
  private squaresMs2 = 0;
  private logarithms = 0;

  answered(address: string, rttMs: number): void {
    this.address = address;
    this.jitterMs = this.returned === 0 ? 0 : Math.abs(rttMs - this.lastMs);
    this.returned += 1;
    this.lastMs = rttMs;
    this.bestMs = this.returned === 1 ? rttMs : Math.min(this.bestMs, rttMs);
    this.worstMs = Math.max(this.worstMs, rttMs);
    const before = this.averageMs;
    this.averageMs += (rttMs - before) / this.returned;
    this.squaresMs2 += (rttMs - before) * (rttMs - this.averageMs);
    this.logarithms += Math.log(rttMs);
    this.worstJitterMs = Math.max(this.worstJitterMs, this.jitterMs);
    this.averageJitterMs += (this.jitterMs - this.averageJitterMs) / this.returned;
    this.interarrivalJitterMs += this.jitterMs - this.interarrivalJitterMs / 16;
  }

  get lossPercent(): number {
    return this.sent === 0 ? 0 : (100 * (this.sent - this.returned)) / this.sent;
  }

  get deviationMs(): number {
    return this.returned > 1 ? Math.sqrt(this.squaresMs2 / (this.returned - 1)) : 0;
  }

  get geometricMeanMs(): number {
    return this.returned === 0 ? 0 : Math.exp(this.logarithms / this.returned);
  }
}
