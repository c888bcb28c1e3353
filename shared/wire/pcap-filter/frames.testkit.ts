/** One frame of each kind that a node sees, for tests of what reads captures. */

import { parseIpv4, parseMac } from '../address.ts';
import { encode as encodeArp, REQUEST } from '../arp.ts';
import { finish, pseudoHeaderSum, sumRangeScalar } from '../checksum.ts';
import * as ethernet from '../ethernet.ts';
import { writeMac } from '../ethernet.ts';
import * as icmp from '../icmp.ts';
import * as ipv4 from '../ipv4.ts';
import * as tcp from '../tcp.ts';
import * as udp from '../udp.ts';
import * as vlan from '../vlan.ts';
import * as vxlan from '../vxlan.ts';

const CLIENT = parseIpv4('10.244.1.5')!;
const SERVER = parseIpv4('10.244.2.7')!;
const CLIENT_MAC = parseMac('0a:58:0a:f4:01:05')!;
const GATEWAY_MAC = parseMac('0a:58:0a:f4:01:01')!;
const NODE_MACS = [parseMac('02:42:c0:a8:01:0a')!, parseMac('02:42:c0:a8:01:0b')!] as const;

interface Ends {
  readonly from: number;
  readonly to: number;
}

const REQUEST_ENDS: Ends = { from: CLIENT, to: SERVER };
const ANSWER_ENDS: Ends = { from: SERVER, to: CLIENT };
const DNS_ENDS: Ends = { from: parseIpv4('10.0.1.9')!, to: parseIpv4('10.96.0.10')! };

function frame(type: number, payload: Uint8Array, to = GATEWAY_MAC, from = CLIENT_MAC): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ethernet.HEADER_BYTES + payload.length);
  ethernet.encode(new DataView(bytes.buffer), 0, to, from, type);
  bytes.set(payload, ethernet.HEADER_BYTES);
  return bytes;
}

function ip(protocol: number, { from, to }: Ends, payload: Uint8Array, ttl = 64): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ipv4.HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  ipv4.encode(view, 0, bytes.length, 0x1234, false, ttl, protocol, from, to);
  bytes.set(payload, ipv4.HEADER_BYTES);
  return bytes;
}

function transportSum({ from, to }: Ends, protocol: number, segment: Uint8Array): number {
  const view = new DataView(segment.buffer);
  return finish(pseudoHeaderSum(from, to, protocol, segment.length) + sumRangeScalar(view, 0, segment.length));
}

function segment(ends: Ends, ports: readonly [number, number], flags: number, options: boolean, data = ''): Uint8Array {
  const text = new TextEncoder().encode(data);
  const header = options ? 40 : 32;
  const bytes = new Uint8Array(header + text.length);
  const view = new DataView(bytes.buffer);
  const acknowledges = (flags & tcp.ACK) !== 0;
  tcp.encode(view, 0, ...ports, 1_000_000, acknowledges ? 2_000_001 : 0, header, flags, options ? 64_860 : 507);
  let at = tcp.HEADER_BYTES;
  if (options) {
    at = tcp.writeMss(view, at, 1410);
    at = tcp.writeSackPermitted(view, at);
    view.setUint32(at - 4, 0x0402_080a);
    view.setUint32(at, 1000);
    view.setUint32(at + 4, acknowledges ? 900 : 0);
    tcp.writeWindowScale(view, at + 8, 7);
  } else tcp.writeTimestamps(view, at, 1001, 901);
  bytes.set(text, header);
  tcp.setChecksum(view, 0, transportSum(ends, ipv4.PROTOCOL_TCP, bytes));
  return bytes;
}

function datagram(ends: Ends, from: number, to: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(udp.HEADER_BYTES + data.length);
  const view = new DataView(bytes.buffer);
  udp.encode(view, 0, from, to, bytes.length);
  bytes.set(data, udp.HEADER_BYTES);
  udp.setChecksum(view, 0, transportSum(ends, ipv4.PROTOCOL_UDP, bytes));
  return bytes;
}

function dns(answered: boolean): Uint8Array {
  const name = [3, ...new TextEncoder().encode('web'), 0];
  const answer = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 96, 12, 3];
  const head = [0x12, 0x34, answered ? 0x85 : 1, answered ? 0x80 : 0, 0, 1, 0, answered ? 1 : 0, 0, 0, 0, 0];
  return Uint8Array.of(...head, ...name, 0, 1, 0, 1, ...(answered ? answer : []));
}

function echo(type: number): Uint8Array {
  const bytes = new Uint8Array(icmp.HEADER_BYTES + 8);
  const view = new DataView(bytes.buffer);
  icmp.encode(view, 0, type, 0, 0x0007_0001);
  icmp.setChecksum(view, 0, finish(sumRangeScalar(view, 0, bytes.length)));
  return bytes;
}

function arpRequest(): Uint8Array {
  const bytes = new Uint8Array(28);
  encodeArp(new DataView(bytes.buffer), 0, REQUEST, CLIENT_MAC, CLIENT, 0, parseIpv4('10.244.1.1')!);
  return bytes;
}

/** From fd00::5 or fd00::6 to fd00::7. */
function ip6(nextHeader: number, host: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(40 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x6000_0000);
  view.setUint16(4, payload.length);
  view.setUint16(6, (nextHeader << 8) | 64);
  for (const [at, last] of [
    [8, host],
    [24, 7],
  ] as const) {
    view.setUint8(at, 0xfd);
    view.setUint8(at + 15, last);
  }
  bytes.set(payload, 40);
  return bytes;
}

function overlay(inner: Uint8Array): Uint8Array {
  const data = new Uint8Array(vxlan.HEADER_BYTES + inner.length);
  vxlan.encode(new DataView(data.buffer), 0, 1);
  data.set(inner, vxlan.HEADER_BYTES);
  const ends = { from: parseIpv4('192.168.1.10')!, to: parseIpv4('192.168.1.11')! };
  const outer = ip(ipv4.PROTOCOL_UDP, ends, datagram(ends, 50_000, vxlan.PORT, data), 62);
  return frame(ethernet.TYPE_IPV4, outer, NODE_MACS[1], NODE_MACS[0]);
}

function tagged(): Uint8Array {
  const inner = ip(
    ipv4.PROTOCOL_UDP,
    { from: parseIpv4('10.244.9.9')!, to: parseIpv4('10.244.9.8')! },
    new Uint8Array(8),
  );
  const bytes = new Uint8Array(ethernet.HEADER_BYTES + vlan.TAG_BYTES + inner.length);
  const view = new DataView(bytes.buffer);
  writeMac(view, 0, NODE_MACS[0]);
  writeMac(view, 6, NODE_MACS[1]);
  vlan.encode(view, 12, 100);
  view.setUint16(16, ethernet.TYPE_IPV4);
  bytes.set(inner, 18);
  return bytes;
}

function laterFragment(): Uint8Array {
  const ends = { from: parseIpv4('172.16.0.1')!, to: parseIpv4('172.16.0.2')! };
  const packet = ip(ipv4.PROTOCOL_UDP, ends, Uint8Array.of(0, 80, 0, 80, 0, 16, 0, 0));
  ipv4.setFragment(new DataView(packet.buffer), 0, packet.length, 1480, false);
  return frame(ethernet.TYPE_IPV4, packet, NODE_MACS[0], NODE_MACS[1]);
}

const SYN = ip(ipv4.PROTOCOL_TCP, REQUEST_ENDS, segment(REQUEST_ENDS, [40_000, 80], tcp.SYN, true));

export const FRAMES = {
  syn: frame(ethernet.TYPE_IPV4, SYN),
  synAck: frame(
    ethernet.TYPE_IPV4,
    ip(ipv4.PROTOCOL_TCP, ANSWER_ENDS, segment(ANSWER_ENDS, [80, 40_000], tcp.SYN | tcp.ACK, true)),
    CLIENT_MAC,
    GATEWAY_MAC,
  ),
  http: frame(
    ethernet.TYPE_IPV4,
    ip(
      ipv4.PROTOCOL_TCP,
      REQUEST_ENDS,
      segment(REQUEST_ENDS, [40_000, 80], tcp.PSH | tcp.ACK, false, 'GET / HTTP/1.1\r\n\r\n'),
    ),
  ),
  dnsQuery: frame(
    ethernet.TYPE_IPV4,
    ip(ipv4.PROTOCOL_UDP, DNS_ENDS, datagram(DNS_ENDS, 41_000, 53, dns(false))),
    NODE_MACS[0],
    NODE_MACS[1],
  ),
  dnsAnswer: frame(
    ethernet.TYPE_IPV4,
    ip(
      ipv4.PROTOCOL_UDP,
      { from: DNS_ENDS.to, to: DNS_ENDS.from },
      datagram({ from: DNS_ENDS.to, to: DNS_ENDS.from }, 53, 41_000, dns(true)),
    ),
    NODE_MACS[0],
    NODE_MACS[1],
  ),
  ping: frame(ethernet.TYPE_IPV4, ip(ipv4.PROTOCOL_ICMP, REQUEST_ENDS, echo(icmp.ECHO_REQUEST))),
  arpRequest: frame(ethernet.TYPE_ARP, arpRequest(), ethernet.BROADCAST),
  laterFragment: laterFragment(),
  overlay: overlay(frame(ethernet.TYPE_IPV4, SYN)),
  ping6: frame(ethernet.TYPE_IPV6, ip6(58, 5, Uint8Array.of(128, 0, 0, 0, 0, 7, 0, 1)), NODE_MACS[0], NODE_MACS[1]),
  tcp6: frame(ethernet.TYPE_IPV6, ip6(6, 6, Uint8Array.of(0x9c, 0x40, 0, 80, 0, 0, 0, 1)), NODE_MACS[0], NODE_MACS[1]),
  tagged: tagged(),
} as const satisfies Record<string, Uint8Array>;
