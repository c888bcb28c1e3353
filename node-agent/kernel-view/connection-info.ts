/** What `ss -i` prints of a connection, in its words and order (iproute2). */
import type { TcpConnection } from '../../shared/netstack/tcp/connection.ts';
import { fixedHeaderBytes } from '../../shared/wire/ip.ts';
import { HEADER_BYTES } from '../../shared/wire/tcp.ts';

export function connectionInfo(connection: TcpConnection): string {
  const { sender, receiver, counters } = connection;
  const { rto, congestion, mssBytes } = sender;
  const words = [
    connection.timestampsEnabled ? 'ts' : '',
    connection.sackEnabled ? 'sack' : '',
    congestion.name,
    connection.windowScalingEnabled ? `wscale:${sender.window.shift},${receiver.windowShift}` : '',
    `rto:${decimal(rto.currentUs)}`,
    rto.expirations > 0 ? `backoff:${rto.expirations}` : '',
    rto.smoothedRttUs > 0 ? `rtt:${decimal(rto.smoothedRttUs)}/${decimal(rto.rttVariationUs)}` : '',
    `mss:${mssBytes}`,
    `pmtu:${connection.path.mssBytes() + fixedHeaderBytes(connection.remoteAddress) + HEADER_BYTES}`,
    `cwnd:${Math.floor(congestion.windowBytes / mssBytes)}`,
    threshold(congestion.slowStartThresholdBytes, mssBytes),
    `bytes_sent:${counters.bytesSent}`,
    `bytes_received:${counters.bytesReceived}`,
    `segs_out:${counters.segmentsSent}`,
    `segs_in:${counters.segmentsReceived}`,
    sender.inFlightBytes > 0 ? `unacked:${Math.ceil(sender.inFlightBytes / mssBytes)}` : '',
    counters.retransmits > 0 ? `retrans:0/${counters.retransmits}` : '',
    Number.isFinite(rto.minRttUs) ? `minrtt:${decimal(rto.minRttUs)}` : '',
  ];
  return words.filter((word) => word !== '').join(' ');
}

function threshold(bytes: number, mssBytes: number): string {
  return Number.isFinite(bytes) ? `ssthresh:${Math.floor(bytes / mssBytes)}` : '';
}

/** Milliseconds as printf's %g has them: six digits at most. */
function decimal(us: number): string {
  return String(Number((us / 1000).toPrecision(6)));
}
