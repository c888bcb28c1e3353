/** How much a sender may have in flight. One object a connection; the sender tells it what happens, and reads `windowBytes`. */
export interface CongestionControl {
  /** As `ss -i` prints it: `reno`, `cubic`. */
  readonly name: string;
  /** cwnd. */
  readonly windowBytes: number;
  /** ssthresh; Infinity until the first loss. */
  readonly slowStartThresholdBytes: number;
  /** New data was acknowledged while the window was the limit; not called during fast recovery. */
  acknowledged(bytes: number, nowUs: number, smoothedRttUs: number): void;
  /** A loss was found by duplicate or selective acknowledgements: fast recovery begins. */
  lost(inFlightBytes: number, nowUs: number): void;
  /** The last `lost` was a mistake: the window is what it was before (RFC 4015). */
  undoLoss(): void;
  /** Everything outstanding when recovery began is acknowledged. */
  recovered(inFlightBytes: number): void;
  /** The retransmission timer fired; `first` is false for its repetitions on the same data. */
  timedOut(inFlightBytes: number, first: boolean, nowUs: number): void;
  /** Nothing was sent for longer than the retransmission time-out (RFC 5681 section 4.1). */
  idle(): void;
  /** The path's MSS changed. */
  mssChanged(mssBytes: number): void;
}

/** RFC 6928: ten segments, with care for large ones. */
export function initialWindowBytes(mssBytes: number): number {
  return Math.min(10 * mssBytes, Math.max(2 * mssBytes, 14_600));
}

/**
 * Slow start counts at most this many segments for one acknowledgement (RFC 3465's L): those of a super-segment, which one
 * acknowledgement answers. Linux counts all.
 */
const SLOW_START_LIMIT = 45;

/** What an acknowledgement of `bytes` adds to the window in slow start. */
export function slowStartStepBytes(bytes: number, mssBytes: number): number {
  return Math.min(bytes, SLOW_START_LIMIT * mssBytes);
}

/** A window that was not used up says nothing about how much more the path takes (RFC 7661). */
export function windowWasLimit(congestion: CongestionControl, flightBytes: number, mssBytes: number): boolean {
  const { windowBytes, slowStartThresholdBytes } = congestion;
  if (windowBytes < slowStartThresholdBytes) return 2 * flightBytes >= windowBytes;
  return flightBytes + 2 * mssBytes >= windowBytes;
}
