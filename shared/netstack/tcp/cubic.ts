import { type CongestionControl, initialWindowBytes, slowStartStepBytes } from './congestion.ts';

/** C, in segments per second cubed (RFC 9438 section 4.1). */
const SCALE = 0.4;
/** What is left of the window after a loss (section 4.6). */
const BETA = 0.7;
/** Growth of the Reno-friendly estimate that makes up for the smaller reduction (section 4.3). */
const RENO_ALPHA = (3 * (1 - BETA)) / (1 + BETA);

/** What a loss changes, kept until it is known that it was one. */
interface Memory {
  windowBytes: number;
  slowStartThresholdBytes: number;
  maximumBytes: number;
  priorBytes: number;
  epochStartUs: number;
}

/** CUBIC (RFC 9438): between losses the window is a cubic function of time, flat near where the last loss was. */
export class Cubic implements CongestionControl {
  readonly name = 'cubic';
  windowBytes: number;
  slowStartThresholdBytes = Number.POSITIVE_INFINITY;
  private mssBytes: number;
  /** W_max. */
  private maximumBytes = 0;
  /** cwnd_prior: from there the estimate grows as Reno does. */
  private priorBytes = 0;
  /** W_est. */
  private renoBytes = 0;
  /** K. */
  private plateauSeconds = 0;
  /** When the current stage of congestion avoidance began; negative when it has not yet. */
  private epochStartUs = -1;
  private lastGrowthUs = 0;
  private before: Memory | null = null;

  constructor(mssBytes: number) {
    this.mssBytes = mssBytes;
    this.windowBytes = initialWindowBytes(mssBytes);
  }

  acknowledged(bytes: number, nowUs: number, smoothedRttUs: number): void {
    if (this.windowBytes < this.slowStartThresholdBytes) {
      this.windowBytes += slowStartStepBytes(bytes, this.mssBytes);
      return;
    }
    if (this.epochStartUs < 0) this.beginEpoch(nowUs);
    // Time in which the window was not the limit does not count (section 4.2).
    else this.epochStartUs += Math.max(nowUs - this.lastGrowthUs - smoothedRttUs, 0);
    this.lastGrowthUs = nowUs;
    this.grow(bytes, (nowUs - this.epochStartUs) / 1e6, smoothedRttUs / 1e6);
  }

  lost(inFlightBytes: number): void {
    const { windowBytes, slowStartThresholdBytes, maximumBytes, priorBytes, epochStartUs } = this;
    this.before = { windowBytes, slowStartThresholdBytes, maximumBytes, priorBytes, epochStartUs };
    this.reduce(inFlightBytes);
    this.windowBytes = this.slowStartThresholdBytes;
  }

  undoLoss(): void {
    if (this.before === null) return;
    this.windowBytes = Math.max(this.windowBytes, this.before.windowBytes);
    this.slowStartThresholdBytes = this.before.slowStartThresholdBytes;
    this.maximumBytes = this.before.maximumBytes;
    this.priorBytes = this.before.priorBytes;
    this.epochStartUs = this.before.epochStartUs;
    this.before = null;
  }

  recovered(inFlightBytes: number): void {
    this.windowBytes = Math.min(this.slowStartThresholdBytes, Math.max(inFlightBytes, this.mssBytes) + this.mssBytes);
  }

  timedOut(inFlightBytes: number, first: boolean): void {
    if (first) this.reduce(inFlightBytes);
    this.windowBytes = this.mssBytes;
    // The next stage begins on its plateau: K is 0 and W_max the window it begins with (section 4.8).
    this.maximumBytes = 0;
    this.epochStartUs = -1;
    this.before = null;
  }

  idle(): void {
    this.windowBytes = Math.min(this.windowBytes, initialWindowBytes(this.mssBytes));
    this.epochStartUs = -1;
  }

  mssChanged(mssBytes: number): void {
    this.windowBytes = Math.max(mssBytes, Math.floor((this.windowBytes / this.mssBytes) * mssBytes));
    this.mssBytes = mssBytes;
    this.epochStartUs = -1;
  }

  /** Sections 4.6 and 4.7: remembers where the loss was (lower, if the window shrinks: fast convergence) and backs off. */
  private reduce(inFlightBytes: number): void {
    const shrinks = this.windowBytes < this.maximumBytes;
    this.maximumBytes = shrinks ? (this.windowBytes * (1 + BETA)) / 2 : this.windowBytes;
    this.priorBytes = this.windowBytes;
    this.slowStartThresholdBytes = Math.max(Math.floor(inFlightBytes * BETA), 2 * this.mssBytes);
    this.epochStartUs = -1;
  }

  private beginEpoch(nowUs: number): void {
    this.epochStartUs = nowUs;
    this.maximumBytes = Math.max(this.maximumBytes, this.windowBytes);
    this.plateauSeconds = Math.cbrt((this.maximumBytes - this.windowBytes) / this.mssBytes / SCALE);
    this.renoBytes = this.windowBytes;
  }

  private grow(bytes: number, seconds: number, rttSeconds: number): void {
    const alpha = this.renoBytes >= this.priorBytes ? 1 : RENO_ALPHA;
    this.renoBytes += (alpha * this.mssBytes * bytes) / this.windowBytes;
    if (this.cubicBytes(seconds) < this.renoBytes) {
      this.windowBytes = Math.max(this.windowBytes, this.renoBytes);
      return;
    }
    const target = Math.min(Math.max(this.cubicBytes(seconds + rttSeconds), this.windowBytes), 1.5 * this.windowBytes);
    this.windowBytes += ((target - this.windowBytes) * bytes) / this.windowBytes;
  }

  /** W_cubic(t), section 4.2. */
  private cubicBytes(seconds: number): number {
    return SCALE * (seconds - this.plateauSeconds) ** 3 * this.mssBytes + this.maximumBytes;
  }
}
