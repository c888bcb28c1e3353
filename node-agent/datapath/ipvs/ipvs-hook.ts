/** The first packet of a connection at a virtual server (ip_vs_core.c, ip_vs_schedule). */
import type { Verdict } from '../../../shared/netstack/hooks.ts';
import { formatEndpoint } from '../../../shared/wire/ip-address.ts';
import type { Connection } from '../flow.ts';
import { bindDestination } from '../nat.ts';
import type { IpvsTable } from './ipvs-table.ts';

/** Binds the connection to a real server. A verdict when the virtual server has none: then the packet is refused. */
export function scheduleConnection(ipvs: IpvsTable, connection: Connection, nowUs: number): Verdict {
  const { original, protocol } = connection;
  const virtual = ipvs.find(original.destination, protocol, original.destinationPort);
  if (virtual === undefined) return null;
  const server = virtual.choose(original.source >>> 0, nowUs);
  if (server === null) {
    const { config } = virtual;
    const cause = `IPVS ${config.protocol} ${formatEndpoint(config.address, config.port)}`;
    return { reject: 'port-unreachable', reason: { code: 'ipvs-no-server', cause } };
  }
  bindDestination(connection, server.address, server.port);
  connection.backend = server;
  return null;
}
