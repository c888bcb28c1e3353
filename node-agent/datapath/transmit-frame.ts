/** A frame that leaves the node's stack: what was known of its packet is the node's own business. */
import type { NetDevice } from '../../shared/netstack/device.ts';
import * as drop from '../../shared/netstack/drop-reasons.ts';
import type { Host } from '../../shared/netstack/host.ts';
import { cutSuperSegment } from '../../shared/netstack/super-segment.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';

/** Cuts a super-segment for a device that takes none: a TAP device, say. Takes ownership. */
export function transmitFrame(host: Host, frame: Packet, to: NetDevice): void {
  frame.connection = null;
  frame.mark = 0;
  if (frame.segmentBytes === 0 || to.superSegmentBytes > 0) to.transmit(frame);
  else cutAndTransmit(host, frame, to);
}

function cutAndTransmit(host: Host, frame: Packet, to: NetDevice): void {
  const network = frame.offset + ethernet.HEADER_BYTES;
  const lost = cutSuperSegment(host.segmentCutter, host.memory, frame, network, (segment) => to.transmit(segment));
  for (let i = 0; i < lost; i++) host.countDrop(drop.NO_PACKET_MEMORY);
}
