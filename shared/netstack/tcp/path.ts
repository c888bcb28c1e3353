import { fixedHeaderBytes } from '../../wire/ip.ts';
import { PROTOCOL_TCP } from '../../wire/ipv4.ts';
import type { Packet } from '../../wire/packet-memory.ts';
import { HEADER_BYTES } from '../../wire/tcp.ts';
import type { Host } from '../host.ts';
import { DEFAULT_TTL, routeError, type SendError, sendIp } from '../ip-output.ts';
import type { NextHop } from '../next-hop.ts';
import { DEFAULT_MSS_BYTES } from './sender.ts';

/** Less than a stale neighbour is used before it is probed. */
const CONFIRMATION_INTERVAL_US = 2_000_000;

/** The way of one connection's segments: the route, remembered while the FIB stays the same, and what fits on it. */
export class TcpPath {
  private readonly host: Host;
  private readonly localAddress: number;
  private readonly remoteAddress: number;
  private cached: NextHop | null = null;
  private cachedGeneration = -1;
  private confirmUs = 0;

  constructor(host: Host, localAddress: number, remoteAddress: number) {
    this.host = host;
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
  }

  /** The MSS of the path by its MTU as far as it is known, TCP options not subtracted. */
  mssBytes(): number {
    const nextHop = this.nextHop();
    if (nextHop === null) return DEFAULT_MSS_BYTES;
    return this.host.pathMtu.towards(this.remoteAddress, nextHop) - fixedHeaderBytes(this.remoteAddress) - HEADER_BYTES;
  }

  /** Data of the longest segment: `payloadBytes`, or what the first device takes as one super-segment of whole ones. */
  segmentLimitBytes(payloadBytes: number): number {
    const superBytes = this.nextHop()?.device?.superSegmentBytes ?? 0;
    if (superBytes < 2 * payloadBytes) return payloadBytes;
    return superBytes - (superBytes % payloadBytes);
  }

  /** Sends a transport packet; the answer is as of `sendIp`. */
  transmit(packet: Packet): SendError | null {
    const { host } = this;
    const nextHop = this.nextHop();
    if (nextHop === null) {
      host.memory.free(packet);
      return 'ENETUNREACH';
    }
    const { localAddress, remoteAddress } = this;
    host.tcp.counters.segmentsSent++;
    return sendIp(host, packet, nextHop, PROTOCOL_TCP, localAddress, remoteAddress, DEFAULT_TTL, 0, false);
  }

  /** New data was acknowledged, so the next hop is alive (RFC 4861 section 7.3.1); said once a while, which is enough. */
  confirm(): void {
    const { nowUs } = this.host.engine;
    if (nowUs < this.confirmUs) return;
    this.confirmUs = nowUs + CONFIRMATION_INTERVAL_US;
    const nextHop = this.nextHop();
    if (nextHop?.device == null) return;
    this.host.neighbours.confirm(nextHop.device, nextHop.gateway === 0 ? this.remoteAddress : nextHop.gateway);
  }

  private nextHop(): NextHop | null {
    const { generation } = this.host.routes;
    if (generation !== this.cachedGeneration) {
      const route = this.host.route(this.remoteAddress);
      this.cached = routeError(route) === null ? route!.nextHop : null;
      this.cachedGeneration = generation;
    }
    return this.cached;
  }
}
