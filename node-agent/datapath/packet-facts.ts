/** What rules ask of a packet, read from it once for a whole table. One object is reused for every packet. */
import type { NetDevice } from '../../shared/netstack/device.ts';
import * as ip from '../../shared/wire/ip.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import * as ipv6 from '../../shared/wire/ipv6.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import { flowOf } from './conntrack.ts';
import type { Flow } from './flow.ts';
import { isDiscovery } from './tuple.ts';

export class PacketFacts {
  packet!: Packet;
  /** Of the packet's memory. */
  view!: DataView;
  flow: Flow | null = null;
  /** Without a flow because nobody tracks its kind. */
  untracked = false;
  /** Signed, like all addresses that are compared under a mask. */
  source = 0;
  destination = 0;
  protocol = 0;
  /** -1 for a packet without ports. */
  sourcePort = -1;
  destinationPort = -1;
  /** Of the IP packet. */
  bytes = 0;
  inDevice: NetDevice | null = null;
  outDevice: NetDevice | null = null;
  /** Bridge ports of a frame that is, or was, bridged. */
  physIn: NetDevice | null = null;
  physOut: NetDevice | null = null;

  read(view: DataView, packet: Packet, inDevice: NetDevice | null, outDevice: NetDevice | null): void {
    const { networkOffset, transportOffset } = packet;
    this.packet = packet;
    this.view = view;
    this.flow = flowOf(packet);
    this.untracked = this.flow === null && isDiscovery(view, packet);
    if (ip.isIpv6(view, networkOffset)) {
      this.source = ipv6.source(view, networkOffset) | 0;
      this.destination = ipv6.destination(view, networkOffset) | 0;
      this.protocol = ipv6.protocol(view, networkOffset);
      this.bytes = ipv6.totalLength(view, networkOffset);
    } else {
      this.source = ipv4.source(view, networkOffset) | 0;
      this.destination = ipv4.destination(view, networkOffset) | 0;
      this.protocol = ipv4.protocol(view, networkOffset);
      this.bytes = ipv4.totalLength(view, networkOffset);
    }
    this.inDevice = inDevice;
    this.outDevice = outDevice;
    const hasPorts = this.protocol === ipv4.PROTOCOL_TCP || this.protocol === ipv4.PROTOCOL_UDP;
    if (hasPorts && networkOffset + this.bytes >= transportOffset + 4) {
      this.sourcePort = view.getUint16(transportOffset);
      this.destinationPort = view.getUint16(transportOffset + 2);
    } else {
      this.sourcePort = -1;
      this.destinationPort = -1;
    }
  }
}
