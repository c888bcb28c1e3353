/** TCP of one host (RFC 9293): connections, listeners, TIME-WAIT, and segments in. */
import { transportChecksum } from '../../wire/complete-checksums.ts';
import * as ip from '../../wire/ip.ts';
import { bindingCovers, bindingsClash, isMulticast, isUnspecified } from '../../wire/ip-address.ts';
import { PROTOCOL_TCP } from '../../wire/ipv4.ts';
import type { Packet } from '../../wire/packet-memory.ts';
import * as tcp from '../../wire/tcp.ts';
import { Alarm } from '../alarm.ts';
import * as drop from '../drop-reasons.ts';
import { hashedPort } from '../ephemeral-ports.ts';
import type { Host } from '../host.ts';
import type { IcmpErrorReport } from '../icmp-error.ts';
import { routeError } from '../ip-output.ts';
import { SocketError } from '../socket-error.ts';
import { TokenBucket } from '../token-bucket.ts';
import { sendResetFor } from './bare-segment.ts';
import { TcpConnection } from './connection.ts';
import { EndpointTable, type TcpEndpoint } from './endpoint-table.ts';
import { EndpointSecrets } from './isn.ts';
import { DEFAULT_BACKLOG, TcpListener } from './listener.ts';
import { Segment } from './segment.ts';
import * as seq from './seq.ts';
import { defaultTcpSettings, type TcpSettings } from './settings.ts';
import { TimeWait } from './time-wait.ts';

/** Connections of one host, those in TIME-WAIT not counted. */
export const MAX_CONNECTIONS = 65_536;
/** Connections in TIME-WAIT; the oldest gives way (Linux' tcp_max_tw_buckets). */
export const MAX_TIME_WAIT = 16_384;
/** A new connection in the place of one in TIME-WAIT begins so far beyond it, out of reach of what may still come late. */
const SEQUENCE_GAP_AFTER_TIME_WAIT = 0x1_0001;
/** Challenge acknowledgements (RFC 5961 section 7; Linux' tcp_challenge_ack_limit). */
const CHALLENGES_PER_SECOND = 1000;

export interface TcpConnectOptions {
  readonly remoteAddress: number;
  readonly remotePort: number;
  /** Chosen by the route when absent or 0. */
  readonly localAddress?: number;
  /** An ephemeral port when absent or 0. */
  readonly localPort?: number;
}

export interface TcpListenOptions {
  /** 0.0.0.0 by default; `::` hears IPv4 too. */
  readonly address?: number;
  /** 0, the default, takes a free ephemeral port. */
  readonly port?: number;
  readonly backlog?: number;
  /** Of `::`: hears IPv6 alone. */
  readonly ipv6Only?: boolean;
}

export interface TcpCounters {
  activeOpens: number;
  passiveOpens: number;
  segmentsReceived: number;
  segmentsSent: number;
  segmentsRetransmitted: number;
  /** Losses found before the timer ran out. */
  fastRetransmits: number;
  timeouts: number;
  resetsReceived: number;
  resetsSent: number;
  outOfWindow: number;
  challenges: number;
  timeWaitEvicted: number;
  /** ICMP errors about nothing in flight: late, or forged. */
  strayErrors: number;
}

export class TcpLayer {
  readonly settings: TcpSettings = defaultTcpSettings();
  readonly secrets: EndpointSecrets;
  readonly counters: TcpCounters = {
    activeOpens: 0,
    passiveOpens: 0,
    segmentsReceived: 0,
    segmentsSent: 0,
    segmentsRetransmitted: 0,
    fastRetransmits: 0,
    timeouts: 0,
    resetsReceived: 0,
    resetsSent: 0,
    outOfWindow: 0,
    challenges: 0,
    timeWaitEvicted: 0,
    strayErrors: 0,
  };
  private readonly host: Host;
  private readonly endpoints = new EndpointTable();
  /** By local port; listeners of one port differ in address. */
  private readonly listeners = new Map<number, TcpListener[]>();
  /** In the order they expire. */
  private readonly timeWaits = new Set<TimeWait>();
  private readonly timeWaitAlarm: Alarm;
  private readonly challenges: TokenBucket;
  private readonly segment = new Segment();
  private portCounter = 0;

  constructor(host: Host) {
    this.host = host;
    this.secrets = new EndpointSecrets(host.secret);
    this.timeWaitAlarm = new Alarm(host.engine, () => this.expireTimeWaits());
    this.challenges = new TokenBucket(host.engine, CHALLENGES_PER_SECOND, CHALLENGES_PER_SECOND);
  }

  /**
   * Starts a connection; `onEstablished` or `onClose` tells how it went. Throws SocketError when it cannot even begin:
   * ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EADDRINUSE, ENOBUFS.
   */
  connect(options: TcpConnectOptions): TcpConnection {
    const { remoteAddress, remotePort } = options;
    const backend = this.host.socketBalancer?.choose(PROTOCOL_TCP, remoteAddress, remotePort) ?? null;
    if (backend === 'unreachable') throw new SocketError('EHOSTUNREACH', 'connect', remoteAddress, remotePort);
    if (backend === null) return this.connectTo(options);
    const connection = this.connectTo({ ...options, remoteAddress: backend.address, remotePort: backend.port });
    connection.asked = { address: remoteAddress, port: remotePort };
    return connection;
  }

  private connectTo(options: TcpConnectOptions): TcpConnection {
    const { remoteAddress, remotePort } = options;
    const route = this.host.route(remoteAddress);
    const error = routeError(route);
    if (error !== null) throw new SocketError(error, 'connect', remoteAddress, remotePort);
    const localAddress = options.localAddress || this.host.sourceOf(route!, remoteAddress);
    if (!this.host.isLocal(localAddress) && this.host.transparentPort === null) {
      throw new SocketError('EADDRNOTAVAIL', 'connect', localAddress, options.localPort ?? 0);
    }
    if (this.endpoints.size - this.timeWaits.size >= MAX_CONNECTIONS) {
      throw new SocketError('ENOBUFS', 'connect', remoteAddress, remotePort);
    }
    if (options.localPort && this.isListening(localAddress, options.localPort)) {
      throw new SocketError('EADDRINUSE', 'bind', localAddress, options.localPort);
    }
    const localPort = options.localPort || this.freePort(localAddress, remoteAddress, remotePort);
    if (localPort === 0) throw new SocketError('EADDRNOTAVAIL', 'connect', remoteAddress, remotePort);
    if (this.endpoints.find(localAddress, localPort, remoteAddress, remotePort) !== null) {
      throw new SocketError('EADDRINUSE', 'connect', remoteAddress, remotePort);
    }
    const connection = new TcpConnection(this.host, { localAddress, localPort, remoteAddress, remotePort });
    this.endpoints.add(connection);
    this.counters.activeOpens++;
    connection.open();
    return connection;
  }

  /** Throws SocketError: EADDRINUSE or EADDRNOTAVAIL. */
  listen(options: TcpListenOptions = {}): TcpListener {
    const { address: localAddress = 0, ipv6Only = false, backlog = DEFAULT_BACKLOG } = options;
    const port = options.port || this.freeListenPort(localAddress, ipv6Only);
    if (!isUnspecified(localAddress) && !this.host.isLocal(localAddress)) {
      throw new SocketError('EADDRNOTAVAIL', 'listen', localAddress, port);
    }
    if (port === 0 || this.isListening(localAddress, port, ipv6Only)) {
      throw new SocketError('EADDRINUSE', 'listen', localAddress, port);
    }
    const release = (): void => this.releaseListener(listener);
    const listener = new TcpListener({ localAddress, localPort: port, ipv6Only, backlog, release });
    const others = this.listeners.get(port);
    if (others === undefined) this.listeners.set(port, [listener]);
    else others.push(listener);
    return listener;
  }

  visitAddresses(visit: (address: number) => void): void {
    for (const { localAddress, remoteAddress } of this.endpoints.list()) {
      visit(localAddress);
      visit(remoteAddress);
    }
    for (const { localAddress } of this.listListeners()) visit(localAddress);
  }

  /** For `ss -t`: connections, those in TIME-WAIT included. */
  list(): TcpEndpoint[] {
    return this.endpoints.list();
  }

  /** For `ss -tl`. */
  listListeners(): TcpListener[] {
    return [...this.listeners.values()].flat();
  }

  /** A segment for this host, `offset` at its TCP header. Takes ownership. */
  input(packet: Packet): void {
    const { memory } = this.host;
    const { view } = memory;
    const at = packet.offset;
    this.counters.segmentsReceived++;
    if (!tcp.check(view, at, packet.length) || !this.segment.read(memory, at, packet.length)) {
      this.host.drop(packet, drop.TCP_MALFORMED, 'tcp');
      return;
    }
    if (!packet.checksumTrusted && transportChecksum(memory, packet.networkOffset, at, packet.length) !== 0) {
      this.host.drop(packet, drop.TCP_CHECKSUM, 'tcp');
      return;
    }
    const local = ip.destination(view, packet.networkOffset);
    const remote = ip.source(view, packet.networkOffset);
    const localPort = tcp.destinationPort(view, at);
    const remotePort = tcp.sourcePort(view, at);
    const endpoint = this.endpoints.find(local, localPort, remote, remotePort);
    if (endpoint === null) this.inputWithoutEndpoint(packet, local, localPort, remote, remotePort);
    else if (endpoint instanceof TimeWait && endpoint.admitsNew(this.segment) && this.hasListener(local, localPort)) {
      this.forgetTimeWait(endpoint);
      const initialSequence = seq.add(endpoint.sendNext, SEQUENCE_GAP_AFTER_TIME_WAIT);
      this.inputWithoutEndpoint(packet, local, localPort, remote, remotePort, initialSequence);
    } else {
      endpoint.input(this.segment);
      memory.free(packet);
    }
  }

  /** Answers a segment a hook rejected with `tcp-reset`; `packet.offset` is at the IP header, the caller owns it. */
  resetRefused(packet: Packet): void {
    const { view } = this.host.memory;
    const transport = packet.offset + ip.headerBytes(view, packet.offset);
    const size = packet.length - (transport - packet.offset);
    if (ip.protocol(view, packet.offset) !== PROTOCOL_TCP || !tcp.check(view, transport, size)) return;
    this.counters.resetsSent++;
    sendResetFor(this.host, packet.offset, transport, size, packet.mark);
  }

  /** An ICMP error that quotes a segment in flight: IP header at `network`, at least 8 bytes of TCP at `transport`. */
  icmpError(network: number, transport: number, report: IcmpErrorReport): void {
    this.quotedEndpoint(network, transport)?.icmpError(report);
  }

  /** Whether the quoted segment is one that a connection has in flight (RFC 5927 section 4.1). */
  isInFlight(network: number, transport: number): boolean {
    const sequence = tcp.sequence(this.host.memory.view, transport);
    const isKnown = this.quotedEndpoint(network, transport)?.hasInFlight(sequence) ?? false;
    if (!isKnown) this.counters.strayErrors++;
    return isKnown;
  }

  private quotedEndpoint(network: number, transport: number): TcpEndpoint | null {
    const { view } = this.host.memory;
    const { endpoints } = this;
    const local = ip.source(view, network);
    const remote = ip.destination(view, network);
    return endpoints.find(local, tcp.sourcePort(view, transport), remote, tcp.destinationPort(view, transport));
  }

  /** Whether a challenge acknowledgement may go out now. */
  mayChallenge(): boolean {
    const may = this.challenges.take();
    if (may) this.counters.challenges++;
    return may;
  }

  /** Puts what is left of a connection in its place. */
  keepTimeWait(connection: TcpConnection): void {
    const rest = new TimeWait(connection);
    this.endpoints.remove(connection);
    if (this.timeWaits.size >= MAX_TIME_WAIT) {
      const [oldest] = this.timeWaits;
      this.counters.timeWaitEvicted++;
      this.forgetTimeWait(oldest!);
    }
    this.endpoints.add(rest);
    this.timeWaits.add(rest);
    if (!this.timeWaitAlarm.isSet) this.timeWaitAlarm.set(rest.expiresUs);
  }

  /** The peer's FIN came again: 2 MSL from now. */
  renewTimeWait(entry: TimeWait): void {
    entry.expiresUs = this.host.engine.nowUs + this.settings.timeWaitUs;
    this.timeWaits.delete(entry);
    this.timeWaits.add(entry);
  }

  forget(connection: TcpConnection): void {
    this.endpoints.remove(connection);
  }

  /** A listener's SYN begins a connection; anything else to this host alone is answered with a reset (RFC 1122 section 4.2.3.10). */
  private inputWithoutEndpoint(
    packet: Packet,
    local: number,
    localPort: number,
    remote: number,
    remotePort: number,
    initialSequence?: number,
  ): void {
    const { segment } = this;
    if (this.host.isBroadcast(local) || isMulticast(local)) {
      this.host.drop(packet, drop.TCP_NO_SOCKET, 'tcp');
      return;
    }
    const listener = this.findListener(local, localPort);
    const isSyn = (segment.flags & (tcp.SYN | tcp.ACK | tcp.RST)) === tcp.SYN;
    if (listener === undefined || !isSyn) {
      const answersProbe = this.host.probes.answered(packet);
      this.counters.resetsSent++;
      sendResetFor(this.host, packet.networkOffset, packet.offset, packet.length, packet.mark);
      if (answersProbe) this.host.memory.free(packet);
      else this.host.drop(packet, drop.TCP_NO_SOCKET, 'tcp');
      return;
    }
    if (segment.has(tcp.FIN)) {
      // It begins nothing and ends nothing; Linux says as little.
      this.host.drop(packet, drop.TCP_MALFORMED, 'tcp');
      return;
    }
    if (!listener.admits() || this.endpoints.size - this.timeWaits.size >= MAX_CONNECTIONS) {
      this.host.drop(packet, drop.TCP_BACKLOG_FULL, 'tcp');
      return;
    }
    this.host.memory.free(packet);
    const ends = { localAddress: local, localPort, remoteAddress: remote, remotePort };
    const connection = new TcpConnection(this.host, { ...ends, listener, initialSequence });
    this.endpoints.add(connection);
    this.counters.passiveOpens++;
    listener.begun(connection);
    connection.acceptSyn(segment);
  }

  private hasListener(local: number, port: number): boolean {
    return this.findListener(local, port) !== undefined;
  }

  private findListener(local: number, port: number): TcpListener | undefined {
    const candidates = this.listeners.get(this.host.transparentPort ?? port);
    if (candidates === undefined) return undefined;
    return (
      candidates.find((listener) => listener.localAddress === local) ??
      candidates.find((listener) => bindingCovers(listener.localAddress, local, listener.ipv6Only))
    );
  }

  private isListening(localAddress: number, port: number, ipv6Only = false): boolean {
    return this.listeners.get(port)?.some((other) => bindingsClash({ localAddress, ipv6Only }, other)) ?? false;
  }

  private freePort(local: number, remote: number, remotePort: number): number {
    const offset = this.secrets.portOffset(local, remote, remotePort);
    const isFree = (port: number): boolean =>
      !this.listeners.has(port) && this.endpoints.find(local, port, remote, remotePort) === null;
    return hashedPort(offset, this.portCounter++, isFree);
  }

  private freeListenPort(localAddress: number, ipv6Only: boolean): number {
    const start = Math.floor(this.host.engine.random() * 0xffff);
    return hashedPort(start, 0, (port) => !this.isListening(localAddress, port, ipv6Only));
  }

  private releaseListener(listener: TcpListener): void {
    const others = this.listeners.get(listener.localPort);
    const index = others?.indexOf(listener) ?? -1;
    if (others === undefined || index < 0) return;
    others.splice(index, 1);
    if (others.length === 0) this.listeners.delete(listener.localPort);
  }

  private forgetTimeWait(entry: TimeWait): void {
    this.endpoints.remove(entry);
    this.timeWaits.delete(entry);
  }

  private expireTimeWaits(): void {
    for (const entry of this.timeWaits) {
      if (entry.expiresUs > this.host.engine.nowUs) {
        this.timeWaitAlarm.set(entry.expiresUs);
        return;
      }
      this.forgetTimeWait(entry);
    }
  }
}
