/** The sockets of a network namespace as data: what `ss` and `netstat` print. */
import type { Host } from '../../shared/netstack/host.ts';
import { TcpConnection } from '../../shared/netstack/tcp/connection.ts';
import type { TcpEndpoint } from '../../shared/netstack/tcp/endpoint-table.ts';
import { RECEIVE_QUEUE_BYTES } from '../../shared/netstack/udp-socket.ts';
import { holderOf, type SocketHolder } from '../../shared/podnet/socket-owner.ts';
import { formatAddress } from '../../shared/wire/ip-address.ts';
import { ANY_IPV6 } from '../../shared/wire/ipv6-address.ts';
import { isIpv6 } from '../../shared/wire/ipv6-table.ts';
import { connectionInfo } from './connection-info.ts';

export interface SocketMemory {
  readonly receiveBufferBytes: number;
  readonly sendBufferBytes: number;
  readonly drops: number;
}

export interface SocketRow {
  readonly protocol: 'tcp' | 'udp';
  /** As `ss` names it: `LISTEN`, `ESTAB`, `UNCONN`. */
  readonly state: string;
  readonly receiveQueueBytes: number;
  readonly sendQueueBytes: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  /** 0 for none. */
  readonly remotePort: number;
  readonly memory: SocketMemory;
  /** The line of `ss -i`; only open connections have one. */
  readonly info?: () => string;
  /** The program that has it open, where one of this node's has. */
  readonly holder?: SocketHolder;
}

/** Linux' wmem_default; what is sent here leaves at once. */
const UDP_SEND_BYTES = 212_992;

export function socketRows(host: Host): SocketRow[] {
  return [...udpRows(host), ...listenRows(host), ...connectionRows(host)];
}

function udpRows(host: Host): SocketRow[] {
  return host.udp.list().map((socket) => ({
    protocol: 'udp',
    state: socket.remotePort === 0 ? 'UNCONN' : 'ESTAB',
    receiveQueueBytes: socket.receiveQueueBytes,
    sendQueueBytes: 0,
    localAddress: boundText(socket.localAddress),
    localPort: socket.localPort,
    remoteAddress: socket.remotePort === 0 ? anyText(socket.localAddress) : formatAddress(socket.remoteAddress),
    remotePort: socket.remotePort,
    memory: { receiveBufferBytes: RECEIVE_QUEUE_BYTES, sendBufferBytes: UDP_SEND_BYTES, drops: socket.receiveDrops },
    holder: holderOf(socket),
  }));
}

function listenRows(host: Host): SocketRow[] {
  return host.tcp.listListeners().map((listener) => ({
    protocol: 'tcp',
    state: 'LISTEN',
    receiveQueueBytes: listener.unaccepted,
    sendQueueBytes: listener.backlog,
    localAddress: boundText(listener.localAddress),
    localPort: listener.localPort,
    remoteAddress: anyText(listener.localAddress),
    remotePort: 0,
    memory: tcpMemory(host),
    holder: holderOf(listener),
  }));
}

/** Where `ss` has another word than RFC 9293. */
const SHORT_STATES: Readonly<Record<string, string>> = { ESTABLISHED: 'ESTAB', 'SYN-RECEIVED': 'SYN-RECV' };

function connectionRows(host: Host): SocketRow[] {
  return host.tcp.list().map((endpoint) => ({
    protocol: 'tcp',
    state: SHORT_STATES[endpoint.state] ?? endpoint.state,
    ...queuesOf(endpoint),
    localAddress: formatAddress(endpoint.localAddress),
    localPort: endpoint.localPort,
    remoteAddress: formatAddress(endpoint.remoteAddress),
    remotePort: endpoint.remotePort,
    memory: tcpMemory(host),
    holder: holderOf(endpoint),
  }));
}

function tcpMemory({ tcp }: Host): SocketMemory {
  const { receiveBufferBytes, sendBufferBytes } = tcp.settings;
  return { receiveBufferBytes, sendBufferBytes, drops: 0 };
}

/** `*`: a socket that hears both versions. */
function boundText(address: number): string {
  return address === ANY_IPV6 ? '*' : formatAddress(address);
}

/** Who may write to a socket bound to `address`: anyone of its version. */
function anyText(address: number): string {
  if (address === ANY_IPV6) return '*';
  return isIpv6(address) ? '::' : '0.0.0.0';
}

function queuesOf(endpoint: TcpEndpoint): Pick<SocketRow, 'receiveQueueBytes' | 'sendQueueBytes' | 'info'> {
  if (!(endpoint instanceof TcpConnection)) return { receiveQueueBytes: 0, sendQueueBytes: 0 };
  return {
    receiveQueueBytes: endpoint.receiver.queuedBytes,
    sendQueueBytes: endpoint.sendQueueBytes,
    info: () => connectionInfo(endpoint),
  };
}

export interface SocketCounts {
  readonly total: number;
  readonly udp: number;
  readonly tcp: number;
  readonly established: number;
  readonly timeWait: number;
  /** Of those of TCP and of UDP, the ones that speak IPv6. */
  readonly tcpIpv6: number;
  readonly udpIpv6: number;
}

export function socketCounts(host: Host): SocketCounts {
  const rows = socketRows(host);
  const count = (fits: (row: SocketRow) => boolean): number => rows.filter(fits).length;
  const isIpv6Row = ({ localAddress }: SocketRow): boolean => localAddress === '*' || localAddress.includes(':');
  return {
    total: rows.length,
    udp: count(({ protocol }) => protocol === 'udp'),
    tcp: count(({ protocol }) => protocol === 'tcp'),
    established: count(({ protocol, state }) => protocol === 'tcp' && state === 'ESTAB'),
    timeWait: count(({ state }) => state === 'TIME-WAIT'),
    tcpIpv6: count((row) => row.protocol === 'tcp' && isIpv6Row(row)),
    udpIpv6: count((row) => row.protocol === 'udp' && isIpv6Row(row)),
  };
}
