/**
 * ICMP of one host, for both versions (RFC 792, RFC 1122 section 3.2.2; RFC 4443): answers echoes, pings, makes errors and
 * tells sockets of those that come.
 */
import * as checksum from '../wire/checksum.ts';
import { completeIpChecksums, transportChecksum } from '../wire/complete-checksums.ts';
import * as icmp from '../wire/icmp.ts';
import * as icmpv6 from '../wire/icmpv6.ts';
import * as ip from '../wire/ip.ts';
import { isMulticast, isUnspecified } from '../wire/ip-address.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { isIpv6 } from '../wire/ipv6-table.ts';
import type { Packet } from '../wire/packet-memory.ts';
import type { NetDevice } from './device.ts';
import * as drop from './drop-reasons.ts';
import type { TimerHandle } from './engine.ts';
import type { Host } from './host.ts';
import { type IcmpErrorKind, type IcmpErrorReport, inIcmpv4Terms, PACKET_TOO_BIG } from './icmp-error.ts';
import { DEFAULT_TTL, routeError, type SendError, sendIp } from './ip-output.ts';
import { discoveryInput } from './neighbour-discovery.ts';
import { TokenBucket } from './token-bucket.ts';

/** Errors a host sends (Linux' icmp_msgs_per_sec and icmp_msgs_burst). */
export const ERRORS_PER_SECOND = 1000;
export const ERRORS_BURST = 50;
/** Pings of one host that wait for an answer. */
export const MAX_PENDING_PINGS = 4096;
/** An error, headers included, is no longer than what every host takes (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4). */
const MAX_ERROR_BYTES = 576;
const MAX_ERROR_BYTES_IPV6 = ipv6.MIN_MTU_BYTES;
/** Internetwork control, as Linux marks its errors. */
const ERROR_TOS = 0xc0;
const DEFAULT_PING_TIMEOUT_US = 10_000_000;

export interface PingRequest {
  readonly address: number;
  readonly identifier: number;
  readonly sequence: number;
  /** 56 by default. */
  readonly payloadBytes?: number;
  /** 64 by default. */
  readonly ttl?: number;
  readonly dontFragment?: boolean;
  readonly source?: number;
  /** 10 s by default. */
  readonly timeoutUs?: number;
}

export type PingResult =
  | {
      readonly kind: 'reply';
      readonly from: number;
      readonly bytes: number;
      readonly ttl: number;
      readonly rttUs: number;
      /** It is a reset: nobody listens there. */
      readonly refused?: boolean;
    }
  | {
      readonly kind: 'unreachable';
      readonly from: number;
      readonly code: number;
      readonly mtuBytes?: number;
      readonly ttl?: number;
    }
  | { readonly kind: 'time-exceeded'; readonly from: number; readonly ttl?: number }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'error'; readonly error: SendError };

/** What differs between ICMP's two versions, which share the header. */
interface Dialect {
  readonly protocol: number;
  readonly echoRequest: number;
  readonly echoReply: number;
  readonly maxErrorBytes: number;
  readonly errorTos: number;
  readonly isError: (type: number) => boolean;
}

const ICMPV4: Dialect = {
  protocol: ipv4.PROTOCOL_ICMP,
  echoRequest: icmp.ECHO_REQUEST,
  echoReply: icmp.ECHO_REPLY,
  maxErrorBytes: MAX_ERROR_BYTES,
  errorTos: ERROR_TOS,
  isError: icmp.isError,
};
const ICMPV6: Dialect = {
  protocol: ipv6.PROTOCOL_ICMPV6,
  echoRequest: icmpv6.ECHO_REQUEST,
  echoReply: icmpv6.ECHO_REPLY,
  maxErrorBytes: MAX_ERROR_BYTES_IPV6,
  errorTos: 0,
  isError: icmpv6.isError,
};

interface PendingPing {
  readonly sentUs: number;
  readonly callback: (result: PingResult) => void;
  readonly timer: TimerHandle;
}

export class IcmpLayer {
  private readonly host: Host;
  private readonly errors: TokenBucket;
  private readonly pings = new Map<number, PendingPing>();

  constructor(host: Host) {
    this.host = host;
    this.errors = new TokenBucket(host.engine, ERRORS_PER_SECOND, ERRORS_BURST);
  }

  /**
   * Sends an echo request and calls back once: with the reply, the error that came instead, or the time-out. The function
   * returned forgets the ping without a call.
   */
  ping(request: PingRequest, callback: (result: PingResult) => void): () => void {
    const { engine } = this.host;
    const key = pingKey(request.identifier, request.sequence);
    const timeoutUs = request.timeoutUs ?? DEFAULT_PING_TIMEOUT_US;
    const timer = engine.schedule(engine.nowUs + timeoutUs, () => this.finishPing(key, { kind: 'timeout' }));
    if (this.pings.size >= MAX_PENDING_PINGS) {
      const [oldest] = this.pings.keys();
      this.finishPing(oldest!, { kind: 'timeout' });
    }
    this.forgetPing(key);
    this.pings.set(key, { sentUs: engine.nowUs, callback, timer });
    const error = this.sendEcho(request);
    if (error !== null) this.finishPing(key, { kind: 'error', error });
    return () => this.forgetPing(key);
  }

  /** An ICMP packet for this host, `offset` at its header. Takes ownership. */
  input(packet: Packet, device: NetDevice): void {
    const { memory } = this.host;
    const at = packet.offset;
    const dialect = dialectOf(memory.view, packet.networkOffset);
    if (ip.protocol(memory.view, packet.networkOffset) !== dialect.protocol) {
      this.host.drop(packet, drop.PROTOCOL_UNKNOWN, 'icmp'); // one version's under the other's header
      return;
    }
    if (!icmp.check(memory.view, at, packet.length)) {
      this.host.drop(packet, drop.ICMP_MALFORMED, 'icmp');
      return;
    }
    if (!packet.checksumTrusted && !this.checksumValid(packet, dialect)) {
      this.host.drop(packet, drop.ICMP_CHECKSUM, 'icmp');
      return;
    }
    const type = icmp.type(memory.view, at);
    if (type === dialect.echoRequest) {
      this.answerEcho(packet, dialect);
      return;
    }
    if (dialect === ICMPV6 && icmpv6.isDiscovery(type)) {
      discoveryInput(this.host, device, packet);
      return;
    }
    if (type === dialect.echoReply) this.receiveReply(packet);
    else if (dialect.isError(type)) this.receiveError(packet, dialect);
    memory.free(packet);
  }

  private checksumValid(packet: Packet, dialect: Dialect): boolean {
    const { memory } = this.host;
    if (dialect === ICMPV4) return memory.sum(packet.offset, packet.length) === 0xffff;
    return transportChecksum(memory, packet.networkOffset, packet.offset, packet.length) === 0;
  }

  /**
   * Answers a packet with an error that quotes it; `packet.offset` is at its IP header and the caller goes on owning it.
   * `mtuBytes` is the next-hop MTU of "fragmentation needed" and "packet too big".
   */
  sendError(packet: Packet, kind: IcmpErrorKind, mtuBytes = 0): void {
    const { memory } = this.host;
    const { view } = memory;
    const dialect = dialectOf(view, packet.offset);
    if (!this.mayAnswer(packet, dialect, kind) || !this.errors.take()) return;
    const offender = ip.source(view, packet.offset);
    const route = this.host.route(offender);
    if (routeError(route) !== null) return;
    // The quoted bytes leave as they are, so that what they say of checksums must be true.
    if (packet.checksumTrusted && packet.segmentBytes === 0) completeIpChecksums(memory, packet.offset, packet.length);
    const room = dialect.maxErrorBytes - ip.fixedHeaderBytes(offender) - icmp.HEADER_BYTES;
    const quoted = Math.min(packet.length, room);
    const reply = memory.allocate(icmp.HEADER_BYTES + quoted);
    if (reply === undefined) {
      this.host.countDrop(drop.NO_PACKET_MEMORY);
      return;
    }
    if (dialect === ICMPV6) icmp.encode(view, reply.offset, kind.type6, kind.code6, mtuBytes);
    else icmp.encode(view, reply.offset, kind.type, kind.code, mtuBytes);
    memory.bytes.copyWithin(reply.offset + icmp.HEADER_BYTES, packet.offset, packet.offset + quoted);
    const intended = ip.destination(view, packet.offset);
    const source = this.host.isLocal(intended) ? intended : this.host.sourceOf(route!, offender);
    this.host.counters.icmpErrorsSent++;
    sendIp(this.host, reply, route!.nextHop, dialect.protocol, source, offender, DEFAULT_TTL, dialect.errorTos, true);
  }

  /**
   * RFC 1122 section 3.2.2, RFC 4443 section 2.4: no error about an error, a later fragment, a broadcast, or a source that
   * is no single host. "Packet too big" alone answers IPv6 multicast.
   */
  private mayAnswer(packet: Packet, dialect: Dialect, kind: IcmpErrorKind): boolean {
    const { view } = this.host.memory;
    const at = packet.offset;
    const source = ip.source(view, at);
    const destination = ip.destination(view, at);
    if (isUnspecified(source) || isMulticast(source) || this.host.isBroadcast(source)) return false;
    const tellsMtu = dialect === ICMPV6 && kind === PACKET_TOO_BIG;
    if ((isMulticast(destination) && !tellsMtu) || this.host.isBroadcast(destination)) return false;
    if (ip.fragmentOffset(view, at) !== 0) return false;
    if (ip.protocol(view, at) !== dialect.protocol) return true;
    const transport = at + ip.headerBytes(view, at);
    if (packet.length <= transport - at) return false;
    const type = icmp.type(view, transport);
    return !dialect.isError(type) && !(dialect === ICMPV6 && icmpv6.isDiscovery(type));
  }

  private sendEcho(request: PingRequest): SendError | null {
    const { memory } = this.host;
    const route = this.host.route(request.address);
    const error = routeError(route);
    if (error !== null) return error;
    const payloadBytes = request.payloadBytes ?? 56;
    const packet = memory.allocate(icmp.HEADER_BYTES + payloadBytes);
    if (packet === undefined) return 'ENOBUFS';
    const rest = ((request.identifier << 16) | request.sequence) >>> 0;
    const dialect = isIpv6(request.address) ? ICMPV6 : ICMPV4;
    icmp.encode(memory.view, packet.offset, dialect.echoRequest, 0, rest);
    const data = packet.offset + icmp.HEADER_BYTES;
    for (let i = 0; i < payloadBytes; i++) memory.bytes[data + i] = i;
    const source = request.source ?? this.host.sourceOf(route!, request.address);
    const ttl = request.ttl ?? DEFAULT_TTL;
    const mayFragment = request.dontFragment !== true;
    return sendIp(this.host, packet, route!.nextHop, dialect.protocol, source, request.address, ttl, 0, mayFragment);
  }

  /** Turns the request itself into the reply: same identifier, sequence and data (RFC 1122 section 3.2.2.6). */
  private answerEcho(packet: Packet, dialect: Dialect): void {
    const { memory } = this.host;
    const { view } = memory;
    const to = ip.source(view, packet.networkOffset);
    const asked = ip.destination(view, packet.networkOffset);
    const route = this.host.route(to);
    if (this.host.isBroadcast(asked) || routeError(route) !== null) {
      memory.free(packet);
      return;
    }
    const before = view.getUint16(packet.offset);
    icmp.setChecksum(view, packet.offset, checksum.update16(icmp.checksum(view, packet.offset), before, 0));
    view.setUint16(packet.offset, dialect.echoReply << 8);
    packet.mark = 0;
    packet.connection = null;
    const source = isMulticast(asked) ? this.host.sourceOf(route!, to) : asked;
    sendIp(this.host, packet, route!.nextHop, dialect.protocol, source, to, DEFAULT_TTL, 0, true);
  }

  private receiveReply(packet: Packet): void {
    const { view } = this.host.memory;
    const key = pingKey(icmp.identifier(view, packet.offset), icmp.sequence(view, packet.offset));
    const pending = this.pings.get(key);
    if (pending === undefined) return;
    this.finishPing(key, {
      kind: 'reply',
      from: ip.source(view, packet.networkOffset),
      bytes: packet.length,
      ttl: ip.ttl(view, packet.networkOffset),
      rttUs: this.host.engine.nowUs - pending.sentUs,
    });
  }

  /** Finds the socket that sent the quoted packet (RFC 1122 section 3.2.2: at least its first 8 bytes of transport). */
  private receiveError(packet: Packet, dialect: Dialect): void {
    const { view } = this.host.memory;
    const quoted = packet.offset + icmp.HEADER_BYTES;
    const quotedBytes = packet.length - icmp.HEADER_BYTES;
    const header = ip.quotedHeaderBytes(view, quoted, quotedBytes);
    if (header < 0 || dialectOf(view, quoted) !== dialect) return;
    const report = this.reportOf(packet, dialect);
    const protocol = ip.protocol(view, quoted);
    const ofProbe = this.host.probes.icmpError(quoted, quoted + header, report);
    // Whoever is not on the path cannot guess a segment in flight: a forged error must not shrink the path (RFC 5927 section 7).
    if (!ofProbe && protocol === ipv4.PROTOCOL_TCP && !this.host.tcp.isInFlight(quoted, quoted + header)) return;
    if (needsFragments(report)) this.learnPathMtu(quoted, report.mtuBytes);
    if (ofProbe) return;
    if (protocol === ipv4.PROTOCOL_TCP) this.host.tcp.icmpError(quoted, quoted + header, report);
    else if (protocol === ipv4.PROTOCOL_UDP) this.host.udp.icmpError(quoted, quoted + header, report);
    else if (protocol === dialect.protocol) this.pingError(quoted + header, report, dialect);
  }

  private reportOf(packet: Packet, dialect: Dialect): IcmpErrorReport {
    const { view } = this.host.memory;
    const from = ip.source(view, packet.networkOffset);
    const ttl = ip.ttl(view, packet.networkOffset);
    const type = icmp.type(view, packet.offset);
    const code = icmp.code(view, packet.offset);
    if (dialect === ICMPV6) {
      const mtuBytes = type === icmpv6.PACKET_TOO_BIG ? icmpv6.mtu(view, packet.offset) : 0;
      return { from, ...inIcmpv4Terms(type, code), mtuBytes, ttl };
    }
    const report = { from, type, code, mtuBytes: 0, ttl };
    return needsFragments(report) ? { ...report, mtuBytes: icmp.nextHopMtu(view, packet.offset) } : report;
  }

  /** A router that says 0 does not know RFC 1191: then half of what did not fit is tried. */
  private learnPathMtu(quoted: number, mtuBytes: number): void {
    const { view } = this.host.memory;
    if (!this.host.isLocal(ip.source(view, quoted))) return;
    const tooLong = ip.totalLength(view, quoted);
    if (mtuBytes < tooLong) this.host.pathMtu.learn(ip.destination(view, quoted), mtuBytes || tooLong >>> 1);
  }

  private pingError(quotedIcmp: number, report: IcmpErrorReport, dialect: Dialect): void {
    const { view } = this.host.memory;
    if (icmp.type(view, quotedIcmp) !== dialect.echoRequest) return;
    const key = pingKey(icmp.identifier(view, quotedIcmp), icmp.sequence(view, quotedIcmp));
    const { from, code, mtuBytes } = report;
    if (report.type === icmp.TIME_EXCEEDED) this.finishPing(key, { kind: 'time-exceeded', from });
    else if (report.type === icmp.DESTINATION_UNREACHABLE) {
      this.finishPing(key, { kind: 'unreachable', from, code, ...(mtuBytes > 0 ? { mtuBytes } : {}) });
    }
  }

  private finishPing(key: number, result: PingResult): void {
    const pending = this.pings.get(key);
    if (pending === undefined) return;
    this.forgetPing(key);
    pending.callback(result);
  }

  private forgetPing(key: number): void {
    this.pings.get(key)?.timer.cancel();
    this.pings.delete(key);
  }
}

function pingKey(identifier: number, sequence: number): number {
  return (identifier << 16) | sequence;
}

function dialectOf(view: DataView, network: number): Dialect {
  return ip.isIpv6(view, network) ? ICMPV6 : ICMPV4;
}

function needsFragments(report: IcmpErrorReport): boolean {
  return report.type === icmp.DESTINATION_UNREACHABLE && report.code === icmp.CODE_FRAGMENTATION_NEEDED;
}
