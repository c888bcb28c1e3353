/** A real server of IPVS: its weight, and its connections as the schedulers count them. */
import type { RealServer as RealServerConfig } from '../../../shared/rules/ipvs.ts';
import type { BackendCounter, Connection } from '../flow.ts';

export interface ServerTotals {
  connections: number;
  packetsIn: number;
  packetsOut: number;
  bytesIn: number;
  bytesOut: number;
}

/** TCP connections that are established count as active, all others (UDP too) as inactive, as in ip_vs_conn.c. */
export class RealServer implements BackendCounter {
  readonly address: number;
  readonly port: number;
  weight: number;
  active = 0;
  inactive = 0;
  /** Those that are gone included. */
  connections = 0;
  /** Of connections that are gone; the live ones know their own. */
  private readonly closedTotals: ServerTotals = noTotals();
  private readonly live = new Set<Connection>();

  constructor({ address, port, weight }: RealServerConfig) {
    this.address = address;
    this.port = port;
    this.weight = weight;
  }

  /** What `lc` and `wlc` compare: an active connection weighs as much as 256 others. */
  get overhead(): number {
    return this.active * 256 + this.inactive;
  }

  opened(connection: Connection): void {
    this.connections++;
    this.live.add(connection);
    this.count(connection, 1);
  }

  stateChanged(connection: Connection): void {
    if (!this.live.has(connection)) return;
    this.count(connection, -1);
    connection.backendActive = isActive(connection);
    this.count(connection, 1);
  }

  closed(connection: Connection): void {
    if (!this.live.delete(connection)) return;
    this.count(connection, -1);
    addTraffic(this.closedTotals, connection);
  }

  totals(): ServerTotals {
    const totals = { ...this.closedTotals, connections: this.connections };
    for (const connection of this.live) addTraffic(totals, connection);
    return totals;
  }

  private count(connection: Connection, by: 1 | -1): void {
    if (connection.backendActive) this.active += by;
    else this.inactive += by;
  }
}

function isActive({ tcpState }: Connection): boolean {
  return tcpState === 'ESTABLISHED';
}

function noTotals(): ServerTotals {
  return { connections: 0, packetsIn: 0, packetsOut: 0, bytesIn: 0, bytesOut: 0 };
}

export function sumTotals(all: readonly ServerTotals[]): ServerTotals {
  const sum = noTotals();
  for (const totals of all) {
    sum.connections += totals.connections;
    sum.packetsIn += totals.packetsIn;
    sum.packetsOut += totals.packetsOut;
    sum.bytesIn += totals.bytesIn;
    sum.bytesOut += totals.bytesOut;
  }
  return sum;
}

function addTraffic(totals: ServerTotals, { original, reply }: Connection): void {
  totals.packetsIn += original.packets;
  totals.bytesIn += original.bytes;
  totals.packetsOut += reply.packets;
  totals.bytesOut += reply.bytes;
}
