/** How long conntrack keeps a silent connection: `net.netfilter.nf_conntrack_*_timeout*`, in seconds, with Linux' values. */
import type { TcpState } from './tcp-track.ts';

export interface ConntrackTimeouts {
  readonly tcp: Readonly<Record<TcpState, number>>;
  readonly udp: number;
  /** A UDP flow that was answered and went on for two seconds. */
  readonly udpStream: number;
  readonly icmp: number;
  readonly generic: number;
}

/** As on a node: kube-proxy sets the established time-out to a day and CLOSE_WAIT to an hour. */
export const NODE_TIMEOUTS: ConntrackTimeouts = {
  tcp: {
    NONE: 120,
    SYN_SENT: 120,
    SYN_RECV: 60,
    ESTABLISHED: 86_400,
    FIN_WAIT: 120,
    CLOSE_WAIT: 3600,
    LAST_ACK: 30,
    TIME_WAIT: 120,
    CLOSE: 10,
    SYN_SENT2: 120,
  },
  udp: 30,
  udpStream: 120,
  icmp: 30,
  generic: 600,
};
