/** What a connection counted since it began; `ss -i` prints it. */
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
}
