/** The tuple that names a flow, read from a packet in place. */
import * as icmp from '../../shared/wire/icmp.ts';
import * as icmpv6 from '../../shared/wire/icmpv6.ts';
import * as ip from '../../shared/wire/ip.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import * as ipv6 from '../../shared/wire/ipv6.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import * as tcp from '../../shared/wire/tcp.ts';
import * as udp from '../../shared/wire/udp.ts';
import type { Flow } from './flow.ts';

/** One object is reused for every packet. Fields are signed 32-bit integers, as in `Flow`. */
export class Tuple {
  source = 0;
  destination = 0;
  ports = 0;
  protocol = 0;

  /**
   * Reads the packet whose IP header passed its check. False when its transport header is malformed, or when it is an
   * ICMP message that no flow can be made of (errors, and types without a question and an answer).
   */
  read(view: DataView, network: number, transport: number): boolean {
    const size = this.readHeader(view, network) - (transport - network);
    switch (this.protocol) {
      case ipv4.PROTOCOL_TCP:
        if (!tcp.check(view, transport, size)) return false;
        break;
      case ipv4.PROTOCOL_UDP:
        if (!udp.check(view, transport, size)) return false;
        break;
      case ipv4.PROTOCOL_ICMP:
      case ipv6.PROTOCOL_ICMPV6:
        return icmp.check(view, transport, size) && this.readEcho(view, transport);
      default:
        this.ports = 0;
        return true;
    }
    this.ports = view.getInt32(transport);
    return true;
  }

  /** Addresses and protocol; the total length of the packet. One look at the version for all of them. */
  private readHeader(view: DataView, network: number): number {
    if (ip.isIpv6(view, network)) {
      this.source = ipv6.source(view, network) | 0;
      this.destination = ipv6.destination(view, network) | 0;
      this.protocol = ipv6.protocol(view, network);
      return ipv6.totalLength(view, network);
    }
    this.source = ipv4.source(view, network) | 0;
    this.destination = ipv4.destination(view, network) | 0;
    this.protocol = ipv4.protocol(view, network);
    return ipv4.totalLength(view, network);
  }

  /** Reads the packet that an ICMP error quotes: its IP header and at least 8 bytes after it. */
  readQuoted(view: DataView, network: number, length: number): boolean {
    const header = ip.quotedHeaderBytes(view, network, length);
    if (header < 0 || ip.fragmentOffset(view, network) !== 0) return false;
    const transport = network + header;
    this.readHeader(view, network);
    if (this.protocol === ipv4.PROTOCOL_ICMP || this.protocol === ipv6.PROTOCOL_ICMPV6)
      return this.readEcho(view, transport);
    if (this.protocol !== ipv4.PROTOCOL_TCP && this.protocol !== ipv4.PROTOCOL_UDP) this.ports = 0;
    else this.ports = view.getInt32(transport);
    return true;
  }

  /** Turns it round: what an answer to the packet looks like. */
  invert(): void {
    const { source } = this;
    this.source = this.destination;
    this.destination = source;
    if (this.protocol === ipv4.PROTOCOL_ICMP) this.ports ^= icmp.ECHO_REQUEST ^ icmp.ECHO_REPLY;
    else if (this.protocol === ipv6.PROTOCOL_ICMPV6) this.ports ^= icmpv6.ECHO_REQUEST ^ icmpv6.ECHO_REPLY;
    else this.ports = (this.ports << 16) | (this.ports >>> 16);
  }

  names(flow: Flow): boolean {
    return (
      flow.ports === this.ports &&
      flow.source === this.source &&
      flow.destination === this.destination &&
      flow.connection.protocol === this.protocol
    );
  }

  copyTo(flow: Flow): void {
    flow.source = this.source;
    flow.destination = this.destination;
    flow.ports = this.ports;
  }

  copyFrom(flow: Flow): void {
    this.source = flow.source;
    this.destination = flow.destination;
    this.ports = flow.ports;
    this.protocol = flow.connection.protocol;
  }

  private readEcho(view: DataView, transport: number): boolean {
    const type = icmp.type(view, transport);
    const known = this.protocol === ipv6.PROTOCOL_ICMPV6 ? isEchoOfIpv6(type) : isEchoOfIpv4(type);
    if (!known) return false;
    this.ports = (icmp.identifier(view, transport) << 16) | type;
    return true;
  }
}

function isEchoOfIpv4(type: number): boolean {
  return type === icmp.ECHO_REQUEST || type === icmp.ECHO_REPLY;
}

function isEchoOfIpv6(type: number): boolean {
  return type === icmpv6.ECHO_REQUEST || type === icmpv6.ECHO_REPLY;
}

/** ICMP of either version. */
export function isIcmp(protocol: number): boolean {
  return protocol === ipv4.PROTOCOL_ICMP || protocol === ipv6.PROTOCOL_ICMPV6;
}

/** Neighbour discovery, which belongs to one link and to no connection: nobody tracks it. */
export function isDiscovery(view: DataView, packet: Packet): boolean {
  const { networkOffset, transportOffset } = packet;
  if (!ip.isIpv6(view, networkOffset) || ip.protocol(view, networkOffset) !== ipv6.PROTOCOL_ICMPV6) return false;
  const end = networkOffset + ip.totalLength(view, networkOffset);
  return transportOffset < end && icmpv6.isDiscovery(icmp.type(view, transportOffset));
}
