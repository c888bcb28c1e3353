/**
 * `vxlan-6784`: weave's way between the nodes (its "fast datapath"), a switch that learns. A frame to a MAC that was seen goes to
 * the node it was seen from, any other to all; the network identifier of a datagram is made of both nodes' short identifiers.
 *
 *   bridge weave ~ vethwe-bridge ~ vethwe-datapath ~ vxlan-6784 --VNI source * 4096 + destination--> the other node's
 */
import * as ethernet from '../../shared/wire/ethernet.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import { Fdb } from './fdb.ts';
import { TunnelDevice, type TunnelOptions } from './tunnel-device.ts';
import type { Peer } from './underlay.ts';

/** A short identifier has 12 bits. */
const SHORT_IDS = 4096;

export class WeaveOverlay extends TunnelDevice {
  readonly kind = 'vxlan';
  /** It has none of its own. */
  readonly vni = 0;
  /** Behind which node a MAC was seen. */
  readonly learned = new Fdb<Peer>();
  private readonly shortId: number;
  private readonly nowUs: () => number;
  /** The other nodes, and the identifier of what goes to each. */
  private readonly others = new Map<Peer, number>();

  constructor(ownMac: number, nowUs: () => number, options: TunnelOptions) {
    super(options);
    this.shortId = ownMac % SHORT_IDS;
    this.nowUs = nowUs;
  }

  /** `mac` is what weave knows the node by. */
  addPeer(peer: Peer, mac: number): void {
    const theirs = mac % SHORT_IDS;
    this.others.set(peer, this.shortId * SHORT_IDS + theirs);
    this.underlay.addEnd(theirs * SHORT_IDS + this.shortId, this);
  }

  removePeer(peer: Peer): void {
    this.others.delete(peer);
    this.learned.removePort(peer);
  }

  override receiveFrom(peer: Peer, frame: Packet): void {
    this.learned.learn(ethernet.source(this.memory.view, frame.offset), peer, this.nowUs());
    super.receiveFrom(peer, frame);
  }

  protected override forward(frame: Packet): void {
    const { view } = this.memory;
    // Who sends from here is no longer anywhere else.
    this.learned.remove(ethernet.source(view, frame.offset));
    const peer = this.learned.lookup(ethernet.destination(view, frame.offset), this.nowUs())?.port ?? null;
    const vni = peer === null ? undefined : this.others.get(peer);
    if (peer === null || vni === undefined) this.transmitGroup(frame);
    else this.sendTo(peer, frame, vni);
  }

  /** To all other nodes, which know what is theirs. */
  protected transmitGroup(frame: Packet): void {
    for (const [peer, vni] of this.others) {
      const copy = this.copyOf(frame);
      if (copy === undefined) break;
      this.sendTo(peer, copy, vni);
    }
    this.memory.free(frame);
  }
}
