/**
 * `flannel-wg`: an encrypted tunnel. It has no link addresses; a packet is sealed for the peer whose allowed IPs hold its
 * destination and leaves in a UDP datagram of the node's own, which passes OUTPUT and is routed to eth0. What comes to the UDP
 * port is opened, and appears here if its source is one of its peer's allowed IPs.
 *
 *   10.244.1.5 > 10.244.2.7  ->  192.168.1.10.51820 > 192.168.1.11.51820: index, counter, sealed packet
 *
 * Differs from WireGuard: there is no handshake; the control plane hands out the public keys of key pairs that live as long as
 * their nodes' processes, and each two of them make one session. Messages are WireGuard's.
 */
import * as drop from '../../../shared/netstack/drop-reasons.ts';
import type { DropReason } from '../../../shared/netstack/hooks.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import * as ip from '../../../shared/wire/ip.ts';
import type { IpPrefix } from '../../../shared/wire/ip-address.ts';
import type { Packet } from '../../../shared/wire/packet-memory.ts';
import * as udp from '../../../shared/wire/udp.ts';
import * as wireguard from '../../../shared/wire/wireguard.ts';
import { NodeTunnelDevice, type NodeTunnelOptions } from '../node-tunnel-device.ts';
import { AllowedIps } from './allowed-ips.ts';
import { Session, type WireguardKeys } from './session.ts';

/** To an address that is no peer's. */
export const NO_PEER: DropReason = Object.freeze({ code: 'wireguard-no-peer' });
/** No data message of a session. */
export const NO_SESSION: DropReason = Object.freeze({ code: 'wireguard-no-session' });
/** The counter was seen before, or is older than the window. */
export const REPLAYED: DropReason = Object.freeze({ code: 'wireguard-replayed' });
/** The tag is wrong: what arrived is not what was sealed. */
export const NOT_AUTHENTIC: DropReason = Object.freeze({ code: 'wireguard-not-authentic' });
/** A packet within has a source that its peer may not send from. */
export const NOT_ALLOWED: DropReason = Object.freeze({ code: 'wireguard-not-allowed' });

/** Of one node; a session stays known, with its counters, when its peer goes and comes back. */
export const MAX_SESSIONS = 16_384;

export interface WireguardOptions extends NodeTunnelOptions {
  readonly keys: WireguardKeys;
  readonly listenPort?: number;
}

export class WireguardPeer {
  readonly publicKey: string;
  readonly session: Session;
  readonly allowedIps: readonly IpPrefix[];
  /** Where its last authentic message came from. */
  endpoint: { address: number; port: number };
  /** When the first authentic message of the session came; null before. */
  handshakeUs: number | null = null;
  receivedBytes = 0;
  sentBytes = 0;

  constructor(publicKey: string, session: Session, allowedIps: readonly IpPrefix[], address: number, port: number) {
    this.publicKey = publicKey;
    this.session = session;
    this.allowedIps = allowedIps;
    this.endpoint = { address, port };
  }
}

export class WireguardDevice extends NodeTunnelDevice {
  readonly kind = 'wireguard';
  readonly listenPort: number;
  readonly publicKey: string;
  private readonly keys: WireguardKeys;
  private readonly peers = new Map<string, WireguardPeer>();
  private readonly sessions = new Map<string, Session>();
  private readonly byIndex = new Map<number, WireguardPeer>();
  private readonly allowedIps = new AllowedIps<WireguardPeer>();

  /** Throws SocketError where the port is taken. */
  constructor(options: WireguardOptions) {
    super(options);
    this.keys = options.keys;
    this.publicKey = options.keys.publicKey;
    this.listenPort = options.listenPort ?? wireguard.PORT;
    const socket = options.host.udp.bind({ port: this.listenPort });
    socket.onPacket = (packet) => this.decapsulate(packet);
  }

  /** In the order in which they came. */
  listPeers(): WireguardPeer[] {
    return [...this.peers.values()];
  }

  /** False where the key is none or there are too many sessions; then packets for the peer are dropped. */
  setPeer(publicKey: string, address: number, allowedIps: readonly IpPrefix[]): boolean {
    this.removePeer(publicKey);
    const session = this.sessionWith(publicKey);
    if (session === undefined) return false;
    const peer = new WireguardPeer(publicKey, session, allowedIps, address, this.listenPort);
    this.peers.set(publicKey, peer);
    this.byIndex.set(session.cipher.receiveIndex, peer);
    for (const network of allowedIps) this.allowedIps.add(network, peer);
    return true;
  }

  removePeer(publicKey: string): void {
    const peer = this.peers.get(publicKey);
    if (peer === undefined) return;
    this.peers.delete(publicKey);
    this.byIndex.delete(peer.session.cipher.receiveIndex);
    this.allowedIps.removePeer(peer);
  }

  transmitNow(frame: Packet): void {
    const network = frame.offset + ethernet.HEADER_BYTES;
    const peer = this.allowedIps.lookup(ip.destination(this.host.memory.view, network));
    if (peer === undefined) {
      this.refuse(frame, NO_PEER);
      return;
    }
    const { address, port } = peer.endpoint;
    const nextHop = this.routeTo(address);
    if (nextHop === undefined) {
      this.refuse(frame, drop.NO_ROUTE);
      return;
    }
    const innerBytes = frame.length - ethernet.HEADER_BYTES;
    const sealedBytes = wireguard.paddedBytes(innerBytes, this.mtuBytes);
    if (innerBytes > this.mtuBytes || network + sealedBytes + wireguard.TAG_BYTES > frame.slotEnd) {
      this.refuse(frame, innerBytes > this.mtuBytes ? drop.FRAGMENTATION_NEEDED : drop.NO_PACKET_MEMORY);
      return;
    }
    this.depart(frame, address);
    frame.strip(ethernet.HEADER_BYTES);
    this.seal(frame, peer, sealedBytes);
    this.sendDatagram(frame, nextHop, address, this.listenPort, port);
  }

  /** The packet becomes a data message. */
  private seal(packet: Packet, peer: WireguardPeer, sealedBytes: number): void {
    const { bytes, view } = this.host.memory;
    bytes.fill(0, packet.offset + packet.length, packet.offset + sealedBytes);
    const counter = peer.session.nextCounter();
    peer.session.cipher.seal(counter, bytes, packet.offset, sealedBytes);
    packet.length = sealedBytes + wireguard.TAG_BYTES;
    packet.prepend(wireguard.HEADER_BYTES);
    wireguard.encode(view, packet.offset, peer.session.cipher.sendIndex, counter);
    peer.sentBytes += packet.length;
  }

  /** From the stack, at the UDP header, whose checksum is right. Takes ownership. */
  private decapsulate(packet: Packet): void {
    const { view, bytes } = this.host.memory;
    const [source, port] = [ip.source(view, packet.networkOffset), udp.sourcePort(view, packet.offset)];
    packet.strip(udp.HEADER_BYTES);
    const peer = wireguard.check(view, packet.offset, packet.length)
      ? this.byIndex.get(wireguard.receiverIndex(view, packet.offset))
      : undefined;
    if (peer === undefined) {
      this.lose(packet, NO_SESSION);
      return;
    }
    const counter = wireguard.counter(view, packet.offset);
    const messageBytes = packet.length;
    if (!peer.session.window.isNew(counter)) {
      this.lose(packet, REPLAYED);
      return;
    }
    packet.strip(wireguard.HEADER_BYTES);
    packet.length -= wireguard.TAG_BYTES;
    if (!peer.session.cipher.open(counter, bytes, packet.offset, packet.length)) {
      this.lose(packet, NOT_AUTHENTIC);
      return;
    }
    peer.session.window.note(counter);
    peer.receivedBytes += messageBytes;
    peer.handshakeUs ??= this.host.engine.nowUs;
    peer.endpoint = { address: source, port };
    this.takeInner(packet, peer);
  }

  /** An authentic message, from the inner packet on: what is not that peer's to send is none of the node's. */
  private takeInner(packet: Packet, peer: WireguardPeer): void {
    const { memory } = this.host;
    const { view } = memory;
    if (packet.length === 0) {
      memory.free(packet);
      return;
    }
    if (!ip.check(view, packet.offset, packet.length)) {
      this.lose(packet, drop.IP_MALFORMED);
      return;
    }
    if (this.allowedIps.lookup(ip.source(view, packet.offset)) !== peer) {
      this.lose(packet, NOT_ALLOWED);
      return;
    }
    packet.length = ip.totalLength(view, packet.offset);
    this.frameInner(packet, ip.etherType(view, packet.offset));
    this.arrive(packet, peer.endpoint.address);
  }

  private sessionWith(publicKey: string): Session | undefined {
    const known = this.sessions.get(publicKey);
    if (known !== undefined) return known;
    const cipher = this.sessions.size < MAX_SESSIONS ? this.keys.cipherWith(publicKey) : undefined;
    if (cipher === undefined) return undefined;
    const session = new Session(cipher);
    this.sessions.set(publicKey, session);
    return session;
  }
}
