import type { Engine } from './engine.ts';

/** Lets through `perSecond` on average and `burst` at once. */
export class TokenBucket {
  private readonly engine: Engine;
  private readonly perSecond: number;
  private readonly burst: number;
  private tokens: number;
  private filledUs: number;

  constructor(engine: Engine, perSecond: number, burst: number) {
    this.engine = engine;
    this.perSecond = perSecond;
    this.burst = burst;
    this.tokens = burst;
    this.filledUs = engine.nowUs;
  }

  /** Takes a token; false when there is none. */
  take(): boolean {
    const { nowUs } = this.engine;
    this.tokens = Math.min(this.burst, this.tokens + ((nowUs - this.filledUs) * this.perSecond) / 1_000_000);
    this.filledUs = nowUs;
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }
}
