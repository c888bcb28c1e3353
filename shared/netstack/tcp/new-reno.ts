import { type CongestionControl, initialWindowBytes, slowStartStepBytes } from './congestion.ts';

/** Slow start, congestion avoidance by bytes acknowledged, halving on loss: RFC 5681 and RFC 3465. */
export class NewReno implements CongestionControl {
  readonly name = 'reno';
  windowBytes: number;
  slowStartThresholdBytes = Number.POSITIVE_INFINITY;
  private mssBytes: number;
  private acknowledgedBytes = 0;
  private windowBefore = 0;
  private thresholdBefore = Number.POSITIVE_INFINITY;

  constructor(mssBytes: number) {
    this.mssBytes = mssBytes;
    this.windowBytes = initialWindowBytes(mssBytes);
  }

  acknowledged(bytes: number): void {
    if (this.windowBytes < this.slowStartThresholdBytes) {
      this.windowBytes += slowStartStepBytes(bytes, this.mssBytes);
      return;
    }
    this.acknowledgedBytes += bytes;
    if (this.acknowledgedBytes >= this.windowBytes) {
      this.acknowledgedBytes -= this.windowBytes;
      this.windowBytes += this.mssBytes;
    }
  }

  lost(inFlightBytes: number): void {
    this.windowBefore = this.windowBytes;
    this.thresholdBefore = this.slowStartThresholdBytes;
    this.slowStartThresholdBytes = this.half(inFlightBytes);
    this.windowBytes = this.slowStartThresholdBytes;
    this.acknowledgedBytes = 0;
  }

  undoLoss(): void {
    this.windowBytes = Math.max(this.windowBytes, this.windowBefore);
    this.slowStartThresholdBytes = this.thresholdBefore;
  }

  recovered(inFlightBytes: number): void {
    this.windowBytes = Math.min(this.slowStartThresholdBytes, Math.max(inFlightBytes, this.mssBytes) + this.mssBytes);
  }

  timedOut(inFlightBytes: number, first: boolean): void {
    if (first) this.slowStartThresholdBytes = this.half(inFlightBytes);
    this.windowBytes = this.mssBytes;
    this.acknowledgedBytes = 0;
  }

  idle(): void {
    this.windowBytes = Math.min(this.windowBytes, initialWindowBytes(this.mssBytes));
  }

  mssChanged(mssBytes: number): void {
    this.windowBytes = Math.max(mssBytes, Math.floor((this.windowBytes / this.mssBytes) * mssBytes));
    this.mssBytes = mssBytes;
  }

  private half(inFlightBytes: number): number {
    return Math.max(inFlightBytes >>> 1, 2 * this.mssBytes);
  }
}
