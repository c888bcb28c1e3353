/** What netfilter's LOG target writes of a packet (net/netfilter/nf_log_syslog.c). */
import type { NetDevice } from '../../shared/netstack/device.ts';
import { PROTOCOL_SCTP } from '../../shared/policy/port-verdicts.ts';
import { formatMac } from '../../shared/wire/address.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as icmp from '../../shared/wire/icmp.ts';
import * as icmpv6 from '../../shared/wire/icmpv6.ts';
import * as ip from '../../shared/wire/ip.ts';
import { formatAddress } from '../../shared/wire/ip-address.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import * as ipv6 from '../../shared/wire/ipv6.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import * as tcp from '../../shared/wire/tcp.ts';
import * as udp from '../../shared/wire/udp.ts';

/** `calico-packet: IN=cali... OUT=eth0 MAC=... SRC=10.244.1.2 DST=... LEN=60 ... PROTO=TCP SPT=... DPT=... SYN URGP=0 ` */
export function packetLogLine(
  view: DataView,
  packet: Packet,
  prefix: string,
  inDevice: NetDevice | null,
  outDevice: NetDevice | null,
): string {
  const { networkOffset: network, transportOffset: transport, mark } = packet;
  const fields = [
    `${prefix}IN=${inDevice?.name ?? ''}`,
    `OUT=${outDevice?.name ?? ''}`,
    ...(inDevice === null ? [] : [`MAC=${linkHeader(view, network, inDevice)}`]),
    ...(ip.isIpv6(view, network) ? ipv6Fields(view, network) : ipv4Fields(view, network)),
    ...(ip.fragmentOffset(view, network) > 0 ? [] : transportFields(view, ip.protocol(view, network), transport)),
    ...(mark === 0 ? [] : [`MARK=0x${(mark >>> 0).toString(16)}`]),
  ];
  return `${fields.join(' ')} `;
}

/** Of a device that has addresses; the header stands in memory before the packet that came in it. */
function linkHeader(view: DataView, network: number, { macAddress }: NetDevice): string {
  const header = network - ethernet.HEADER_BYTES;
  const type = ethernet.type(view, header);
  if (macAddress === 0 || type !== ip.etherType(view, network)) return '';
  const macs = [ethernet.destination(view, header), ethernet.source(view, header)].map(formatMac);
  return `${macs.join(':')}:${hex(type >>> 8)}:${hex(type & 0xff)}`;
}

function ipv4Fields(view: DataView, network: number): string[] {
  const tos = ipv4.tos(view, network);
  const at = ipv4.fragmentOffset(view, network);
  return [
    `SRC=${formatAddress(ip.source(view, network))}`,
    `DST=${formatAddress(ip.destination(view, network))}`,
    `LEN=${ipv4.totalLength(view, network)}`,
    `TOS=0x${hex(tos & 0x1e)}`,
    `PREC=0x${hex(tos & 0xe0)}`,
    `TTL=${ipv4.ttl(view, network)}`,
    `ID=${ipv4.identification(view, network)}`,
    ...(ipv4.dontFragment(view, network) ? ['DF'] : []),
    ...(ipv4.moreFragments(view, network) ? ['MF'] : []),
    ...(at === 0 ? [] : [`FRAG:${at / 8}`]),
  ];
}

/** Addresses with all their digits. */
function ipv6Fields(view: DataView, network: number): string[] {
  const address = (at: number) =>
    Array.from({ length: 8 }, (_, i) => hex(view.getUint16(network + at + 2 * i), 4)).join(':');
  const first = view.getUint32(network);
  return [
    `SRC=${address(8)}`,
    `DST=${address(24)}`,
    `LEN=${ip.totalLength(view, network)}`,
    `TC=${(first >>> 20) & 0xff}`,
    `HOPLIMIT=${ip.ttl(view, network)}`,
    `FLOWLBL=${first & 0xfffff}`,
  ];
}

function transportFields(view: DataView, protocol: number, transport: number): string[] {
  const ports = () => [`SPT=${view.getUint16(transport)}`, `DPT=${view.getUint16(transport + 2)}`];
  switch (protocol) {
    case ipv4.PROTOCOL_TCP: {
      const flags = tcp.flagNames(tcp.flags(view, transport)).reverse();
      const window = `WINDOW=${tcp.window(view, transport)}`;
      return ['PROTO=TCP', ...ports(), window, 'RES=0x00', ...flags, `URGP=${tcp.urgentPointer(view, transport)}`];
    }
    case ipv4.PROTOCOL_UDP:
      return ['PROTO=UDP', ...ports(), `LEN=${udp.length(view, transport)}`];
    case PROTOCOL_SCTP:
      return ['PROTO=SCTP', ...ports()];
    case ipv4.PROTOCOL_ICMP:
    case ipv6.PROTOCOL_ICMPV6: {
      const [type, code] = [icmp.type(view, transport), icmp.code(view, transport)];
      const name = protocol === ipv4.PROTOCOL_ICMP ? 'ICMP' : 'ICMPv6';
      const echo = `ID=${icmp.identifier(view, transport)} SEQ=${icmp.sequence(view, transport)}`;
      return [`PROTO=${name}`, `TYPE=${type}`, `CODE=${code}`, ...(ECHO_TYPES.includes(type) ? [echo] : [])];
    }
    default:
      return [`PROTO=${protocol}`];
  }
}

/** Of both versions. */
const ECHO_TYPES = [icmp.ECHO_REQUEST, icmp.ECHO_REPLY, icmpv6.ECHO_REQUEST, icmpv6.ECHO_REPLY];

function hex(value: number, digits = 2): string {
  return value.toString(16).padStart(digits, '0');
}
