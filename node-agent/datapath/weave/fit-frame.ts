/**
 * A frame that is longer than the way to a peer takes: a packet that may be cut is, and the sender of one that may not be is told
 * (RFC 1191) by the node.
 */
import * as drop from '../../../shared/netstack/drop-reasons.ts';
import { transmitFragments } from '../../../shared/netstack/fragment.ts';
import type { Host } from '../../../shared/netstack/host.ts';
import { PACKET_TOO_BIG } from '../../../shared/netstack/icmp-error.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import type { Packet } from '../../../shared/wire/packet-memory.ts';

/** Hands on frames of at most `mtuBytes` and an Ethernet header. Takes ownership; false when nothing was handed on. */
export function fitFrame(host: Host, frame: Packet, mtuBytes: number, transmit: (frame: Packet) => void): boolean {
  const { view } = host.memory;
  const [destination, source] = [ethernet.destination(view, frame.offset), ethernet.source(view, frame.offset)];
  const isIpv4 = ethernet.type(view, frame.offset) === ethernet.TYPE_IPV4;
  frame.strip(ethernet.HEADER_BYTES);
  if (!isIpv4 || !ipv4.check(view, frame.offset, frame.length) || ipv4.dontFragment(view, frame.offset)) {
    if (isIpv4) host.icmp.sendError(frame, PACKET_TOO_BIG, mtuBytes);
    host.drop(frame, drop.FRAGMENTATION_NEEDED, 'sleeve');
    return false;
  }
  transmitFragments(host, frame, mtuBytes, (fragment) => {
    fragment.prepend(ethernet.HEADER_BYTES);
    ethernet.encode(view, fragment.offset, destination, source, ethernet.TYPE_IPV4);
    transmit(fragment);
  });
  return true;
}
