/**
 * How long a connection waits before it takes what the scoreboard suspects for lost. A path that never swapped segments is
 * not waited for; one that did gets a part of its round trip, more after each recovery that turned out to be for nothing
 * (the reordering window of RFC 8985 section 6.2, here without a time for each segment).
 */

/** Of the least round trip, for each recovery that was for nothing. */
const WINDOW_STEP = 0.25;
const MAX_STEPS = 20;
/** Recoveries in order before a step is taken back. */
const PERSISTENCE = 16;

export class ReorderingWindow {
  private steps = 0;
  private recoveriesInOrder = 0;

  /** 0 while segments come in order. */
  delayUs(minRttUs: number, smoothedRttUs: number): number {
    if (this.steps === 0) return 0;
    return Math.min(this.steps * WINDOW_STEP * minRttUs, smoothedRttUs);
  }

  /** A hole was filled by what was first sent: the path swaps segments. */
  swapped(): void {
    if (this.steps === 0) this.steps = 1;
  }

  /** A recovery was for nothing: the window was too short. */
  spurious(): void {
    this.steps = Math.min(this.steps + 1, MAX_STEPS);
    this.recoveriesInOrder = 0;
  }

  /** A recovery found real loss. */
  genuine(): void {
    if (this.steps === 0 || ++this.recoveriesInOrder < PERSISTENCE) return;
    this.steps--;
    this.recoveriesInOrder = 0;
  }
}
