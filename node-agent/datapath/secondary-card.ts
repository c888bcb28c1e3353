/**
 * `eth1` and so on: a further card of the node on the network of the nodes, as clouds attach them. It shares the link of `eth0`,
 * which knows the other nodes; what comes for its MAC, or asks for one of its addresses, is handed to it by eth0.
 */
import type { Packet } from '../../shared/wire/packet-memory.ts';
import { TunnelDevice, type TunnelOptions } from './tunnel-device.ts';
import { PLAIN_VNI } from './underlay.ts';
import type { CardBeside, UnderlayDevice } from './underlay-device.ts';

export class SecondaryCard extends TunnelDevice implements CardBeside {
  readonly kind = 'ethernet';
  readonly vni = PLAIN_VNI;
  readonly owns: (address: number) => boolean;
  private readonly eth0: UnderlayDevice;

  constructor(options: TunnelOptions, eth0: UnderlayDevice, owns: (address: number) => boolean) {
    super(options);
    this.eth0 = eth0;
    this.owns = owns;
  }

  arriveFrom(frame: Packet, from: string): void {
    this.arrive(frame, from);
  }

  protected transmitGroup(frame: Packet): void {
    for (const peer of this.eth0.everyPeer()) {
      const copy = this.copyOf(frame);
      if (copy === undefined) break;
      this.sendTo(peer, copy);
    }
    if (!this.eth0.sendOutside(this, frame)) this.memory.free(frame);
  }

  /** It has no FDB of its own. */
  protected override transmitUnknown(frame: Packet, destination: number): void {
    if (this.eth0.sendOutside(this, frame)) return;
    const peer = this.eth0.peerOf(destination);
    if (peer === undefined) super.transmitUnknown(frame, destination);
    else this.sendTo(peer, frame);
  }
}
