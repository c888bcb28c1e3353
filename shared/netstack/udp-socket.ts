import { bindingCovers, isUnspecified } from '../wire/ip-address.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { ANY_IPV6 } from '../wire/ipv6-address.ts';
import { isIpv6 } from '../wire/ipv6-table.ts';
import type { Packet } from '../wire/packet-memory.ts';
import * as udp from '../wire/udp.ts';
import { CachedRoute } from './cached-route.ts';
import type { Host } from './host.ts';
import type { IcmpErrorReport } from './icmp-error.ts';
import { DEFAULT_TTL, routeError, type SendError, sendIp } from './ip-output.ts';
import { type SocketBackend, SocketTranslations } from './socket-balancer.ts';
import { icmpErrorCode, isPassing } from './socket-error.ts';

/** Bytes a paused socket keeps before it drops (Linux' rmem_default). */
export const RECEIVE_QUEUE_BYTES = 212_992;
/** What one queued datagram costs beside its data. */
const DATAGRAM_OVERHEAD_BYTES = 64;

interface Datagram {
  readonly data: Uint8Array;
  readonly address: number;
  readonly port: number;
}

/** A bound UDP socket. Callbacks run inside the stack: they may send and close, and must not throw. */
export class UdpSocket {
  readonly localPort: number;
  /** 0 for any of IPv4, `::` for any of both. */
  readonly localAddress: number;
  /** 0 unless connected. */
  remoteAddress = 0;
  remotePort = 0;
  /** `data` belongs to the callee. */
  onMessage: ((data: Uint8Array, address: number, port: number) => void) | null = null;
  /** Takes whole packets, at the UDP header, in the place of their data: a tunnel's (Linux' encap_rcv). It owns them. */
  onPacket: ((packet: Packet) => void) | null = null;
  /** A connected socket's ICMP errors: ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EMSGSIZE. */
  onError: ((code: string) => void) | null = null;
  ttl = DEFAULT_TTL;
  dontFragment = false;
  broadcast = false;
  /** Bound to `::`, it speaks IPv6 alone (IPV6_V6ONLY). */
  ipv6Only = false;
  closed = false;
  /** Datagrams dropped because the queue of the paused socket was full. */
  receiveDrops = 0;
  private readonly host: Host;
  private readonly way: CachedRoute;
  private readonly release: () => void;
  private readonly queue: Datagram[] = [];
  private queuedBytes = 0;
  private paused = false;
  private translations: SocketTranslations | null = null;
  /** Of a connected socket: the peer as the program named it, which may be a Service. */
  private askedPeer: SocketBackend | null = null;

  constructor(host: Host, localAddress: number, localPort: number, release: () => void) {
    this.host = host;
    this.way = new CachedRoute(host);
    this.localAddress = localAddress;
    this.localPort = localPort;
    this.release = release;
  }

  /** Bytes a paused socket holds, for `ss`. */
  get receiveQueueBytes(): number {
    return this.queuedBytes;
  }

  /** A socket bound to an address speaks the version of that address; one bound to `::` both. */
  private reaches(destination: number): boolean {
    return (this.localAddress === ANY_IPV6 && !this.ipv6Only) || isIpv6(this.localAddress) === isIpv6(destination);
  }

  /** From now on only this peer's datagrams come in, and its ICMP errors are reported. Null, or ENETUNREACH and the like. */
  connect(askedAddress: number, askedPort: number): SendError | null {
    const backend = this.translate(askedAddress, askedPort);
    if (backend === 'unreachable') return 'EHOSTUNREACH';
    const { address: remoteAddress, port: remotePort } = backend;
    const error = routeError(this.host.route(remoteAddress));
    if (error !== null) return error;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
    this.askedPeer = { address: askedAddress, port: askedPort };
    return null;
  }

  /** To the connected peer. */
  send(data: Uint8Array): SendError | null {
    return this.sendTo(data, this.remoteAddress, this.remotePort);
  }

  /** Sends one datagram; `data` is copied. Null, or the error of the socket call. */
  sendTo(data: Uint8Array, destination: number, port: number): SendError | null {
    if (this.closed || port === 0 || !this.reaches(destination)) return 'EINVAL';
    if (data.length > udp.MAX_DATA_BYTES) return 'EMSGSIZE';
    if (this.isPeer(destination, port)) return this.sendDatagram(data, this.remoteAddress, this.remotePort);
    const backend = this.translate(destination, port);
    if (backend === 'unreachable') return 'EHOSTUNREACH';
    return this.sendDatagram(data, backend.address, backend.port);
  }

  private sendDatagram(data: Uint8Array, destination: number, port: number): SendError | null {
    const { way } = this;
    way.follow(destination);
    if (way.isBroadcast && !this.broadcast) return 'EACCES';
    if (way.error !== null) return way.error;
    const { memory } = this.host;
    const packet = memory.allocate(udp.HEADER_BYTES + data.length);
    if (packet === undefined) return 'ENOBUFS';
    udp.encode(memory.view, packet.offset, this.localPort, port, packet.length);
    memory.bytes.set(data, packet.offset + udp.HEADER_BYTES);
    const source = isUnspecified(this.localAddress) ? way.source : this.localAddress;
    this.host.counters.udpSent++;
    return sendIp(
      this.host,
      packet,
      way.nextHop!,
      ipv4.PROTOCOL_UDP,
      source,
      destination,
      this.ttl,
      0,
      !this.dontFragment,
    );
  }

  /**
   * A connected socket was translated when it connected, and hears that backend alone; where there was no Service yet, the
   * devices still translate.
   */
  private isPeer(address: number, port: number): boolean {
    if (port === this.remotePort && address === this.remoteAddress) return true;
    return this.askedPeer !== null && port === this.askedPeer.port && address === this.askedPeer.address;
  }

  /** Where a datagram, or all of a connected socket, goes. */
  private translate(address: number, port: number): SocketBackend | 'unreachable' {
    const { socketBalancer } = this.host;
    if (socketBalancer === null) return { address, port };
    const backend = socketBalancer.choose(ipv4.PROTOCOL_UDP, address, port);
    if (backend === null || backend === 'unreachable') return backend ?? { address, port };
    this.translations ??= new SocketTranslations();
    this.translations.note(address, port, backend);
    return backend;
  }

  visitAddresses(visit: (address: number) => void): void {
    visit(this.localAddress);
    visit(this.remoteAddress);
    if (this.askedPeer !== null) visit(this.askedPeer.address);
    this.way.visitAddresses(visit);
    this.translations?.visitAddresses(visit);
    for (const { address } of this.queue) visit(address);
  }

  /** Keeps what comes in a bounded queue until `resume`. */
  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    while (!this.paused && this.queue.length > 0) {
      const datagram = this.queue.shift()!;
      this.queuedBytes -= datagram.data.length + DATAGRAM_OVERHEAD_BYTES;
      this.onMessage?.(datagram.data, datagram.address, datagram.port);
    }
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.queue.length = 0;
    this.release();
  }

  /** How well a datagram fits: -1 not at all; a peer counts more than an address. For UdpLayer. */
  matchScore(local: number, remote: number, remotePort: number): number {
    if (!bindingCovers(this.localAddress, local, this.ipv6Only)) return -1;
    let score = this.localAddress === local ? 1 : 0;
    if (this.remotePort !== 0) {
      if (this.remoteAddress !== remote || this.remotePort !== remotePort) return -1;
      score += 2;
    }
    return score;
  }

  /** False when the queue was full. For UdpLayer. */
  deliver(data: Uint8Array, sender: number, senderPort: number): boolean {
    this.host.counters.udpReceived++;
    const asked = this.translations?.askedOf(sender, senderPort);
    const from = asked?.address ?? sender;
    const port = asked?.port ?? senderPort;
    if (!this.paused && this.queue.length === 0) {
      this.onMessage?.(data, from, port);
      return true;
    }
    const cost = data.length + DATAGRAM_OVERHEAD_BYTES;
    if (this.queuedBytes + cost > RECEIVE_QUEUE_BYTES) {
      this.receiveDrops++;
      return false;
    }
    this.queue.push({ data, address: from, port });
    this.queuedBytes += cost;
    return true;
  }

  /** As Linux tells a socket without IP_RECVERR: only a connected one, and only of what is not likely to pass by itself. */
  icmpError(report: IcmpErrorReport): void {
    if (this.remotePort === 0) return;
    const error = icmpErrorCode(report);
    if (error !== null && !isPassing(report)) this.onError?.(error);
  }
}
