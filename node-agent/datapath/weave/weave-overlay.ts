/**
 * `vxlan-6784`: weave's way between the nodes in the kernel (its "fast datapath"). A datagram's network identifier is made of the
 * short identifiers of the peers it goes between; the last byte of its header counts the peers on the way.
 *
 *   weave-switch --mark: hops, source, destination--> [faults] --VNI source * 4096 + destination--> the next peer's node
 *
 * While the frame is in the device its mark holds both, as the kernel's tunnel metadata does.
 */
import * as drop from '../../../shared/netstack/drop-reasons.ts';
import type { DropReason } from '../../../shared/netstack/hooks.ts';
import type { Packet } from '../../../shared/wire/packet-memory.ts';
import * as vxlan from '../../../shared/wire/vxlan.ts';
import { TunnelDevice, type TunnelOptions } from '../tunnel-device.ts';
import type { Peer } from '../underlay.ts';
import type { EspTransport } from './esp-transport.ts';
import { destinationOf, hopsOf, type PeerIndex, SPECIAL_HOPS } from './peer-index.ts';
import { NO_ROUTE_TO_PEER, NOT_ENCRYPTED, UNKNOWN_WEAVE_PEER } from './weave-drops.ts';

export interface WeaveOverlayOptions extends TunnelOptions {
  readonly esp: EspTransport;
  readonly peers: PeerIndex;
  /** Nothing goes in the clear, and what comes so is dropped. */
  readonly isEncrypted: boolean;
}

export class WeaveOverlay extends TunnelDevice {
  readonly kind = 'vxlan';
  /** It has none of its own. */
  readonly vni = 0;
  private readonly esp: EspTransport;
  private readonly peerIndex: PeerIndex;
  private readonly isEncrypted: boolean;

  constructor(options: WeaveOverlayOptions) {
    super(options);
    this.esp = options.esp;
    this.peerIndex = options.peers;
    this.isEncrypted = options.isEncrypted;
    this.underlay.addOtherEnd(this);
    this.esp.onFrame = (peer, frame) => this.take(peer.underlay, frame);
  }

  /** In the clear. */
  override receiveFrom(peer: Peer, frame: Packet): void {
    if (this.isEncrypted) this.lose(frame, NOT_ENCRYPTED);
    else this.take(peer, frame);
  }

  /** The VXLAN header is still before the frame. */
  private take(peer: Peer, frame: Packet): void {
    const header = frame.offset - vxlan.HEADER_BYTES;
    const { view } = this.memory;
    const key = this.peerIndex.keyOf(peer, vxlan.vni(view, header), vxlan.lastByte(view, header));
    if (key === undefined) {
      this.lose(frame, UNKNOWN_WEAVE_PEER);
      return;
    }
    frame.mark = key;
    this.arrive(frame, peer.nodeName);
  }

  protected override forward(frame: Packet): void {
    const key = frame.mark >>> 0;
    const hops = hopsOf(key);
    const destination = this.peerIndex.numbered(destinationOf(key));
    const next = hops === SPECIAL_HOPS ? destination : destination?.next;
    const session = next?.fastdp ?? null;
    if (next == null || (this.isEncrypted && session === null)) {
      this.drop(frame, NO_ROUTE_TO_PEER);
      return;
    }
    this.noteSent(frame, next.underlay.nodeName);
    this.tap?.frame(this, frame, true);
    const vni = this.peerIndex.vniOf(key);
    if (session === null) this.underlay.send(next.underlay, vni, frame, hops);
    else if (!this.esp.send(next, session, vni, frame, hops)) this.counters.txDropped++;
  }

  /** The switch decides who gets a frame. */
  protected transmitGroup(frame: Packet): void {
    this.drop(frame, drop.FRAME_MALFORMED);
  }

  private lose(frame: Packet, reason: DropReason): void {
    this.counters.rxDropped++;
    this.drops.dropped(frame, reason, this.name);
    this.memory.free(frame);
  }
}
