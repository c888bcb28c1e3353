/** One line about a packet, for people: `TCP 10.244.1.5:40000 > 10.96.12.3:80 [SYN] ttl 64, 60 bytes`. */
import * as icmp from '../../shared/wire/icmp.ts';
import * as icmpv6 from '../../shared/wire/icmpv6.ts';
import * as ip from '../../shared/wire/ip.ts';
import { formatAddress } from '../../shared/wire/ip-address.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import * as ipv6 from '../../shared/wire/ipv6.ts';
import * as tcp from '../../shared/wire/tcp.ts';

const TCP_FLAG_NAMES: readonly (readonly [bit: number, name: string])[] = [
  [tcp.SYN, 'SYN'],
  [tcp.FIN, 'FIN'],
  [tcp.RST, 'RST'],
  [tcp.PSH, 'PSH'],
  [tcp.ACK, 'ACK'],
];

const ICMP_NAMES: Readonly<Record<number, string>> = {
  [icmp.ECHO_REQUEST]: 'echo request',
  [icmp.ECHO_REPLY]: 'echo reply',
  [icmp.DESTINATION_UNREACHABLE]: 'unreachable',
  [icmp.TIME_EXCEEDED]: 'time exceeded',
};

const ICMPV6_NAMES: Readonly<Record<number, string>> = {
  [icmpv6.ECHO_REQUEST]: 'echo request',
  [icmpv6.ECHO_REPLY]: 'echo reply',
  [icmpv6.DESTINATION_UNREACHABLE]: 'unreachable',
  [icmpv6.PACKET_TOO_BIG]: 'packet too big',
  [icmpv6.TIME_EXCEEDED]: 'time exceeded',
  [icmpv6.NEIGHBOUR_SOLICITATION]: 'neighbour solicitation',
  [icmpv6.NEIGHBOUR_ADVERTISEMENT]: 'neighbour advertisement',
};

/** `transport` is the offset after the IP header; both headers are there. */
export function packetSummary(view: DataView, network: number, transport: number): string {
  const source = formatAddress(ip.source(view, network));
  const destination = formatAddress(ip.destination(view, network));
  const size = `ttl ${ip.ttl(view, network)}, ${ip.totalLength(view, network)} bytes`;
  switch (ip.protocol(view, network)) {
    case ipv4.PROTOCOL_TCP: {
      const flags = tcp.flags(view, transport);
      const names = TCP_FLAG_NAMES.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
      const ports = [tcp.sourcePort(view, transport), tcp.destinationPort(view, transport)];
      return `TCP ${source}:${ports[0]} > ${destination}:${ports[1]} [${names.join(' ')}] ${size}`;
    }
    case ipv4.PROTOCOL_UDP: {
      const ports = [view.getUint16(transport), view.getUint16(transport + 2)];
      return `UDP ${source}:${ports[0]} > ${destination}:${ports[1]} ${size}`;
    }
    case ipv6.PROTOCOL_ICMPV6: {
      const type = icmp.type(view, transport);
      return `ICMPv6 ${source} > ${destination} ${ICMPV6_NAMES[type] ?? `type ${type}`} ${size}`;
    }
    case ipv4.PROTOCOL_ICMP: {
      const type = icmp.type(view, transport);
      return `ICMP ${source} > ${destination} ${ICMP_NAMES[type] ?? `type ${type}`} ${size}`;
    }
    default:
      return `protocol ${ip.protocol(view, network)} ${source} > ${destination} ${size}`;
  }
}
