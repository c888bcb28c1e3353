/** The retransmission time-out from measured round-trip times (RFC 6298), in microseconds. */

const INITIAL_RTO_US = 1_000_000;
/** For data, when the SYN had to go again and measured nothing (section 5.7). */
const FALLBACK_RTO_US = 3_000_000;
export const MAX_RTO_US = 120_000_000;
/** The clock is finer than this; RFC 6298's G. */
const GRANULARITY_US = 1000;

export class RetransmissionTimeout {
  /** 0 until the first measurement. */
  smoothedRttUs = 0;
  rttVariationUs = 0;
  minRttUs = Number.POSITIVE_INFINITY;
  private readonly minRtoUs: number;
  private baseUs = INITIAL_RTO_US;
  private backoff = 0;

  constructor(minRtoUs: number) {
    this.minRtoUs = minRtoUs;
  }

  /** The time-out as it stands, doubled for each one in a row. */
  get currentUs(): number {
    if (this.backoff === 0) return this.baseUs; // no power is raised for every segment
    return Math.min(this.baseUs * 2 ** this.backoff, MAX_RTO_US);
  }

  /** Time-outs in a row. */
  get expirations(): number {
    return this.backoff;
  }

  /** Section 2.2 and 2.3; of segments sent once only, or told apart by timestamps (section 3). */
  measured(rttUs: number): void {
    if (this.smoothedRttUs === 0) {
      this.smoothedRttUs = Math.max(rttUs, 1);
      this.rttVariationUs = rttUs / 2;
    } else {
      this.rttVariationUs = 0.75 * this.rttVariationUs + 0.25 * Math.abs(this.smoothedRttUs - rttUs);
      this.smoothedRttUs = Math.max(0.875 * this.smoothedRttUs + 0.125 * rttUs, 1);
    }
    if (rttUs < this.minRttUs) this.minRttUs = rttUs;
    const rto = this.smoothedRttUs + Math.max(GRANULARITY_US, 4 * this.rttVariationUs);
    this.baseUs = Math.min(Math.max(rto, this.minRtoUs), MAX_RTO_US);
  }

  /** Section 5.5. */
  expired(): void {
    this.backoff++;
  }

  /** The SYN that is acknowledged was sent more than once. */
  synTimedOut(): void {
    if (this.smoothedRttUs === 0) this.baseUs = FALLBACK_RTO_US;
  }

  /** New data was acknowledged, or is allowed again: the way works. */
  progressed(): void {
    this.backoff = 0;
  }
}
