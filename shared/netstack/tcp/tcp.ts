import * as ipv4 from '../../wire/ipv4.ts';
import type { Packet } from '../../wire/packet-memory.ts';
import * as tcp from '../../wire/tcp.ts';
import * as drop from '../drop-reasons.ts';
import type { Host } from '../host.ts';
import type { IcmpErrorReport } from '../icmp.ts';
import { sendResetFor } from './reset.ts';

/** TCP of one host (RFC 9293): connections, listeners, and segments in. */
export class TcpLayer {
  private readonly host: Host;

  constructor(host: Host) {
    this.host = host;
  }

  /** A segment for this host, `offset` at its TCP header. Takes ownership. */
  input(packet: Packet): void {
    const { view } = this.host.memory;
    if (!tcp.check(view, packet.offset, packet.length)) {
      this.host.drop(packet, drop.TCP_MALFORMED, 'tcp');
      return;
    }
    const dataBytes = packet.length - tcp.headerBytes(view, packet.offset);
    sendResetFor(this.host, packet, packet.networkOffset, packet.offset, dataBytes);
    this.host.drop(packet, drop.TCP_NO_SOCKET, 'tcp');
  }

  /** Answers a segment a hook rejected with `tcp-reset`; `packet.offset` is at the IP header, the caller owns it. */
  resetRefused(packet: Packet): void {
    const { view } = this.host.memory;
    const transport = packet.offset + ipv4.headerBytes(view, packet.offset);
    const size = packet.length - (transport - packet.offset);
    if (ipv4.protocol(view, packet.offset) !== ipv4.PROTOCOL_TCP || !tcp.check(view, transport, size)) return;
    sendResetFor(this.host, packet, packet.offset, transport, size - tcp.headerBytes(view, transport));
  }

  /** An ICMP error that quotes a segment of ours: IP header at `network`, TCP header at `transport`. */
  icmpError(_network: number, _transport: number, _report: IcmpErrorReport): void {}
}
