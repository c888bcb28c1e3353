import type { Segment } from './segment.ts';
import * as seq from './seq.ts';

/**
 * Eifel detection (RFC 3522): the first acknowledgement after a retransmission echoes a timestamp. If that is of the time
 * before, the first copy arrived, and the recovery was for nothing.
 */
export class EifelDetection {
  /** Of the retransmission that began the recovery, until an acknowledgement has judged it. */
  private timestamp = 0;
  private pending = false;

  /** The recovery's first segment left with this timestamp. */
  begin(timestamp: number): void {
    this.timestamp = timestamp;
    this.pending = true;
  }

  cancel(): void {
    this.pending = false;
  }

  /** What an acknowledgement of new data says of the recovery; `unknown` when there is none to be judged. */
  judge(segment: Segment): 'unknown' | 'genuine' | 'spurious' {
    if (!this.pending) return 'unknown';
    this.pending = false;
    const { hasTimestamps, timestampEcho } = segment.options;
    return hasTimestamps && seq.before(timestampEcho, this.timestamp) ? 'spurious' : 'genuine';
  }
}
