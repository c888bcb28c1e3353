/**
 * ICMP of one host (RFC 792, RFC 1122 section 3.2.2): answers echoes, pings, makes errors and tells sockets of those that come.
 */
import * as address from '../wire/address.ts';
import * as checksum from '../wire/checksum.ts';
import { completeIpChecksums } from '../wire/complete-checksums.ts';
import * as icmp from '../wire/icmp.ts';
import * as ipv4 from '../wire/ipv4.ts';
import type { Packet } from '../wire/packet-memory.ts';
import * as drop from './drop-reasons.ts';
import type { TimerHandle } from './engine.ts';
import type { Host } from './host.ts';
import { DEFAULT_TTL, routeError, type SendError, sendIpv4 } from './ip-output.ts';
import { TokenBucket } from './token-bucket.ts';

/** Errors a host sends (Linux' icmp_msgs_per_sec and icmp_msgs_burst). */
export const ERRORS_PER_SECOND = 1000;
export const ERRORS_BURST = 50;
/** Pings of one host that wait for an answer. */
export const MAX_PENDING_PINGS = 4096;
/** An error, headers included, is no longer than what every host takes (RFC 1812 section 4.3.2.3). */
const MAX_ERROR_BYTES = 576;
const MAX_QUOTED_BYTES = MAX_ERROR_BYTES - ipv4.HEADER_BYTES - icmp.HEADER_BYTES;
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
    }
  | { readonly kind: 'unreachable'; readonly from: number; readonly code: number; readonly mtuBytes?: number }
  | { readonly kind: 'time-exceeded'; readonly from: number }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'error'; readonly error: SendError };

interface PendingPing {
  readonly sentUs: number;
  readonly callback: (result: PingResult) => void;
  readonly timer: TimerHandle;
}

/** An ICMP error as a socket is told of it. */
export interface IcmpErrorReport {
  /** Who sent it. */
  readonly from: number;
  readonly type: number;
  readonly code: number;
  /** Of "fragmentation needed"; 0 otherwise. */
  readonly mtuBytes: number;
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
  input(packet: Packet): void {
    const { memory } = this.host;
    const at = packet.offset;
    if (!icmp.check(memory.view, at, packet.length)) {
      this.host.drop(packet, drop.ICMP_MALFORMED, 'icmp');
      return;
    }
    if (!packet.checksumTrusted && memory.sum(at, packet.length) !== 0xffff) {
      this.host.drop(packet, drop.ICMP_CHECKSUM, 'icmp');
      return;
    }
    const type = icmp.type(memory.view, at);
    if (type === icmp.ECHO_REQUEST) {
      this.answerEcho(packet);
      return;
    }
    if (type === icmp.ECHO_REPLY) this.receiveReply(packet);
    else if (icmp.isError(type)) this.receiveError(packet);
    memory.free(packet);
  }

  /**
   * Answers a packet with an error that quotes it; `packet.offset` is at its IP header and the caller goes on owning it.
   * `rest` is the next-hop MTU of "fragmentation needed".
   */
  sendError(packet: Packet, type: number, code: number, rest = 0): void {
    const { memory } = this.host;
    const { view } = memory;
    if (!this.mayAnswer(packet) || !this.errors.take()) return;
    const offender = ipv4.source(view, packet.offset);
    const route = this.host.route(offender);
    if (routeError(route) !== null) return;
    // The quoted bytes leave as they are, so that what they say of checksums must be true.
    if (packet.checksumTrusted && packet.segmentBytes === 0) completeIpChecksums(memory, packet.offset, packet.length);
    const quoted = Math.min(packet.length, MAX_QUOTED_BYTES);
    const reply = memory.allocate(icmp.HEADER_BYTES + quoted);
    if (reply === undefined) {
      this.host.countDrop(drop.NO_PACKET_MEMORY);
      return;
    }
    icmp.encode(view, reply.offset, type, code, rest);
    memory.bytes.copyWithin(reply.offset + icmp.HEADER_BYTES, packet.offset, packet.offset + quoted);
    const intended = ipv4.destination(view, packet.offset);
    const source = this.host.isLocal(intended) ? intended : this.host.sourceOf(route!, offender);
    this.host.counters.icmpErrorsSent++;
    sendIpv4(this.host, reply, route!, ipv4.PROTOCOL_ICMP, source, offender, DEFAULT_TTL, ERROR_TOS, true);
  }

  /** RFC 1122 section 3.2.2: no error about an error, a later fragment, a broadcast, or a source that is no single host. */
  private mayAnswer(packet: Packet): boolean {
    const { view } = this.host.memory;
    const at = packet.offset;
    const source = ipv4.source(view, at);
    const destination = ipv4.destination(view, at);
    if (source === address.ANY_ADDRESS || address.isMulticast(source) || this.host.isBroadcast(source)) return false;
    if (address.isMulticast(destination) || this.host.isBroadcast(destination)) return false;
    if (ipv4.fragmentOffset(view, at) !== 0) return false;
    if (ipv4.protocol(view, at) !== ipv4.PROTOCOL_ICMP) return true;
    const transport = at + ipv4.headerBytes(view, at);
    return packet.length > transport - at && !icmp.isError(icmp.type(view, transport));
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
    icmp.encode(memory.view, packet.offset, icmp.ECHO_REQUEST, 0, rest);
    const data = packet.offset + icmp.HEADER_BYTES;
    for (let i = 0; i < payloadBytes; i++) memory.bytes[data + i] = i;
    const source = request.source ?? this.host.sourceOf(route!, request.address);
    const ttl = request.ttl ?? DEFAULT_TTL;
    const mayFragment = request.dontFragment !== true;
    return sendIpv4(this.host, packet, route!, ipv4.PROTOCOL_ICMP, source, request.address, ttl, 0, mayFragment);
  }

  /** Turns the request itself into the reply: same identifier, sequence and data (RFC 1122 section 3.2.2.6). */
  private answerEcho(packet: Packet): void {
    const { memory } = this.host;
    const { view } = memory;
    const to = ipv4.source(view, packet.networkOffset);
    const asked = ipv4.destination(view, packet.networkOffset);
    const route = this.host.route(to);
    if (this.host.isBroadcast(asked) || routeError(route) !== null) {
      memory.free(packet);
      return;
    }
    const before = view.getUint16(packet.offset);
    icmp.setChecksum(view, packet.offset, checksum.update16(icmp.checksum(view, packet.offset), before, 0));
    view.setUint16(packet.offset, icmp.ECHO_REPLY << 8);
    packet.mark = 0;
    packet.connection = null;
    sendIpv4(this.host, packet, route!, ipv4.PROTOCOL_ICMP, asked, to, DEFAULT_TTL, 0, true);
  }

  private receiveReply(packet: Packet): void {
    const { view } = this.host.memory;
    const key = pingKey(icmp.identifier(view, packet.offset), icmp.sequence(view, packet.offset));
    const pending = this.pings.get(key);
    if (pending === undefined) return;
    this.finishPing(key, {
      kind: 'reply',
      from: ipv4.source(view, packet.networkOffset),
      bytes: packet.length,
      ttl: ipv4.ttl(view, packet.networkOffset),
      rttUs: this.host.engine.nowUs - pending.sentUs,
    });
  }

  /** Finds the socket that sent the quoted packet (RFC 1122 section 3.2.2: at least its first 8 bytes of transport). */
  private receiveError(packet: Packet): void {
    const { view } = this.host.memory;
    const quoted = packet.offset + icmp.HEADER_BYTES;
    const quotedBytes = packet.length - icmp.HEADER_BYTES;
    if (quotedBytes < ipv4.HEADER_BYTES || view.getUint8(quoted) >>> 4 !== 4) return;
    const header = ipv4.headerBytes(view, quoted);
    if (header < ipv4.HEADER_BYTES || quotedBytes < header + 8) return;
    const type = icmp.type(view, packet.offset);
    const code = icmp.code(view, packet.offset);
    const needsFragments = type === icmp.DESTINATION_UNREACHABLE && code === icmp.CODE_FRAGMENTATION_NEEDED;
    const report: IcmpErrorReport = {
      from: ipv4.source(view, packet.networkOffset),
      type,
      code,
      mtuBytes: needsFragments ? icmp.nextHopMtu(view, packet.offset) : 0,
    };
    const protocol = ipv4.protocol(view, quoted);
    // Whoever is not on the path cannot guess a segment in flight: a forged error must not shrink the path (RFC 5927 section 7).
    if (protocol === ipv4.PROTOCOL_TCP && !this.host.tcp.isInFlight(quoted, quoted + header)) return;
    if (needsFragments) this.learnPathMtu(quoted, report.mtuBytes);
    if (protocol === ipv4.PROTOCOL_TCP) this.host.tcp.icmpError(quoted, quoted + header, report);
    else if (protocol === ipv4.PROTOCOL_UDP) this.host.udp.icmpError(quoted, quoted + header, report);
    else if (protocol === ipv4.PROTOCOL_ICMP) this.pingError(quoted + header, report);
  }

  /** A router that says 0 does not know RFC 1191: then half of what did not fit is tried. */
  private learnPathMtu(quoted: number, mtuBytes: number): void {
    const { view } = this.host.memory;
    if (!this.host.isLocal(ipv4.source(view, quoted))) return;
    const tooLong = ipv4.totalLength(view, quoted);
    if (mtuBytes < tooLong) this.host.pathMtu.learn(ipv4.destination(view, quoted), mtuBytes || tooLong >>> 1);
  }

  private pingError(quotedIcmp: number, report: IcmpErrorReport): void {
    const { view } = this.host.memory;
    if (icmp.type(view, quotedIcmp) !== icmp.ECHO_REQUEST) return;
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
