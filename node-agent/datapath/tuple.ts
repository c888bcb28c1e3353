/** The tuple that names a flow, read from a packet in place. */
import * as icmp from '../../shared/wire/icmp.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
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
    this.source = ipv4.source(view, network) | 0;
    this.destination = ipv4.destination(view, network) | 0;
    this.protocol = ipv4.protocol(view, network);
    const size = network + ipv4.totalLength(view, network) - transport;
    switch (this.protocol) {
      case ipv4.PROTOCOL_TCP:
        if (!tcp.check(view, transport, size)) return false;
        break;
      case ipv4.PROTOCOL_UDP:
        if (!udp.check(view, transport, size)) return false;
        break;
      case ipv4.PROTOCOL_ICMP:
        return icmp.check(view, transport, size) && this.readEcho(view, transport);
      default:
        this.ports = 0;
        return true;
    }
    this.ports = view.getInt32(transport);
    return true;
  }

  /** Reads the packet that an ICMP error quotes: its IP header and at least 8 bytes after it. */
  readQuoted(view: DataView, network: number, length: number): boolean {
    // The quoted packet is cut off, so its total length says nothing about what is here.
    if (length < ipv4.HEADER_BYTES || view.getUint8(network) >>> 4 !== 4) return false;
    const header = ipv4.headerBytes(view, network);
    if (header < ipv4.HEADER_BYTES || length < header + 8) return false;
    if (ipv4.fragmentOffset(view, network) !== 0) return false;
    const transport = network + header;
    this.source = ipv4.source(view, network) | 0;
    this.destination = ipv4.destination(view, network) | 0;
    this.protocol = ipv4.protocol(view, network);
    if (this.protocol === ipv4.PROTOCOL_ICMP) return this.readEcho(view, transport);
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
    if (type !== icmp.ECHO_REQUEST && type !== icmp.ECHO_REPLY) return false;
    this.ports = (icmp.identifier(view, transport) << 16) | type;
    return true;
  }
}
