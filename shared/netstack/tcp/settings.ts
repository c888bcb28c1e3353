import type { CongestionControlName } from './congestion-controls.ts';

/** What a host's TCP is tuned by; the names of Linux' sysctls in brackets. */
export interface TcpSettings {
  /** Bytes of data and of holes a receiver keeps; what the window is opened by (tcp_rmem). */
  receiveBufferBytes: number;
  /** Bytes written and not yet acknowledged that a sender keeps (tcp_wmem). */
  sendBufferBytes: number;
  /** RFC 7323 (tcp_timestamps, tcp_window_scaling) and RFC 2018 (tcp_sack). */
  timestamps: boolean;
  windowScaling: boolean;
  sack: boolean;
  /** How long an acknowledgement may wait for data to go with (RFC 1122 allows 500 ms; Linux takes 40). */
  delayedAckUs: number;
  /** Least retransmission time-out. RFC 6298 says 1 s; Linux, whose delayed acknowledgements are short, 200 ms. */
  minRtoUs: number;
  /** Time-outs in a row before a connection is given up (tcp_retries2), and the same for a SYN and for a SYN-ACK. */
  retries: number;
  synRetries: number;
  synAckRetries: number;
  /** 2 MSL; Linux takes 60 s. */
  timeWaitUs: number;
  /** How long a closed socket waits in FIN-WAIT-2 for the peer (tcp_fin_timeout). */
  finWait2Us: number;
  /** tcp_keepalive_time, _intvl, _probes. */
  keepAliveIdleUs: number;
  keepAliveIntervalUs: number;
  keepAliveProbes: number;
  /** Of new connections (tcp_congestion_control). */
  congestionControl: CongestionControlName;
}

export function defaultTcpSettings(): TcpSettings {
  return {
    receiveBufferBytes: 1_048_576,
    sendBufferBytes: 1_048_576,
    timestamps: true,
    windowScaling: true,
    sack: true,
    delayedAckUs: 40_000,
    minRtoUs: 200_000,
    retries: 15,
    synRetries: 6,
    synAckRetries: 5,
    timeWaitUs: 60_000_000,
    finWait2Us: 60_000_000,
    keepAliveIdleUs: 7_200_000_000,
    keepAliveIntervalUs: 75_000_000,
    keepAliveProbes: 9,
    congestionControl: 'cubic',
  };
}
