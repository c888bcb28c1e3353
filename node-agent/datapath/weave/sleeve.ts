/**
 * weave's sleeve: frames that the peers carry themselves, in UDP datagrams of the node's own from port 6783 to port 6783. All that a
 * turn sends to a peer goes into as few datagrams as the path's MTU allows.
 *
 *   weave-switch --frame, frame, ...--> sealed together -> 192.168.1.10.6783 > 192.168.1.11.6783
 */
import * as drop from '../../../shared/netstack/drop-reasons.ts';
import type { DropReason } from '../../../shared/netstack/hooks.ts';
import type { Host } from '../../../shared/netstack/host.ts';
import { DEFAULT_TTL, routeError, type SendError, sendIp } from '../../../shared/netstack/ip-output.ts';
import { TurnEndCall } from '../../../shared/netstack/turn-end.ts';
import { completeChecksums } from '../../../shared/wire/complete-checksums.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import * as ip from '../../../shared/wire/ip.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import type { Packet } from '../../../shared/wire/packet-memory.ts';
import * as sleeve from '../../../shared/wire/sleeve.ts';
import * as udp from '../../../shared/wire/udp.ts';
import { fitFrame } from './fit-frame.ts';
import type { SecureSession } from './secure-session.ts';
import {
  NO_WEAVE_SESSION,
  TOO_MANY_HOPS,
  WEAVE_MALFORMED,
  WEAVE_NOT_AUTHENTIC,
  WEAVE_REPLAYED,
} from './weave-drops.ts';
import type { WeavePeer } from './weave-peer.ts';

/** What is before a pod's packet in a datagram of one frame, from the IP header on. */
export function sleeveOverheadBytes(isEncrypted: boolean): number {
  const outer = ipv4.HEADER_BYTES + udp.HEADER_BYTES + sleeve.overheadBytes(isEncrypted);
  return outer + sleeve.FRAME_HEADER_BYTES + ethernet.HEADER_BYTES;
}

const WHERE = 'sleeve';
/** What every way takes (RFC 791): one that takes less, as one without a route does, is none. */
const LEAST_MTU_BYTES = 68;

export interface SleeveOptions {
  readonly host: Host;
  /** InternalIP. */
  readonly local: number;
  /** This peer's. */
  readonly name: number;
  /** Takes ownership of a frame of pods. */
  readonly frame: (header: sleeve.FrameHeader, frame: Packet) => void;
  /** One peer's word to the other, in a frame of `mtuBytes` and an Ethernet header. */
  readonly special: (from: WeavePeer, mtuBytes: number) => void;
}

export class Sleeve {
  readonly counters = { sentDatagrams: 0, sentFrames: 0, receivedDatagrams: 0, receivedFrames: 0, lost: 0 };
  private readonly options: SleeveOptions;
  /** By name. */
  private readonly peers = new Map<number, WeavePeer>();
  /** Frames of this turn, each behind its header. */
  private readonly waiting = new Map<WeavePeer, Packet[]>();
  private readonly turnEnd: TurnEndCall;

  constructor(options: SleeveOptions) {
    const { host, local } = options;
    this.options = options;
    this.turnEnd = new TurnEndCall(host.engine, () => this.flush());
    host.udp.bind({ address: local, port: sleeve.PORT }).onPacket = (packet) => this.receive(packet);
  }

  add(peer: WeavePeer): void {
    this.peers.set(peer.name, peer);
  }

  remove(peer: WeavePeer): void {
    this.peers.delete(peer.name);
    for (const frame of this.waiting.get(peer) ?? []) this.lose(frame, NO_WEAVE_SESSION);
    this.waiting.delete(peer);
  }

  /** Of a pod's packet, as far as routes and "fragmentation needed" tell. */
  pathLimitBytes(peer: WeavePeer): number {
    const route = this.options.host.route(peer.address);
    if (routeError(route) !== null) return 0;
    const limit =
      this.options.host.pathMtu.towards(peer.address, route!.nextHop) - sleeveOverheadBytes(peer.sleeve !== null);
    return Math.min(limit, sleeve.MAX_FRAME_BYTES - ethernet.HEADER_BYTES);
  }

  /** Keeps a frame for the end of the turn. Takes ownership. */
  send(peer: WeavePeer, source: number, destination: number, hops: number, frame: Packet): void {
    const { host } = this.options;
    const { memory } = host;
    if (hops > sleeve.MAX_HOPS) {
      this.lose(frame, TOO_MANY_HOPS);
      return;
    }
    const most = Math.min(peer.sleeveMtuBytes, this.pathLimitBytes(peer));
    if (most < LEAST_MTU_BYTES) {
      this.lose(frame, drop.NO_ROUTE);
      return;
    }
    completeChecksums(memory, frame);
    if (frame.length > most + ethernet.HEADER_BYTES) {
      if (!fitFrame(host, frame, most, (fragment) => this.send(peer, source, destination, hops, fragment))) {
        this.counters.lost++;
      }
      return;
    }
    const { length } = frame;
    frame.prepend(sleeve.FRAME_HEADER_BYTES);
    sleeve.encodeFrameHeader(memory.view, frame.offset, { source, destination, hops, length });
    const frames = this.waiting.get(peer);
    if (frames === undefined) this.waiting.set(peer, [frame]);
    else frames.push(frame);
    this.turnEnd.request();
  }

  /** A word to the other peer in a packet of `mtuBytes`, which is not cut on its way. */
  probe(peer: WeavePeer, mtuBytes: number): SendError | null {
    const { host, name } = this.options;
    const { memory } = host;
    const length = ethernet.HEADER_BYTES + mtuBytes;
    const packet = this.datagram(peer, sleeve.FRAME_HEADER_BYTES + length);
    if (packet === undefined) return 'ENOBUFS';
    const at = packet.offset + sleeve.headerBytes(peer.sleeve !== null);
    memory.bytes.fill(0, at, at + sleeve.FRAME_HEADER_BYTES + length);
    const header = { source: name, destination: peer.name, hops: sleeve.SPECIAL, length };
    sleeve.encodeFrameHeader(memory.view, at, header);
    return this.transmit(peer, packet, false);
  }

  private flush(): void {
    for (const [peer, frames] of this.waiting) {
      for (let from = 0; from < frames.length; ) from = this.sendSome(peer, frames, from);
    }
    this.waiting.clear();
  }

  /** As many as fit from `from` on, at least one; answers where to go on. */
  private sendSome(peer: WeavePeer, frames: readonly Packet[], from: number): number {
    const most =
      Math.min(peer.sleeveMtuBytes, this.pathLimitBytes(peer)) + sleeve.FRAME_HEADER_BYTES + ethernet.HEADER_BYTES;
    let [end, bytes] = [from + 1, frames[from]!.length];
    while (end < frames.length && bytes + frames[end]!.length <= most) bytes += frames[end++]!.length;
    const { memory } = this.options.host;
    const packet = this.datagram(peer, bytes);
    let at = packet === undefined ? 0 : packet.offset + sleeve.headerBytes(peer.sleeve !== null);
    for (const frame of frames.slice(from, end)) {
      if (packet === undefined) {
        this.lose(frame, drop.NO_PACKET_MEMORY);
        continue;
      }
      memory.bytes.copyWithin(at, frame.offset, frame.offset + frame.length);
      at += frame.length;
      memory.free(frame);
    }
    this.counters.sentFrames += end - from;
    if (packet !== undefined) this.transmit(peer, packet, true);
    return end;
  }

  /** With room for so many bytes of frames. */
  private datagram(peer: WeavePeer, frameBytes: number): Packet | undefined {
    return this.options.host.memory.allocate(sleeve.overheadBytes(peer.sleeve !== null) + frameBytes);
  }

  /** The frames are in it. Takes ownership. */
  private transmit(peer: WeavePeer, packet: Packet, mayFragment: boolean): SendError | null {
    const { host, name, local } = this.options;
    const { view } = host.memory;
    sleeve.setSender(view, packet.offset, name);
    if (peer.sleeve !== null) this.seal(packet, peer.sleeve);
    packet.prepend(udp.HEADER_BYTES);
    udp.encode(view, packet.offset, sleeve.PORT, sleeve.PORT, packet.length);
    const route = host.route(peer.address);
    if (routeError(route) !== null) {
      this.lose(packet, drop.NO_ROUTE);
      return routeError(route);
    }
    this.counters.sentDatagrams++;
    const { nextHop } = route!;
    return sendIp(host, packet, nextHop, ipv4.PROTOCOL_UDP, local, peer.address, DEFAULT_TTL, 0, mayFragment);
  }

  private seal({ offset, length }: Packet, session: SecureSession): void {
    const { view, bytes } = this.options.host.memory;
    const counter = session.nextCounter();
    sleeve.setCounter(view, offset, counter);
    const head = sleeve.headerBytes(true);
    session.cipher.send.seal(counter, bytes, offset, head, offset + head, length - head - sleeve.TAG_BYTES);
  }

  /** From the stack, at the UDP header. Takes ownership. */
  private receive(packet: Packet): void {
    const { view } = this.options.host.memory;
    const from = ip.source(view, packet.networkOffset);
    packet.strip(udp.HEADER_BYTES);
    const peer = packet.length < sleeve.NAME_BYTES ? undefined : this.peers.get(sleeve.sender(view, packet.offset));
    if (peer === undefined || peer.address !== from) {
      this.lose(packet, NO_WEAVE_SESSION);
      return;
    }
    if (peer.sleeve !== null && !this.open(packet, peer.sleeve)) return;
    packet.strip(sleeve.headerBytes(peer.sleeve !== null));
    this.counters.receivedDatagrams++;
    this.takeFrames(peer, packet);
  }

  /** False when the packet was dropped. */
  private open(packet: Packet, session: SecureSession): boolean {
    const { view, bytes } = this.options.host.memory;
    const { offset, length } = packet;
    if (length < sleeve.overheadBytes(true)) return this.lose(packet, WEAVE_MALFORMED);
    const counter = sleeve.counter(view, offset);
    if (!session.window.isNew(counter)) {
      session.replayed++;
      return this.lose(packet, WEAVE_REPLAYED);
    }
    const head = sleeve.headerBytes(true);
    const sealed = length - head - sleeve.TAG_BYTES;
    if (!session.cipher.receive.open(counter, bytes, offset, head, offset + head, sealed)) {
      session.forged++;
      return this.lose(packet, WEAVE_NOT_AUTHENTIC);
    }
    session.window.note(counter);
    packet.length -= sleeve.TAG_BYTES;
    return true;
  }

  /** Each frame gets a packet of its own. */
  private takeFrames(peer: WeavePeer, packet: Packet): void {
    const { memory } = this.options.host;
    while (packet.length > 0) {
      const header = sleeve.frameHeader(memory.view, packet.offset, packet.length);
      if (header === undefined) {
        this.lose(packet, WEAVE_MALFORMED);
        return;
      }
      packet.strip(sleeve.FRAME_HEADER_BYTES);
      this.takeFrame(peer, header, packet);
      packet.strip(header.length);
    }
    memory.free(packet);
  }

  private takeFrame(peer: WeavePeer, header: sleeve.FrameHeader, { offset }: Packet): void {
    const { host, name, frame, special } = this.options;
    const { memory } = host;
    if (header.length < ethernet.HEADER_BYTES) return;
    if (header.hops === sleeve.SPECIAL) {
      if (header.source === peer.name && header.destination === name)
        special(peer, header.length - ethernet.HEADER_BYTES);
      return;
    }
    const copy = memory.allocate(header.length);
    if (copy === undefined) {
      this.counters.lost++;
      host.countDrop(drop.NO_PACKET_MEMORY);
      return;
    }
    memory.bytes.copyWithin(copy.offset, offset, offset + header.length);
    this.counters.receivedFrames++;
    frame(header, copy);
  }

  private lose(packet: Packet, reason: DropReason): false {
    this.counters.lost++;
    this.options.host.drop(packet, reason, WHERE);
    return false;
  }
}
