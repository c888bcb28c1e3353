/**
 * `eth0`: the node's card on the network of the nodes. A group frame goes to every other node and to what is beyond them, as
 * a switch would send it.
 */
import type { VethDevice } from '../../shared/netstack/veth.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import { TunnelDevice } from './tunnel-device.ts';
import { PLAIN_VNI } from './underlay.ts';

/** As traces name what is beyond the nodes. */
const OUTSIDE = 'outside';

export class UnderlayDevice extends TunnelDevice {
  readonly kind = 'ethernet';
  readonly vni = PLAIN_VNI;
  /** The cable to what is beyond the nodes; null where nothing is. */
  private uplink: VethDevice | null = null;
  private uplinkMac = 0;

  /** Plugs in one end of a cable; at its other end is whoever has this MAC. */
  plugUplink(end: VethDevice, macAddress: number): void {
    this.uplink = end;
    this.uplinkMac = macAddress;
    end.upcall = { input: (_, frame) => this.arrive(frame, OUTSIDE) };
  }

  protected transmitGroup(frame: Packet): void {
    for (const peer of this.peers()) {
      const copy = this.copyOf(frame);
      if (copy === undefined) break;
      this.sendTo(peer, copy);
    }
    if (this.uplink === null) this.memory.free(frame);
    else this.sendOutside(this.uplink, frame);
  }

  protected override transmitUnknown(frame: Packet, destination: number): void {
    if (this.uplink === null || destination !== this.uplinkMac) super.transmitUnknown(frame, destination);
    else this.sendOutside(this.uplink, frame);
  }

  private sendOutside(uplink: VethDevice, frame: Packet): void {
    this.counters.txPackets++;
    this.counters.txBytes += frame.length;
    this.observer?.frame('sent', this, frame, OUTSIDE);
    frame.connection = null;
    frame.mark = 0;
    uplink.transmit(frame);
  }
}
