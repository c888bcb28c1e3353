/**
 * The captures of a node. While none runs, no device has a tap, and the packet path pays for one check against null:
 *
 *   device.tap ---------\
 *   underlay.tap --------> filter -> copy with all checksums right -> queue of the capture
 *   drops.tap ----------/
 *
 * `eth0` of a node shows the overlay too, with the outer headers that its datagrams have on the emulated network, as the
 * card of a real node would.
 */
import type { FrameTap, NetDevice } from '../../../shared/netstack/device.ts';
import type { DropObserver, DropReason } from '../../../shared/netstack/hooks.ts';
import type { Host } from '../../../shared/netstack/host.ts';
import { completeChecksums } from '../../../shared/wire/complete-checksums.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import type { Packet, PacketMemory } from '../../../shared/wire/packet-memory.ts';
import type { Conntrack } from '../conntrack.ts';
import type { DropLedger } from '../drop-ledger.ts';
import type { PeerTable } from '../peer-table.ts';
import type { OverlayTap, Peer, Underlay } from '../underlay.ts';
import { Capture, type CaptureOptions, type CapturePlace, type LentFrame } from './capture.ts';
import { connectionComment, dropComment } from './comment.ts';
import { droppedFrame } from './dropped-frame.ts';
import { type OuterEnds, outerFrame } from './outer-frame.ts';

export interface CaptureTapsOptions {
  readonly memory: PacketMemory;
  readonly conntrack: Conntrack;
  readonly drops: DropLedger;
  readonly underlay: Underlay;
  readonly root: Host;
  /** The card that the overlay's datagrams leave through. */
  readonly eth0: NetDevice;
  /** All of a namespace, bridge ports included. */
  readonly devicesOf: (host: Host) => readonly NetDevice[];
  readonly peers: PeerTable;
  /** Of this node. */
  readonly internalIp: number;
  readonly clockUs: () => number;
}

interface TappedDevice {
  readonly captures: Capture[];
  readonly place: CapturePlace;
}

/** Captures of one node at once. */
export const MAX_CAPTURES = 32;

export class CaptureTaps implements FrameTap, OverlayTap, DropObserver {
  private readonly options: CaptureTapsOptions;
  private readonly captures: Capture[] = [];
  private readonly tapped = new Map<NetDevice, TappedDevice>();

  constructor(options: CaptureTapsOptions) {
    this.options = options;
  }

  /** The time on the clock that frames are stamped with. */
  get nowUs(): number {
    return this.options.clockUs();
  }

  /** Captures that run now. */
  get running(): number {
    return this.captures.length;
  }

  /** Throws when MAX_CAPTURES run already. */
  start(options: CaptureOptions): Capture {
    if (this.captures.length >= MAX_CAPTURES) throw new Error(`${MAX_CAPTURES} captures run already: stop one first`);
    const capture = new Capture(options, this.options.clockUs, (stopped) => this.stop(stopped));
    this.captures.push(capture);
    this.attach();
    return capture;
  }

  /** To be called when devices came or went, so that running captures follow. */
  devicesChanged(): void {
    if (this.captures.length > 0) this.attach();
  }

  frame(device: NetDevice, frame: Packet, outbound: boolean): void {
    const tapped = this.tapped.get(device);
    if (tapped === undefined) return;
    const { view } = this.options.memory;
    const lent = { view, offset: frame.offset, length: frame.length };
    this.offer(tapped.captures, tapped.place, device, lent, outbound, frame);
  }

  datagram(peer: Peer, datagram: Packet, outbound: boolean): void {
    const tapped = this.tapped.get(this.options.eth0);
    const ends = this.outerEnds(peer, outbound);
    if (tapped === undefined || ends === undefined) return;
    const { view } = this.options.memory;
    const outer = outerFrame(view, datagram.offset, datagram.length, ends);
    this.offer(tapped.captures, tapped.place, this.options.eth0, outer, outbound, null);
  }

  dropped(packet: Packet, reason: DropReason, where: string): void {
    for (const capture of this.captures) {
      const { drops } = capture.options;
      if (drops === undefined) continue;
      const frame = droppedFrame(this.options.memory, packet);
      if (frame === null || !capture.passes(frame, false)) continue;
      const place = this.placeOfDrop(capture, frame, where);
      if (place === undefined) continue;
      capture.keep(place, null, frame, false, () => dropComment(reason, where, this.aboutConnection(frame)));
    }
  }

  private outerEnds({ nodeName }: Peer, outbound: boolean): OuterEnds | undefined {
    const { peers, eth0, internalIp } = this.options;
    const peer = peers.get(nodeName)?.options;
    if (peer === undefined) return undefined;
    const own = { mac: eth0.macAddress, address: internalIp };
    const other = { mac: peer.underlayMac, address: peer.internalIp };
    return outbound ? { from: own, to: other } : { from: other, to: own };
  }

  private offer(
    captures: readonly Capture[],
    place: CapturePlace,
    device: NetDevice,
    frame: LentFrame,
    outbound: boolean,
    packet: Packet | null,
  ): void {
    const { memory, root } = this.options;
    let completed: Packet | undefined;
    let whole = frame;
    for (const capture of captures) {
      if (!capture.passes(frame, outbound)) continue;
      // Copied and completed once, and only for who keeps it.
      if (completed === undefined && packet?.checksumTrusted && capture.hasRoomFor(frame)) {
        completed = this.completedCopy(packet);
        if (completed !== undefined) whole = { view: memory.view, offset: completed.offset, length: completed.length };
      }
      const accepted = outbound && place.host === root && packet !== null ? 'accepted' : '';
      capture.keep(place, device, whole, outbound, () => {
        const connection = this.aboutConnection(frame);
        return accepted !== '' && connection !== '' ? `${accepted}; ${connection}` : accepted + connection;
      });
    }
    if (completed !== undefined) memory.free(completed);
  }

  /** With the right transport checksum, which nobody in this process computed so far. */
  private completedCopy(frame: Packet): Packet | undefined {
    const { memory } = this.options;
    const copy = memory.clone(frame);
    if (copy !== undefined) completeChecksums(memory, copy);
    return copy;
  }

  private aboutConnection({ view, offset, length }: LentFrame): string {
    const network = offset + ethernet.HEADER_BYTES;
    if (!ethernet.check(view, offset, length) || ethernet.type(view, offset) !== ethernet.TYPE_IPV4) return '';
    if (!ipv4.check(view, network, length - ethernet.HEADER_BYTES)) return '';
    const flow = this.options.conntrack.peekEither(view, network, network + ipv4.headerBytes(view, network));
    return flow === null ? '' : connectionComment(flow);
  }

  /** Where a drop belongs in the eyes of one capture; undefined when it is none of its business. */
  private placeOfDrop({ options }: Capture, frame: LentFrame, where: string): CapturePlace | undefined {
    const { drops, places } = options;
    if (drops?.inPlaces) {
      const pod = places.find(({ host, name }) => host !== this.options.root && where.startsWith(`${name} `));
      const node = places.find(({ host }) => host === this.options.root);
      if (pod !== undefined) return pod;
      if (node !== undefined && !this.isOfPod(where)) return node;
    }
    const { view, offset } = frame;
    const network = offset + ethernet.HEADER_BYTES;
    if (ethernet.type(view, offset) !== ethernet.TYPE_IPV4 || !drops?.addresses.size) return undefined;
    const ends = [ipv4.source(view, network), ipv4.destination(view, network)];
    const { root } = this.options;
    return ends.some((address) => drops.addresses.has(address)) ? { host: root, name: root.name } : undefined;
  }

  /** `default/web-0 udp`: drops of the node's own stages and devices have no slash in their first word. */
  private isOfPod(where: string): boolean {
    return where.split(' ')[0]!.includes('/');
  }

  private stop(stopped: Capture): void {
    const index = this.captures.indexOf(stopped);
    if (index < 0) return;
    this.captures.splice(index, 1);
    this.attach();
  }

  /** Puts taps on the devices that are captured from now, and takes them from all others. */
  private attach(): void {
    for (const device of this.tapped.keys()) device.tap = null;
    this.tapped.clear();
    for (const capture of this.captures) {
      for (const place of capture.options.places) {
        for (const device of this.options.devicesOf(place.host))
          if (capture.wants(device)) this.tap(device, place, capture);
      }
    }
    this.options.underlay.tap = this.tapped.has(this.options.eth0) ? this : null;
    this.options.drops.tap = this.captures.some(({ options }) => options.drops !== undefined) ? this : null;
  }

  private tap(device: NetDevice, place: CapturePlace, capture: Capture): void {
    device.tap = this;
    const tapped = this.tapped.get(device);
    if (tapped === undefined) this.tapped.set(device, { captures: [capture], place });
    else tapped.captures.push(capture);
  }
}
