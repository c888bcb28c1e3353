/**
 * Datagrams that the kernel joined because they came together (UDP GRO), for a receiver that is not told their size: it
 * follows from the lengths in their own headers.
 *
 *   | VXLAN | Ethernet | IP: 1436 bytes | VXLAN | Ethernet | IP: 1436 bytes | VXLAN | Ethernet | IP: 200 bytes |
 */
import * as arp from '../../shared/wire/arp.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import * as ipv6 from '../../shared/wire/ipv6.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';

const LEAD_BYTES = vxlan.HEADER_BYTES + ethernet.HEADER_BYTES;
const VLAN_TAG_BYTES = 4;

/**
 * Size of each datagram but the last among `total` bytes at `start`; `total` when it is one datagram, or when the bytes do
 * not divide into well-formed ones of one size, as of a frame that was padded.
 */
export function batchedDatagramBytes(view: DataView, start: number, total: number): number {
  const size = datagramBytes(view, start, total);
  if (size === 0 || size >= total) return total;
  for (let done = size; done < total; done += size) {
    const left = total - done;
    if (datagramBytes(view, start + done, left) !== Math.min(size, left)) return total;
  }
  return size;
}

/** Of the datagram that begins at `start`; 0 when its headers do not say. */
function datagramBytes(view: DataView, start: number, left: number): number {
  if (left < LEAD_BYTES + ipv4.HEADER_BYTES || !vxlan.check(view, start, left)) return 0;
  let lead = LEAD_BYTES;
  let type = ethernet.type(view, start + vxlan.HEADER_BYTES);
  if (type === ethernet.TYPE_VLAN) {
    lead += VLAN_TAG_BYTES;
    type = ethernet.type(view, start + vxlan.HEADER_BYTES + VLAN_TAG_BYTES);
  }
  if (type === ethernet.TYPE_ARP) return lead + arp.PACKET_BYTES;
  if (type === ethernet.TYPE_IPV4) return lead + ipv4.totalLength(view, start + lead);
  if (type === ethernet.TYPE_IPV6 && left >= lead + ipv6.HEADER_BYTES) {
    return lead + ipv6.totalLength(view, start + lead);
  }
  return 0;
}
