/** UDP of one host (RFC 768, RFC 1122 section 4.1): the port table, datagrams in, and ICMP errors to the sockets they are for. */

import { transportChecksum } from '../wire/complete-checksums.ts';
import * as ip from '../wire/ip.ts';
import { bindingsClash, isUnspecified } from '../wire/ip-address.ts';
import type { Packet } from '../wire/packet-memory.ts';
import * as udp from '../wire/udp.ts';
import * as drop from './drop-reasons.ts';
import { randomPort } from './ephemeral-ports.ts';
import type { Host } from './host.ts';
import { type IcmpErrorReport, PORT_UNREACHABLE } from './icmp-error.ts';
import { SocketError } from './socket-error.ts';
import { UdpSocket } from './udp-socket.ts';

/** UDP sockets one host may have. */
export const MAX_UDP_SOCKETS = 16_384;

export interface UdpBindOptions {
  /** 0.0.0.0 by default; `::` hears IPv4 too. */
  readonly address?: number;
  /** 0, the default, takes a free ephemeral port. */
  readonly port?: number;
  /** Of `::`: hears IPv6 alone. */
  readonly ipv6Only?: boolean;
}

export class UdpLayer {
  private readonly host: Host;
  /** By local port; sockets of one port differ in address or peer. */
  private readonly ports = new Map<number, UdpSocket[]>();
  private sockets = 0;
  /** Found last, while it is the only one of its port: a host with one server has it found without a look at the table. */
  private recent: UdpSocket | null = null;

  constructor(host: Host) {
    this.host = host;
  }

  /** Throws SocketError: EADDRINUSE, EADDRNOTAVAIL, or ENOBUFS when the host has too many sockets. */
  bind(options: UdpBindOptions = {}): UdpSocket {
    const localAddress = options.address ?? 0;
    if (!isUnspecified(localAddress) && !this.host.isLocal(localAddress) && !this.host.isBroadcast(localAddress)) {
      throw new SocketError('EADDRNOTAVAIL', 'bind', localAddress, options.port ?? 0);
    }
    if (this.sockets >= MAX_UDP_SOCKETS) throw new SocketError('ENOBUFS', 'bind', localAddress, options.port ?? 0);
    const ipv6Only = options.ipv6Only ?? false;
    const port = options.port || this.freePort(localAddress, ipv6Only);
    if (this.inUse(localAddress, port, ipv6Only)) throw new SocketError('EADDRINUSE', 'bind', localAddress, port);
    const socket = new UdpSocket(this.host, localAddress, port, () => this.release(socket));
    socket.ipv6Only = ipv6Only;
    this.recent = null;
    const others = this.ports.get(port);
    if (others === undefined) this.ports.set(port, [socket]);
    else others.push(socket);
    this.sockets++;
    return socket;
  }

  visitAddresses(visit: (address: number) => void): void {
    for (const socket of this.list()) socket.visitAddresses(visit);
  }

  /** For `ss -u`: all sockets. */
  list(): UdpSocket[] {
    return [...this.ports.values()].flat();
  }

  /** A datagram for this host, `offset` at its UDP header. Takes ownership. */
  input(packet: Packet): void {
    const { memory } = this.host;
    const { view } = memory;
    const at = packet.offset;
    if (!udp.check(view, at, packet.length)) {
      this.host.drop(packet, drop.UDP_MALFORMED, 'udp');
      return;
    }
    packet.length = udp.length(view, at);
    if (!packet.checksumTrusted && !this.checksumValid(packet)) {
      this.host.drop(packet, drop.UDP_CHECKSUM, 'udp');
      return;
    }
    if (this.host.probes.takes(packet)) {
      memory.free(packet);
      return;
    }
    const source = ip.source(view, packet.networkOffset);
    const destination = ip.destination(view, packet.networkOffset);
    const fromPort = udp.sourcePort(view, at);
    const socket = this.find(destination, udp.destinationPort(view, at), source, fromPort);
    if (socket === undefined) {
      if (this.host.probes.answered(packet)) memory.free(packet);
      else this.refuse(packet);
      return;
    }
    if (socket.onPacket !== null) {
      this.host.counters.udpReceived++;
      socket.onPacket(packet);
      return;
    }
    const data = memory.copyOut(at + udp.HEADER_BYTES, packet.length - udp.HEADER_BYTES);
    memory.free(packet);
    if (!socket.deliver(data, source, fromPort)) this.host.countDrop(drop.UDP_RECEIVE_QUEUE_FULL);
  }

  /** An ICMP error that quotes a datagram of ours: IP header at `network`, UDP header at `transport`. */
  icmpError(network: number, transport: number, report: IcmpErrorReport): void {
    const { view } = this.host.memory;
    const socket = this.find(
      ip.source(view, network),
      udp.sourcePort(view, transport),
      ip.destination(view, network),
      udp.destinationPort(view, transport),
    );
    socket?.icmpError(report);
  }

  /** The most exact socket: the connected one, then one bound to the address, then one bound to any. */
  private find(local: number, port: number, remote: number, remotePort: number): UdpSocket | undefined {
    const { recent } = this;
    if (recent?.localPort === port) return recent.matchScore(local, remote, remotePort) < 0 ? undefined : recent;
    const candidates = this.ports.get(port);
    if (candidates === undefined) return undefined;
    if (candidates.length === 1) this.recent = candidates[0]!;
    let best: UdpSocket | undefined;
    let bestScore = -1;
    for (let i = 0; i < candidates.length; i++) {
      const socket = candidates[i]!;
      const score = socket.matchScore(local, remote, remotePort);
      if (score > bestScore) {
        best = socket;
        bestScore = score;
      }
    }
    return best;
  }

  /** Over IPv4 a sender may leave it out; over IPv6 it may not (RFC 8200 section 8.1). */
  private checksumValid(packet: Packet): boolean {
    const { memory } = this.host;
    if (udp.checksum(memory.view, packet.offset) === 0) return !ip.isIpv6(memory.view, packet.networkOffset);
    return transportChecksum(memory, packet.networkOffset, packet.offset, packet.length) === 0;
  }

  private refuse(packet: Packet): void {
    packet.prepend(packet.offset - packet.networkOffset);
    this.host.icmp.sendError(packet, PORT_UNREACHABLE);
    this.host.drop(packet, drop.UDP_NO_SOCKET, 'udp');
  }

  private inUse(localAddress: number, port: number, ipv6Only: boolean): boolean {
    return this.ports.get(port)?.some((other) => bindingsClash({ localAddress, ipv6Only }, other)) ?? false;
  }

  private freePort(localAddress: number, ipv6Only: boolean): number {
    const port = randomPort(this.host.engine.random, (candidate) => !this.inUse(localAddress, candidate, ipv6Only));
    if (port === 0) throw new SocketError('EADDRINUSE', 'bind', localAddress, 0);
    return port;
  }

  private release(socket: UdpSocket): void {
    const others = this.ports.get(socket.localPort);
    const index = others?.indexOf(socket) ?? -1;
    if (others === undefined || index < 0) return;
    this.recent = null;
    others.splice(index, 1);
    if (others.length === 0) this.ports.delete(socket.localPort);
    this.sockets--;
  }
}
