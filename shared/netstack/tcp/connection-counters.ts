import type { TcpCounters } from './tcp.ts';

/** What a connection counted since it began; `ss -i` prints it. What its host counts of all connections is counted there too. */
export class ConnectionCounters {
  bytesSent = 0;
  bytesReceived = 0;
  segmentsSent = 0;
  segmentsReceived = 0;
  retransmits = 0;
  fastRetransmits = 0;
  /** Recoveries that turned out to be for nothing: segments came late, not never. */
  spuriousRecoveries = 0;
  timeouts = 0;
  private readonly total: TcpCounters;

  constructor(total: TcpCounters) {
    this.total = total;
  }

  sentAgain(): void {
    this.retransmits++;
    this.total.segmentsRetransmitted++;
  }

  /** Before the timer ran out. */
  lostEarly(): void {
    this.fastRetransmits++;
    this.total.fastRetransmits++;
  }

  timedOut(): void {
    this.timeouts++;
    this.total.timeouts++;
  }
}
