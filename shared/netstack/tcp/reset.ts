/** Resets for segments that belong to no connection (RFC 9293 section 3.5.2), and for refused ones (REJECT with tcp-reset). */
import * as ipv4 from '../../wire/ipv4.ts';
import type { Packet } from '../../wire/packet-memory.ts';
import * as tcp from '../../wire/tcp.ts';
import type { Host } from '../host.ts';
import { DEFAULT_TTL, routeError, sendIpv4 } from '../ip-output.ts';

/**
 * Answers the segment at `transport` under the IP header at `network` with a reset; the caller goes on owning the packet.
 * A reset is never answered. The reset comes from the address the segment went to, whoever that is.
 */
export function sendResetFor(host: Host, packet: Packet, network: number, transport: number, dataBytes: number): void {
  const { memory } = host;
  const { view } = memory;
  const flags = tcp.flags(view, transport);
  if ((flags & tcp.RST) !== 0) return;
  const to = ipv4.source(view, network);
  const route = host.route(to);
  if (routeError(route) !== null) return;
  const reset = memory.allocate(tcp.HEADER_BYTES);
  if (reset === undefined) return;
  const acknowledges = (flags & tcp.ACK) !== 0;
  const consumed = dataBytes + ((flags & tcp.SYN) !== 0 ? 1 : 0) + ((flags & tcp.FIN) !== 0 ? 1 : 0);
  tcp.encode(
    view,
    reset.offset,
    tcp.destinationPort(view, transport),
    tcp.sourcePort(view, transport),
    acknowledges ? tcp.acknowledgement(view, transport) : 0,
    acknowledges ? 0 : (tcp.sequence(view, transport) + consumed) >>> 0,
    tcp.HEADER_BYTES,
    acknowledges ? tcp.RST : tcp.RST | tcp.ACK,
    0,
  );
  reset.mark = packet.mark;
  const from = ipv4.destination(view, network);
  sendIpv4(host, reset, route!, ipv4.PROTOCOL_TCP, from, to, DEFAULT_TTL, 0, false);
}
