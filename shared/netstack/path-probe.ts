/**
 * Probes of a path over UDP or TCP, as traceroute(8) sends them: a datagram or a SYN with few hops to live, and the first thing that is
 * heard of it, an ICMP error or an answer of the target. No socket stands behind one; what answers is answered as anything unasked
 * (a SYN-ACK with a reset).
 *
 * A datagram would come to the program that listens at the port. Where it should not, the host there awaits it by what it
 * carries, and answers in the program's place.
 */
import * as icmp from '../wire/icmp.ts';
import * as ip from '../wire/ip.ts';
import { PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ipv4.ts';
import type { Packet } from '../wire/packet-memory.ts';
import * as tcp from '../wire/tcp.ts';
import * as udp from '../wire/udp.ts';
import type { TimerHandle } from './engine.ts';
import { randomPort } from './ephemeral-ports.ts';
import type { Host } from './host.ts';
import type { PingResult } from './icmp.ts';
import type { IcmpErrorReport } from './icmp-error.ts';
import { DEFAULT_TTL, routeError, type SendError, sendIp } from './ip-output.ts';

/** Probes that one host may have under way, and await. */
export const MAX_PENDING_PROBES = 1024;

const SYN_WINDOW = 5840;

export interface PathProbe {
  readonly protocol: 'udp' | 'tcp';
  readonly address: number;
  readonly port: number;
  readonly ttl: number;
  /** Of UDP, all zero where `payload` does not say them; a SYN has none. */
  readonly payloadBytes: number;
  readonly payload?: Uint8Array | undefined;
  readonly dontFragment: boolean;
  readonly timeoutUs: number;
}

interface Pending {
  readonly probe: PathProbe;
  readonly sentUs: number;
  readonly timer: TimerHandle;
  readonly callback: (result: PingResult) => void;
}

export class PathProbes {
  private readonly host: Host;
  /** By protocol and local port. */
  private readonly pending = new Map<number, Pending>();
  /** Payloads of other hosts' probes. */
  private expected: readonly Uint8Array[] = [];

  constructor(host: Host) {
    this.host = host;
  }

  /** Sends it and calls back once, at the latest with the time-out. The function returned forgets it without a call. */
  send(probe: PathProbe, callback: (result: PingResult) => void): () => void {
    const { engine } = this.host;
    const protocol = probe.protocol === 'tcp' ? PROTOCOL_TCP : PROTOCOL_UDP;
    const full = this.pending.size >= MAX_PENDING_PROBES;
    const port = full ? 0 : randomPort(engine.random, (candidate) => !this.pending.has(keyOf(protocol, candidate)));
    const key = keyOf(protocol, port);
    const timer = engine.schedule(engine.nowUs + probe.timeoutUs, () => this.finish(key, { kind: 'timeout' }));
    const entry = { probe, sentUs: engine.nowUs, timer, callback };
    if (port === 0) {
      timer.cancel();
      callback({ kind: 'error', error: 'ENOBUFS' });
      return () => undefined;
    }
    this.pending.set(key, entry);
    const error = this.transmit(probe, protocol, port);
    if (error !== null) this.finish(key, { kind: 'error', error });
    return () => {
      if (this.pending.get(key) === entry) this.forget(key);
    };
  }

  /** An ICMP error that quotes one of the probes: IP header at `network`, at least 8 bytes of transport. False where it is none. */
  icmpError(network: number, transport: number, report: IcmpErrorReport): boolean {
    if (this.pending.size === 0) return false;
    const { view } = this.host.memory;
    const key = keyOf(ip.protocol(view, network), udp.sourcePort(view, transport));
    const target = ip.destination(view, network);
    if (!this.isOf(key, target, udp.destinationPort(view, transport))) return false;
    const { from, code, mtuBytes, ttl } = report;
    if (report.type === icmp.TIME_EXCEEDED) this.finish(key, { kind: 'time-exceeded', from, ttl });
    else this.finish(key, { kind: 'unreachable', from, code, ttl, ...(mtuBytes > 0 ? { mtuBytes } : {}) });
    return true;
  }

  /** A segment or datagram that no socket is for, `offset` at its header; false where it answers no probe. The caller goes on owning it. */
  answered(packet: Packet): boolean {
    if (this.pending.size === 0) return false;
    const { view } = this.host.memory;
    const { offset, networkOffset, length } = packet;
    const key = keyOf(ip.protocol(view, networkOffset), udp.destinationPort(view, offset));
    const from = ip.source(view, networkOffset);
    if (!this.isOf(key, from, udp.sourcePort(view, offset))) return false;
    const rttUs = this.host.engine.nowUs - this.pending.get(key)!.sentUs;
    const isReset = key >> 16 === PROTOCOL_TCP && (tcp.flags(view, offset) & tcp.RST) !== 0;
    const refused = isReset ? { refused: true } : {};
    this.finish(key, { kind: 'reply', from, bytes: length, ttl: ip.ttl(view, networkOffset), rttUs, ...refused });
    return true;
  }

  /** From now on and for so long, a datagram with this payload is answered here and comes to no program. */
  expect(payload: Uint8Array, durationUs: number): void {
    const { engine } = this.host;
    this.expected = [...this.expected.slice(1 - MAX_PENDING_PROBES), payload];
    engine.schedule(engine.nowUs + durationUs, () => {
      this.expected = this.expected.filter((other) => other !== payload);
    });
  }

  /** Of a datagram, `offset` at its UDP header: whether it is a probe that is awaited, which then is answered. The caller goes on owning it. */
  takes(packet: Packet): boolean {
    if (this.expected.length === 0) return false;
    const { view, bytes } = this.host.memory;
    const { offset, networkOffset, length } = packet;
    const payload = bytes.subarray(offset + udp.HEADER_BYTES, offset + length);
    if (!this.expected.some((one) => isSame(one, payload))) return false;
    const reply = {
      protocol: 'udp',
      address: ip.source(view, networkOffset),
      port: udp.sourcePort(view, offset),
      ttl: DEFAULT_TTL,
      payloadBytes: 0,
      dontFragment: false,
      timeoutUs: 0,
    } as const;
    const own = ip.destination(view, networkOffset);
    this.transmit(reply, PROTOCOL_UDP, udp.destinationPort(view, offset), own);
    return true;
  }

  visitAddresses(visit: (address: number) => void): void {
    for (const { probe } of this.pending.values()) visit(probe.address);
  }

  /** Ports stand at the same place in both protocols' headers. */
  private isOf(key: number, address: number, port: number): boolean {
    const probe = this.pending.get(key)?.probe;
    return probe?.address === address && probe.port === port;
  }

  /** `own`: the address that it is sent from, where that is not left to the route. */
  private transmit(probe: PathProbe, protocol: number, localPort: number, own?: number): SendError | null {
    const { memory, engine } = this.host;
    const { address, port, ttl, dontFragment, payload } = probe;
    const route = this.host.route(address);
    const error = routeError(route);
    if (error !== null) return error;
    const isTcp = protocol === PROTOCOL_TCP;
    const bytes = isTcp ? tcp.HEADER_BYTES : udp.HEADER_BYTES + (payload?.length ?? probe.payloadBytes);
    const packet = memory.allocate(bytes);
    if (packet === undefined) return 'ENOBUFS';
    const { view } = memory;
    const { offset } = packet;
    if (isTcp) {
      const sequence = Math.floor(engine.random() * 2 ** 32);
      tcp.encode(view, offset, localPort, port, sequence, 0, tcp.HEADER_BYTES, tcp.SYN, SYN_WINDOW);
    } else {
      memory.bytes.fill(0, offset + udp.HEADER_BYTES, offset + bytes);
      if (payload !== undefined) memory.bytes.set(payload, offset + udp.HEADER_BYTES);
      udp.encode(view, offset, localPort, port, bytes);
    }
    const source = own ?? this.host.sourceOf(route!, address);
    return sendIp(this.host, packet, route!.nextHop, protocol, source, address, ttl, 0, !dontFragment);
  }

  private finish(key: number, result: PingResult): void {
    const pending = this.pending.get(key);
    if (pending === undefined) return;
    this.forget(key);
    pending.callback(result);
  }

  private forget(key: number): void {
    this.pending.get(key)?.timer.cancel();
    this.pending.delete(key);
  }
}

function keyOf(protocol: number, localPort: number): number {
  return (protocol << 16) | localPort;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
