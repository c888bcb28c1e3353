/** `ipvsadm -L -n`: virtual servers, their traffic, and connections, in ipvsadm's formats. */
import { formatEndpoint } from '../../../shared/wire/ip-address.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import type { Conntrack } from '../conntrack.ts';
import type { Connection } from '../flow.ts';
import type { IpvsTable, VirtualServer } from '../ipvs/ipvs-table.ts';
import { RealServer, type ServerTotals, sumTotals } from '../ipvs/real-server.ts';

/** `size` is the kernel's table of connections. */
const BANNER = 'IP Virtual Server version 1.2.1 (size=4096)\n';

/** The tables of both families; one that is not there has no servers. */
type IpvsTables = readonly (IpvsTable | null)[];

function virtualServers(tables: IpvsTables): VirtualServer[] {
  return tables.flatMap((ipvs) => ipvs?.list() ?? []);
}

export function formatVirtualServers(tables: IpvsTables): string {
  const head = `${BANNER}Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n`;
  return head + virtualServers(tables).map(formatVirtualServer).join('');
}

function formatVirtualServer(virtual: VirtualServer): string {
  const { scheduler, persistentSeconds } = virtual.config;
  const flags = persistentSeconds === undefined ? '' : ` persistent ${persistentSeconds}`;
  const servers = virtual.servers.map((server) => {
    const remote = formatEndpoint(server.address, server.port).padEnd(28);
    const counts = `${pad(server.weight, 6)} ${pad(server.active, 10)} ${pad(server.inactive, 10)}`;
    return `  -> ${remote} ${'Masq'.padEnd(7)} ${counts}\n`;
  });
  return `${serviceName(virtual)} ${scheduler}${flags}\n${servers.join('')}`;
}

function pad(value: number, width: number): string {
  return String(value).padEnd(width);
}

/** `TCP  10.96.0.1:443` */
function serviceName({ config: { protocol, address, port } }: VirtualServer): string {
  return `${protocol.toUpperCase()}  ${formatEndpoint(address, port)}`;
}

/** `--stats`: since the virtual server was made, connections that are gone included. */
export function formatStatistics(tables: IpvsTables): string {
  const head = `${BANNER}Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n  -> RemoteAddress:Port\n`;
  const blocks = virtualServers(tables).map((virtual) => {
    const servers = virtual.servers.map((server) => ({ server, totals: server.totals() }));
    const lines = servers.map(
      ({ server, totals }) => `  -> ${formatEndpoint(server.address, server.port).padEnd(28)}${numbers(totals)}\n`,
    );
    return `${serviceName(virtual).padEnd(33)}${numbers(sumTotals(servers.map(({ totals }) => totals)))}\n${lines.join('')}`;
  });
  return head + blocks.join('');
}

function numbers({ connections, packetsIn, packetsOut, bytesIn, bytesOut }: ServerTotals): string {
  return [connections, packetsIn, packetsOut, bytesIn, bytesOut].map((value) => ` ${largeNumber(value)}`).join('');
}

/** Eight characters, as ipvsadm shortens them. */
function largeNumber(value: number): string {
  const units = [
    [1e14, 'T', 1e12],
    [1e11, 'G', 1e9],
    [1e8, 'M', 1e6],
  ] as const;
  for (const [from, unit, divisor] of units)
    if (value >= from) return `${Math.floor(value / divisor)}${unit}`.padStart(8);
  return String(value).padStart(8);
}

/** `-c`: connections that IPVS led to a real server, oldest first. */
export function formatIpvsConnections(conntrack: Conntrack, nowUs: number): string {
  const rows: string[] = [];
  for (const connection of conntrack.table.connections()) {
    if (connection.backend instanceof RealServer && connection.expiresUs > nowUs) {
      rows.push(formatConnection(connection, connection.backend, nowUs));
    }
  }
  return `IPVS connection entries\npro expire state       source             virtual            destination\n${rows.join('')}`;
}

function formatConnection(
  { original, protocol, tcpState, expiresUs }: Connection,
  server: RealServer,
  nowUs: number,
): string {
  const isTcp = protocol === ipv4.PROTOCOL_TCP;
  const columns = [
    (isTcp ? 'TCP' : 'UDP').padEnd(3),
    expires(Math.floor((expiresUs - nowUs) / 1_000_000)).padEnd(6),
    (isTcp ? tcpState : 'UDP').padEnd(11),
    formatEndpoint(original.source >>> 0, original.sourcePort).padEnd(18),
    formatEndpoint(original.destination >>> 0, original.destinationPort).padEnd(18),
    formatEndpoint(server.address, server.port),
  ];
  return `${columns.join(' ')}\n`;
}

function expires(seconds: number): string {
  return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`;
}
