/** `/proc/net/*` in the columns of Linux (proc_pid_net(5)); what the emulated kernel does not count is 0. */
import type { Host } from '../../shared/netstack/host.ts';
import { formatMac, prefixMask } from '../../shared/wire/address.ts';
import { formatAddress } from '../../shared/wire/ip-address.ts';
import { parseIpv6Words } from '../../shared/wire/ipv6-address.ts';
import { isIpv6 } from '../../shared/wire/ipv6-table.ts';
import { type CommandOutput, failed, printed } from './command-output.ts';
import { counterLines } from './protocol-counters.ts';
import { type SocketRow, socketCounts, socketRows } from './socket-rows.ts';

type Table = (host: Host) => string[];

const TABLES: Readonly<Record<string, Table>> = {
  arp: arpTable,
  dev: deviceTable,
  if_inet6: ipv6Addresses,
  netstat: (host) => counterLines(host, 'netstat'),
  route: routeTable,
  snmp: (host) => counterLines(host, 'snmp'),
  sockstat: socketUse,
  tcp: (host) => socketTable(host, 'tcp', false),
  tcp6: (host) => socketTable(host, 'tcp', true),
  udp: (host) => socketTable(host, 'udp', false),
  udp6: (host) => socketTable(host, 'udp', true),
};

const FOLDER = '/proc/net/';

/** `cat /proc/net/NAME`. */
export function procNetCommand(host: Host, [path = '']: readonly string[]): CommandOutput {
  const name = path.startsWith(FOLDER) ? path.slice(FOLDER.length) : '';
  const table = Object.hasOwn(TABLES, name) ? TABLES[name] : undefined;
  if (table === undefined) return failed(`cat: ${path}: No such file or directory`);
  return printed(
    table(host)
      .map((line) => `${line}\n`)
      .join(''),
  );
}

/** include/net/tcp_states.h */
const STATES: Readonly<Record<string, number>> = {
  ESTAB: 1,
  'SYN-SENT': 2,
  'SYN-RECV': 3,
  'FIN-WAIT-1': 4,
  'FIN-WAIT-2': 5,
  'TIME-WAIT': 6,
  UNCONN: 7,
  CLOSED: 7,
  'CLOSE-WAIT': 8,
  'LAST-ACK': 9,
  LISTEN: 10,
  CLOSING: 11,
};

function socketTable(host: Host, protocol: SocketRow['protocol'], ipv6: boolean): string[] {
  const gap = ipv6 ? ' '.repeat(24) : '';
  const indent = protocol === 'udp' ? '   ' : '  ';
  const rest = protocol === 'udp' ? ' ref pointer drops' : '';
  const heading = `${indent}sl  local_address${gap} rem_address${gap}   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode${rest}`;
  const rows = socketRows(host).filter((row) => row.protocol === protocol && isIpv6Row(row) === ipv6);
  return [heading, ...rows.map((row, index) => socketLine(row, index, ipv6))];
}

function isIpv6Row({ localAddress }: SocketRow): boolean {
  return localAddress === '*' || localAddress.includes(':');
}

function socketLine(row: SocketRow, index: number, ipv6: boolean): string {
  const end = (address: string, port: number): string => `${addressHex(address, ipv6)}:${hex(port, 4)}`;
  const width = row.protocol === 'udp' ? 5 : 4;
  // The second is the backlog of a listener, where `ss` shows its bound too.
  const sendQueueBytes = row.state === 'LISTEN' ? 0 : row.sendQueueBytes;
  const queues = `${hex(sendQueueBytes, 8)}:${hex(row.receiveQueueBytes, 8)}`;
  const last = row.protocol === 'udp' ? '2 0000000000000000 0' : '1 0000000000000000 100 0 0 10 0';
  return `${String(index).padStart(width)}: ${end(row.localAddress, row.localPort)} ${end(row.remoteAddress, row.remotePort)} ${hex(STATES[row.state] ?? 7, 2)} ${queues} 00:00000000 00000000     0        0 0 ${last}`;
}

/** Words in the order of a little-endian machine's memory, as the kernel prints them. */
function addressHex(address: string, ipv6: boolean): string {
  if (!ipv6) return wordHex(address.split('.').reduce((word, part) => word * 256 + Number(part), 0));
  const words = parseIpv6Words(address === '*' ? '::' : address) ?? [0, 0, 0, 0];
  return words.map(wordHex).join('');
}

function wordHex(word: number): string {
  const bytes = [24, 16, 8, 0].map((shift) => (word >>> shift) & 0xff);
  return bytes
    .reverse()
    .map((byte) => hex(byte, 2))
    .join('');
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}

function deviceTable(host: Host): string[] {
  const headings = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
  ];
  const rows = [...host.interfaces.keys()].map(({ name, counters }) => {
    const { rxBytes, rxPackets, rxDropped, txBytes, txPackets, txDropped } = counters;
    const cell = (value: number, width: number): string => String(value).padStart(width);
    const received = `${cell(rxBytes, 8)} ${cell(rxPackets, 7)}    0 ${cell(rxDropped, 4)}    0     0          0         0`;
    const sent = `${cell(txBytes, 8)} ${cell(txPackets, 7)}    0 ${cell(txDropped, 4)}    0     0       0          0`;
    return `${name.padStart(6)}: ${received} ${sent}`;
  });
  return [...headings, ...rows];
}

const ROUTE_UP = 1;
const ROUTE_GATEWAY = 2;
const ROUTE_HOST = 4;

function routeTable(host: Host): string[] {
  const heading = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT';
  const rows = host.routes
    .list()
    .filter(({ destination, type }) => !isIpv6(destination) && type === 'unicast')
    .map(({ device, destination, gateway, prefixLength, metric }) => {
      const flags = ROUTE_UP | (gateway === 0 ? 0 : ROUTE_GATEWAY) | (prefixLength === 32 ? ROUTE_HOST : 0);
      const [to, via, mask] = [destination, gateway, prefixMask(prefixLength)].map(wordHex);
      return `${device?.name ?? '*'}\t${to}\t${via}\t${hex(flags, 4)}\t0\t0\t${metric}\t${mask}\t0\t0\t0`;
    });
  return [heading, ...rows];
}

function arpTable(host: Host): string[] {
  const heading = 'IP address       HW type     Flags       HW address            Mask     Device';
  const rows = host.neighbours
    .list()
    .filter(({ address }) => !isIpv6(address))
    .map(({ address, device, macAddress, state }) => {
      const incomplete = state === 'INCOMPLETE' || state === 'FAILED';
      const flags = incomplete ? '0x0' : state === 'PERMANENT' ? '0x6' : '0x2';
      const mac = incomplete ? '00:00:00:00:00:00' : formatMac(macAddress);
      return `${formatAddress(address).padEnd(16)} 0x1         ${flags}         ${mac}     *        ${device.name}`;
    });
  return [heading, ...rows];
}

/** include/net/ipv6.h */
const SCOPES = { global: '00', link: '20', host: '10' } as const;
/** IFA_F_PERMANENT */
const PERMANENT = '80';

function ipv6Addresses(host: Host): string[] {
  const indexes = new Map([...host.interfaces.keys()].map((device, index) => [device, index + 1]));
  return host
    .addresses()
    .filter(({ address }) => isIpv6(address))
    .map(({ address, device, prefixLength, scope }) => {
      const words = parseIpv6Words(formatAddress(address)) ?? [0, 0, 0, 0];
      const digits = words.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
      const [index, length] = [indexes.get(device) ?? 0, prefixLength].map((value) =>
        value.toString(16).padStart(2, '0'),
      );
      return `${digits} ${index} ${length} ${SCOPES[scope]} ${PERMANENT} ${device.name.padStart(8)}`;
    });
}

function socketUse(host: Host): string[] {
  const { total, udp, tcp, timeWait } = socketCounts(host);
  return [
    `sockets: used ${total}`,
    `TCP: inuse ${tcp - timeWait} orphan 0 tw ${timeWait} alloc ${tcp - timeWait} mem 0`,
    `UDP: inuse ${udp} mem 0`,
    'UDPLITE: inuse 0',
    'RAW: inuse 0',
    'FRAG: inuse 0 memory 0',
  ];
}
