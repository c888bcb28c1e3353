/**
 * `eth0`: the node's card on the network of the nodes. A group frame goes to every other node and to what is beyond them, as
 * a switch would send it. A node may have more cards there (`secondary-card.ts`); what comes for those comes by here.
 */
import type { VethDevice } from '../../shared/netstack/veth.ts';
import * as arp from '../../shared/wire/arp.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import { firstMacOf } from './device-identity.ts';
import { TunnelDevice } from './tunnel-device.ts';
import { type Peer, PLAIN_VNI } from './underlay.ts';

/** As traces name what is beyond the nodes. */
const OUTSIDE = 'outside';

/** Another card of the same node. */
export interface CardBeside {
  readonly macAddress: number;
  /** Whether the network delivers an address to it. */
  owns(address: number): boolean;
  arriveFrom(frame: Packet, from: string): void;
}

/** What a card hands to the outside is seen on that card. */
export interface OutsideSender {
  noteSent(frame: Packet, to: string): void;
}

export class UnderlayDevice extends TunnelDevice {
  readonly kind = 'ethernet';
  readonly vni = PLAIN_VNI;
  /** The cable to what is beyond the nodes; null where nothing is. */
  private uplink: VethDevice | null = null;
  private uplinkMac = 0;
  private others: readonly CardBeside[] = [];

  /** Plugs in one end of a cable; at its other end is whoever has this MAC. */
  plugUplink(end: VethDevice, macAddress: number): void {
    this.uplink = end;
    this.uplinkMac = macAddress;
    end.upcall = { input: (_, frame) => this.distribute(frame, OUTSIDE) };
  }

  addCard(card: CardBeside): void {
    this.others = [...this.others, card];
  }

  removeCard(card: CardBeside): void {
    this.others = this.others.filter((other) => other !== card);
  }

  override receiveFrom(peer: Peer, frame: Packet): void {
    this.distribute(frame, peer.nodeName);
  }

  /** The node whose card has this MAC; undefined for the outside, and for nobody's. */
  peerOf(macAddress: number): Peer | undefined {
    const entries = this.fdbEntries();
    return entries.get(macAddress) ?? entries.get(firstMacOf(macAddress));
  }

  everyPeer(): Iterable<Peer> {
    return this.peers();
  }

  /** False, and nothing happens, where no such MAC is outside. A group frame is for all there. Takes ownership. */
  sendOutside(sender: OutsideSender, frame: Packet): boolean {
    const destination = ethernet.destination(this.memory.view, frame.offset);
    if (this.uplink === null || !(destination === this.uplinkMac || ethernet.isGroup(destination))) return false;
    sender.noteSent(frame, OUTSIDE);
    frame.connection = null;
    frame.mark = 0;
    this.uplink.transmit(frame);
    return true;
  }

  protected transmitGroup(frame: Packet): void {
    for (const peer of this.peers()) {
      const copy = this.copyOf(frame);
      if (copy === undefined) break;
      this.sendTo(peer, copy);
    }
    if (!this.sendOutside(this, frame)) this.memory.free(frame);
  }

  protected override transmitUnknown(frame: Packet, destination: number): void {
    if (this.sendOutside(this, frame)) return;
    const peer = this.peerOf(destination);
    if (peer === undefined) super.transmitUnknown(frame, destination);
    else this.sendTo(peer, frame);
  }

  /** To the card that it is for: by its MAC, or, where somebody asks for an address, as the network knows it. */
  private distribute(frame: Packet, from: string): void {
    const card = this.others.length === 0 ? undefined : this.cardFor(frame);
    if (card === undefined) this.arrive(frame, from);
    else card.arriveFrom(frame, from);
  }

  private cardFor(frame: Packet): CardBeside | undefined {
    const { view } = this.memory;
    const destination = ethernet.destination(view, frame.offset);
    if (!ethernet.isGroup(destination)) return this.others.find(({ macAddress }) => macAddress === destination);
    const network = frame.offset + ethernet.HEADER_BYTES;
    const asks =
      ethernet.type(view, frame.offset) === ethernet.TYPE_ARP &&
      arp.check(view, network, frame.length - ethernet.HEADER_BYTES);
    return asks ? this.others.find((card) => card.owns(arp.targetIp(view, network))) : undefined;
  }
}
