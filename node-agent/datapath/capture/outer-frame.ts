/** The frame that carries an overlay's datagram on the network of the nodes: Ethernet, IPv4 and UDP before the VXLAN header. */
import { finish, pseudoHeaderSum, sumRangeScalar } from '../../../shared/wire/checksum.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import * as udp from '../../../shared/wire/udp.ts';
import * as vxlan from '../../../shared/wire/vxlan.ts';
import type { LentFrame } from './capture.ts';

export interface NodeEnd {
  readonly mac: number;
  readonly address: number;
}

export interface OuterEnds {
  readonly from: NodeEnd;
  readonly to: NodeEnd;
}

/** Before the VXLAN header. */
export const OUTER_BYTES = ethernet.HEADER_BYTES + ipv4.HEADER_BYTES + udp.HEADER_BYTES;
const OUTER_TTL = 64;

/** A copy; `length` bytes at `offset` begin with the VXLAN header. */
export function outerFrame(view: DataView, offset: number, length: number, { from, to }: OuterEnds): LentFrame {
  const bytes = new Uint8Array(OUTER_BYTES + length);
  bytes.set(new Uint8Array(view.buffer, view.byteOffset + offset, length), OUTER_BYTES);
  const frame = new DataView(bytes.buffer);
  const network = ethernet.HEADER_BYTES;
  const transport = network + ipv4.HEADER_BYTES;
  const udpLength = udp.HEADER_BYTES + length;
  ethernet.encode(frame, 0, to.mac, from.mac, ethernet.TYPE_IPV4);
  ipv4.encode(
    frame,
    network,
    ipv4.HEADER_BYTES + udpLength,
    0,
    true,
    OUTER_TTL,
    ipv4.PROTOCOL_UDP,
    from.address,
    to.address,
  );
  udp.encode(frame, transport, vxlan.sourcePort(innerFlowHash(frame)), vxlan.PORT, udpLength);
  const pseudo = pseudoHeaderSum(from.address, to.address, ipv4.PROTOCOL_UDP, udpLength);
  udp.setChecksum(frame, transport, finish(pseudo + sumRangeScalar(frame, transport, udpLength)));
  return { view: frame, offset: 0, length: bytes.length };
}

/** The same on both nodes, as it is made from the packet alone. */
function innerFlowHash(frame: DataView): number {
  const inner = OUTER_BYTES + vxlan.HEADER_BYTES + ethernet.HEADER_BYTES;
  if (!ipv4.check(frame, inner, frame.byteLength - inner)) return 0;
  let hash = Math.imul(ipv4.source(frame, inner) ^ ipv4.protocol(frame, inner), 0x9e37_79b1);
  hash = Math.imul(hash ^ ipv4.destination(frame, inner), 0x85eb_ca6b);
  const ports = inner + ipv4.headerBytes(frame, inner);
  if (!ipv4.isFragment(frame, inner) && ports + 4 <= frame.byteLength) hash ^= frame.getUint32(ports);
  return Math.imul(hash ^ (hash >>> 15), 0xc2b2_ae35) >>> 0;
}
