import type { TcpConnection } from './connection.ts';
import { MAX_RTO_US } from './rto.ts';

/**
 * What an answer of the peer means for a window that is closed. The peer that answers lives, and may keep its window shut as long
 * as it wants (RFC 9293 section 3.8.6.1): only silence is counted.
 */
export class WindowProbes {
  private unanswered = 0;
  private tookBack = false;

  sent(): void {
    this.unanswered++;
  }

  /** An acknowledgement came; `usableBytes` is the window now, negative when it ends before what is in flight. */
  answered(usableBytes: number): void {
    this.unanswered = 0;
    this.tookBack = usableBytes < 0;
  }

  /** The peer is silent; or it answers and reads nothing, the program is gone, and the pauses are at their longest. */
  givesUp(connection: TcpConnection, pauseUs: number): boolean {
    return this.unanswered >= connection.retryLimit() || (connection.readerGone && pauseUs >= MAX_RTO_US);
  }

  /**
   * Whether the peer said, since this was asked last, that it takes nothing of what is in flight: that this goes unacknowledged
   * then says nothing of the path (RFC 1122 section 4.2.2.16). Once the program is gone, nobody waits for such a peer.
   */
  excuse(connection: TcpConnection): boolean {
    const { tookBack } = this;
    this.tookBack = false;
    return tookBack && !connection.readerGone;
  }
}
