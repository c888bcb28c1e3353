/**
 * The state conntrack keeps of a TCP connection, from the flags it sees pass in each direction. Names and time-outs are
 * Linux' (nf_conntrack_tcp_timeout_*). A connection whose start was not seen is picked up in the middle
 * (nf_conntrack_tcp_loose); sequence windows are left to the two ends.
 */
import * as tcp from '../../shared/wire/tcp.ts';

export type TcpState =
  | 'NONE'
  | 'SYN_SENT'
  | 'SYN_RECV'
  | 'ESTABLISHED'
  | 'FIN_WAIT'
  | 'CLOSE_WAIT'
  | 'LAST_ACK'
  | 'TIME_WAIT'
  | 'CLOSE'
  | 'SYN_SENT2';

/** `reopen`: the old connection is over and this packet starts another between the same ports. */
export type TcpStep = TcpState | 'invalid' | 'reopen';

/** The state after a segment with `flags` in one direction of a connection in `state`. */
export function nextTcpState(state: TcpState, flags: number, isReply: boolean): TcpStep {
  if (flags & tcp.RST) return state === 'NONE' ? 'invalid' : 'CLOSE';
  if (flags & tcp.SYN) {
    if (flags & tcp.FIN) return 'invalid';
    return flags & tcp.ACK ? afterSynAck(state, isReply) : afterSyn(state, isReply);
  }
  if (flags & tcp.FIN) return afterFin(state);
  if (flags & tcp.ACK) return afterAck(state, isReply);
  return 'invalid';
}

function afterSyn(state: TcpState, isReply: boolean): TcpStep {
  switch (state) {
    case 'NONE':
      return 'SYN_SENT';
    case 'SYN_SENT':
      return isReply ? 'SYN_SENT2' : 'SYN_SENT';
    case 'TIME_WAIT':
    case 'CLOSE':
      return 'reopen';
    default:
      return state; // sent again; the other end answers as it sees fit
  }
}

function afterSynAck(state: TcpState, isReply: boolean): TcpStep {
  if (state === 'SYN_SENT' && isReply) return 'SYN_RECV';
  if (state === 'SYN_SENT2') return 'SYN_RECV';
  return state === 'NONE' || state === 'SYN_SENT' ? 'invalid' : state;
}

function afterFin(state: TcpState): TcpStep {
  switch (state) {
    case 'NONE':
    case 'SYN_SENT':
    case 'SYN_SENT2':
      return 'invalid';
    case 'SYN_RECV':
    case 'ESTABLISHED':
      return 'FIN_WAIT';
    case 'FIN_WAIT':
    case 'CLOSE_WAIT':
      return 'LAST_ACK';
    default:
      return state;
  }
}

function afterAck(state: TcpState, isReply: boolean): TcpStep {
  switch (state) {
    case 'NONE':
      return 'ESTABLISHED';
    case 'SYN_SENT':
    case 'SYN_SENT2':
      return 'invalid';
    case 'SYN_RECV':
      return isReply ? 'SYN_RECV' : 'ESTABLISHED';
    case 'FIN_WAIT':
      return 'CLOSE_WAIT';
    case 'LAST_ACK':
      return 'TIME_WAIT';
    default:
      return state;
  }
}
