/**
 * The fast datapath's datagrams, encrypted: ESP in transport mode, as IPsec of the kernel does it for weave. The packets are the node's
 * own: they pass OUTPUT and are routed to eth0.
 *
 *   192.168.1.10 > 192.168.1.11: ESP( UDP 6784 | VXLAN | frame )
 */

import * as drop from '../../../shared/netstack/drop-reasons.ts';
import type { DropReason } from '../../../shared/netstack/hooks.ts';
import type { Host } from '../../../shared/netstack/host.ts';
import { DEFAULT_TTL, routeError, sendIp } from '../../../shared/netstack/ip-output.ts';
import { completeChecksums } from '../../../shared/wire/complete-checksums.ts';
import * as esp from '../../../shared/wire/esp.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import * as ip from '../../../shared/wire/ip.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import type { Packet } from '../../../shared/wire/packet-memory.ts';
import * as udp from '../../../shared/wire/udp.ts';
import * as vxlan from '../../../shared/wire/vxlan.ts';
import { forgetOuter } from '../node-tunnel-device.ts';
import type { SecureSession } from './secure-session.ts';
import { NO_WEAVE_SESSION, WEAVE_MALFORMED, WEAVE_NOT_AUTHENTIC, WEAVE_REPLAYED } from './weave-drops.ts';
import type { WeavePeer } from './weave-peer.ts';

export const FASTDP_PORT = 6784;
/** Before the frame, with room for the IP and Ethernet headers. */
const HEADROOM_BYTES =
  ethernet.HEADER_BYTES + ipv4.HEADER_BYTES + esp.HEADER_BYTES + udp.HEADER_BYTES + vxlan.HEADER_BYTES + 8;
const WHERE = 'esp';

export class EspTransport {
  /** Takes a frame behind its VXLAN header. */
  onFrame: ((peer: WeavePeer, frame: Packet) => void) | null = null;
  /** Packets that no session, or no right one, was found for. */
  lost = 0;
  private readonly host: Host;
  private readonly local: number;
  /** By the index of what comes. */
  private readonly peers = new Map<number, WeavePeer>();

  constructor(host: Host, local: number) {
    this.host = host;
    this.local = local;
    host.tunnels.set(esp.PROTOCOL, (packet) => this.receive(packet));
  }

  add(peer: WeavePeer): void {
    if (peer.fastdp !== null) this.peers.set(peer.fastdp.cipher.receive.index, peer);
  }

  remove(peer: WeavePeer): void {
    if (peer.fastdp !== null) this.peers.delete(peer.fastdp.cipher.receive.index);
  }

  /** Takes ownership; false when the frame was dropped. */
  send(peer: WeavePeer, session: SecureSession, vni: number, frame: Packet, hops: number): boolean {
    const { host } = this;
    const route = host.route(peer.address);
    if (routeError(route) !== null) return this.refuse(frame, drop.NO_ROUTE);
    const packet = this.withRoom(frame);
    if (packet === undefined) return this.refuse(frame, drop.NO_PACKET_MEMORY);
    completeChecksums(host.memory, packet);
    this.encapsulate(packet, vni, hops);
    this.seal(packet, session);
    packet.connection = null;
    packet.mark = 0;
    packet.segmentBytes = 0;
    const { nextHop } = route!;
    return sendIp(host, packet, nextHop, esp.PROTOCOL, this.local, peer.address, DEFAULT_TTL, 0, false) === null;
  }

  /** The frame, or its copy with the headroom of a new packet; undefined when there is no memory for that. */
  private withRoom(frame: Packet): Packet | undefined {
    const { memory } = this.host;
    const tail = esp.TRAILER_BYTES + esp.paddingBytes(0) + esp.TAG_BYTES + 3;
    const hasRoom = frame.headroomBytes >= HEADROOM_BYTES && frame.offset + frame.length + tail <= frame.slotEnd;
    if (hasRoom) return frame;
    const copy = memory.allocate(frame.length + tail);
    if (copy === undefined) return undefined;
    copy.length = frame.length;
    memory.bytes.copyWithin(copy.offset, frame.offset, frame.offset + frame.length);
    copy.checksumTrusted = frame.checksumTrusted;
    memory.free(frame);
    return copy;
  }

  private encapsulate(packet: Packet, vni: number, hops: number): void {
    const { view } = this.host.memory;
    packet.prepend(vxlan.HEADER_BYTES);
    vxlan.encode(view, packet.offset, vni, hops);
    packet.prepend(udp.HEADER_BYTES);
    // Without a checksum, as VXLAN is sent (RFC 7348 section 5).
    udp.encode(view, packet.offset, FASTDP_PORT, FASTDP_PORT, packet.length);
  }

  private seal(packet: Packet, session: SecureSession): void {
    const { view, bytes } = this.host.memory;
    const padding = esp.paddingBytes(packet.length);
    esp.encodeTrailer(view, packet.offset + packet.length, padding, ipv4.PROTOCOL_UDP);
    const sealedBytes = packet.length + padding + esp.TRAILER_BYTES;
    packet.length = sealedBytes;
    packet.prepend(esp.HEADER_BYTES);
    const { offset } = packet;
    const counter = session.nextCounter();
    const { send } = session.cipher;
    esp.encode(view, offset, send.index, counter);
    send.seal(counter, bytes, offset, esp.AUTHENTICATED_BYTES, offset + esp.HEADER_BYTES, sealedBytes);
    packet.length += esp.TAG_BYTES;
  }

  /** From the stack, at the ESP header. Takes ownership. */
  private receive(packet: Packet): void {
    const { view } = this.host.memory;
    const peer = esp.check(view, packet.offset, packet.length)
      ? this.peers.get(esp.spi(view, packet.offset))
      : undefined;
    const session = peer?.fastdp ?? null;
    if (peer === undefined || session === null || ip.source(view, packet.networkOffset) !== peer.address) {
      this.lose(packet, NO_WEAVE_SESSION);
      return;
    }
    if (!this.open(packet, session)) return;
    this.takeInner(packet, peer);
  }

  /** False when the packet was dropped. */
  private open(packet: Packet, session: SecureSession): boolean {
    const { view, bytes } = this.host.memory;
    const { offset } = packet;
    const counter = esp.counter(view, offset);
    if (!session.window.isNew(counter)) {
      session.replayed++;
      this.lose(packet, WEAVE_REPLAYED);
      return false;
    }
    packet.strip(esp.HEADER_BYTES);
    packet.length -= esp.TAG_BYTES;
    const { receive } = session.cipher;
    if (!receive.open(counter, bytes, offset, esp.AUTHENTICATED_BYTES, packet.offset, packet.length)) {
      session.forged++;
      this.lose(packet, WEAVE_NOT_AUTHENTIC);
      return false;
    }
    session.window.note(counter);
    return true;
  }

  /** An authentic packet: UDP, VXLAN, a frame. */
  private takeInner(packet: Packet, peer: WeavePeer): void {
    const { view } = this.host.memory;
    packet.length = esp.payloadBytes(view, packet.offset, packet.length, ipv4.PROTOCOL_UDP);
    const isOurs =
      udp.check(view, packet.offset, packet.length) &&
      udp.destinationPort(view, packet.offset) === FASTDP_PORT &&
      vxlan.check(view, packet.offset + udp.HEADER_BYTES, packet.length - udp.HEADER_BYTES);
    if (isOurs) packet.strip(udp.HEADER_BYTES + vxlan.HEADER_BYTES);
    if (!isOurs || !ethernet.check(view, packet.offset, packet.length)) {
      this.lose(packet, WEAVE_MALFORMED);
      return;
    }
    forgetOuter(packet);
    this.onFrame?.(peer, packet);
  }

  private refuse(frame: Packet, reason: DropReason): false {
    this.host.drop(frame, reason, WHERE);
    return false;
  }

  private lose(packet: Packet, reason: DropReason): void {
    this.lost++;
    this.host.drop(packet, reason, WHERE);
  }
}
