/** What a link of sockets counts. */
export interface LinkCounters {
  datagramsReceived: number;
  datagramsSent: number;
  /** The kernel refused it (EMSGSIZE, ENETUNREACH, EPERM, ...). */
  sendErrors: number;
  /** Dropped because too much waited already, or the peer was gone. */
  sendOverflows: number;
  /** From an endpoint that is no peer's. */
  foreignSenders: number;
  /** Packet memory had no room for it. */
  receiveDrops: number;
}

export function zeroLinkCounters(): LinkCounters {
  return {
    datagramsReceived: 0,
    datagramsSent: 0,
    sendErrors: 0,
    sendOverflows: 0,
    foreignSenders: 0,
    receiveDrops: 0,
  };
}
