/** `eth0`: the node's card on the network of the nodes. A group frame goes to every other node, as a switch would send it. */
import * as drop from '../../shared/netstack/drop-reasons.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import { TunnelDevice } from './tunnel-device.ts';
import { PLAIN_VNI } from './underlay.ts';

export class UnderlayDevice extends TunnelDevice {
  readonly kind = 'ethernet';
  readonly vni = PLAIN_VNI;

  protected transmitGroup(frame: Packet): void {
    for (const peer of this.peers()) {
      const copy = this.memory.clone(frame);
      if (copy === undefined) {
        this.drop(frame, drop.NO_PACKET_MEMORY);
        return;
      }
      this.sendTo(peer, copy);
    }
    this.memory.free(frame);
  }
}
