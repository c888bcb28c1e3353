/** The reasons for which a host's stack drops a packet; one object each, so that dropping allocates nothing. */
import type { DropReason } from './hooks.ts';

const reason = (code: string): DropReason => Object.freeze({ code });

export const FRAME_MALFORMED = reason('frame-malformed');
export const FRAME_NOT_FOR_US = reason('frame-not-for-us');
export const ETHERTYPE_UNKNOWN = reason('ethertype-unknown');
export const ARP_MALFORMED = reason('arp-malformed');
export const IP_MALFORMED = reason('ip-malformed');
export const IP_CHECKSUM = reason('ip-checksum');
export const IP_OPTIONS_MALFORMED = reason('ip-options-malformed');
export const IP_SOURCE_ROUTE = reason('ip-source-route');
export const IP_OPTION_UNKNOWN = reason('ip-option-unknown');
/** More IPv6 addresses are in use than the process has places for. */
export const ADDRESS_TABLE_FULL = reason('address-table-full');
export const MARTIAN_SOURCE = reason('martian-source');
export const MARTIAN_DESTINATION = reason('martian-destination');
export const REVERSE_PATH = reason('reverse-path');
export const NO_ROUTE = reason('no-route');
export const ROUTE_BLACKHOLE = reason('route-blackhole');
export const ROUTE_UNREACHABLE = reason('route-unreachable');
export const ROUTE_PROHIBIT = reason('route-prohibit');
/** A link-local address, which no router forwards. */
export const BEYOND_SCOPE = reason('beyond-scope');
export const NOT_FORWARDING = reason('not-forwarding');
export const MULTICAST_NOT_JOINED = reason('multicast-not-joined');
export const TTL_EXCEEDED = reason('ttl-exceeded');
export const FRAGMENTATION_NEEDED = reason('fragmentation-needed');
export const FRAGMENT_MALFORMED = reason('fragment-malformed');
export const REASSEMBLY_FULL = reason('reassembly-full');
export const REASSEMBLY_TIMEOUT = reason('reassembly-timeout');
export const PROTOCOL_UNKNOWN = reason('protocol-unknown');
export const NO_PACKET_MEMORY = reason('no-packet-memory');
export const DEVICE_DOWN = reason('device-down');
export const NEIGHBOUR_FAILED = reason('neighbour-failed');
export const NEIGHBOUR_QUEUE_FULL = reason('neighbour-queue-full');
export const NEIGHBOUR_TABLE_FULL = reason('neighbour-table-full');
export const ICMP_MALFORMED = reason('icmp-malformed');
export const ICMP_CHECKSUM = reason('icmp-checksum');
export const UDP_MALFORMED = reason('udp-malformed');
export const UDP_CHECKSUM = reason('udp-checksum');
export const UDP_NO_SOCKET = reason('udp-no-socket');
export const UDP_RECEIVE_QUEUE_FULL = reason('udp-receive-queue-full');
export const TCP_MALFORMED = reason('tcp-malformed');
export const TCP_CHECKSUM = reason('tcp-checksum');
export const TCP_NO_SOCKET = reason('tcp-no-socket');
export const TCP_BACKLOG_FULL = reason('tcp-backlog-full');
export const TCP_OUT_OF_WINDOW = reason('tcp-out-of-window');
