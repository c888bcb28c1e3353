/**
 * Segments without data that no connection's sender makes: resets for segments nobody wants (RFC 9293 section 3.5.2), for
 * refused ones (REJECT with tcp-reset), and what TIME-WAIT answers.
 */
import * as ip from '../../wire/ip.ts';
import { PROTOCOL_TCP } from '../../wire/ipv4.ts';
import * as tcp from '../../wire/tcp.ts';
import type { Host } from '../host.ts';
import { DEFAULT_TTL, routeError, sendIp } from '../ip-output.ts';

export interface BareSegment {
  readonly localAddress: number;
  readonly localPort: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly window?: number;
  readonly timestamps?: { readonly value: number; readonly echo: number };
  readonly mark?: number;
}

/** Sends it if there is a way; nobody is told if not. */
export function sendBareSegment(host: Host, segment: BareSegment): void {
  const { memory } = host;
  const route = host.route(segment.remoteAddress);
  if (routeError(route) !== null) return;
  const header = tcp.HEADER_BYTES + (segment.timestamps === undefined ? 0 : tcp.TIMESTAMPS_BYTES);
  const packet = memory.allocate(header);
  if (packet === undefined) return;
  const { view } = memory;
  const { localAddress, localPort, remoteAddress, remotePort, sequence, acknowledgement, flags } = segment;
  const window = segment.window ?? 0;
  tcp.encode(view, packet.offset, localPort, remotePort, sequence, acknowledgement, header, flags, window);
  if (segment.timestamps !== undefined) {
    const { value, echo } = segment.timestamps;
    tcp.writeTimestamps(view, packet.offset + tcp.HEADER_BYTES, value, echo);
  }
  packet.mark = segment.mark ?? 0;
  sendIp(host, packet, route!.nextHop, PROTOCOL_TCP, localAddress, remoteAddress, DEFAULT_TTL, 0, false);
}

/**
 * Answers the segment of `length` bytes at `transport` under the IP header at `network` with a reset. A reset is never
 * answered. The reset comes from the address the segment went to, whoever that is.
 */
export function sendResetFor(host: Host, network: number, transport: number, length: number, mark: number): void {
  const { view } = host.memory;
  const flags = tcp.flags(view, transport);
  if ((flags & tcp.RST) !== 0) return;
  const ends = {
    localAddress: ip.destination(view, network),
    localPort: tcp.destinationPort(view, transport),
    remoteAddress: ip.source(view, network),
    remotePort: tcp.sourcePort(view, transport),
    mark,
  };
  if ((flags & tcp.ACK) !== 0) {
    const sequence = tcp.acknowledgement(view, transport);
    sendBareSegment(host, { ...ends, sequence, acknowledgement: 0, flags: tcp.RST });
    return;
  }
  const dataBytes = length - tcp.headerBytes(view, transport);
  const consumed = dataBytes + ((flags & tcp.SYN) !== 0 ? 1 : 0) + ((flags & tcp.FIN) !== 0 ? 1 : 0);
  const acknowledgement = (tcp.sequence(view, transport) + consumed) >>> 0;
  sendBareSegment(host, { ...ends, sequence: 0, acknowledgement, flags: tcp.RST | tcp.ACK });
}
