/**
 * The table of connections: both flows of each by their tuple, bounded, with the oldest first for expiry and early drop.
 *
 *   tuple -> FlowIndex -> number of the flow -> ConnectionRecords   what every packet reads and writes
 *                                         \--> Flow, Connection      what is decided once
 *
 * A connection's two flows are numbered 2 * its record's number, and the reply 1 more.
 */
import { ConnectionRecords } from './connection-records.ts';
import type { Connection, Flow } from './flow.ts';
import { FlowIndex } from './flow-index.ts';
import type { Tuple } from './tuple.ts';

/** When the table is full, this many of the oldest are looked at for one that is not assured. */
const EARLY_DROP_SCAN = 64;

/** Told of connections as `conntrack -E` is; null while nobody asks. */
export interface ConnectionObserver {
  opened(connection: Connection): void;
  changed(connection: Connection): void;
  /** It is still in the table. */
  closing(connection: Connection): void;
}

export class ConntrackTable {
  observer: ConnectionObserver | null = null;
  /** net.netfilter.nf_conntrack_max */
  maxConnections: number;
  size = 0;
  /** `conntrack -S`: connections thrown out early, and first packets refused because none could be. */
  earlyDrops = 0;
  refused = 0;
  oldest: Connection | null = null;
  newest: Connection | null = null;
  readonly records = new ConnectionRecords();
  private readonly index: FlowIndex;
  /** By number; null where none is. */
  private readonly flows: (Flow | null)[] = [];

  /** `seed` keeps an attacker from choosing the slot. */
  constructor(maxConnections: number, seed: number) {
    this.maxConnections = maxConnections;
    this.index = new FlowIndex(seed);
  }

  /** The flow of a packet; null when it belongs to none. */
  find(tuple: Tuple): Flow | null {
    const number = this.findNumber(tuple);
    return number < 0 ? null : this.flow(number);
  }

  /** The same by its number, -1 for none: without a look at the flow itself. */
  findNumber({ source, destination, ports, protocol }: Tuple): number {
    return this.index.find(source, destination, ports, protocol);
  }

  flow(number: number): Flow {
    return this.flows[number]!; // numbers come from the index
  }

  /** Whether one more connection fits, if need be in the place of one that is not assured. */
  makeRoom(): boolean {
    if (this.size < this.maxConnections) return true;
    let candidate = this.oldest;
    for (let i = 0; i < EARLY_DROP_SCAN && candidate !== null; i++) {
      if (!candidate.assured) {
        this.remove(candidate);
        this.earlyDrops++;
        return true;
      }
      candidate = candidate.newer;
    }
    this.refused++;
    return false;
  }

  add(connection: Connection): void {
    const id = this.records.add();
    connection.enter(this.records, id);
    this.link(connection.original, connection.protocol, 2 * id);
    this.link(connection.reply, connection.protocol, 2 * id + 1);
    connection.older = this.newest;
    if (this.newest === null) this.oldest = connection;
    else this.newest.newer = connection;
    this.newest = connection;
    connection.confirmed = true;
    this.size++;
    connection.backend?.opened(connection);
    this.observer?.opened(connection);
  }

  remove(connection: Connection): void {
    this.observer?.closing(connection);
    const id = connection.leave();
    this.unlink(connection.original, connection.protocol, 2 * id);
    this.unlink(connection.reply, connection.protocol, 2 * id + 1);
    this.records.remove(id);
    if (connection.older === null) this.oldest = connection.newer;
    else connection.older.newer = connection.newer;
    if (connection.newer === null) this.newest = connection.older;
    else connection.newer.older = connection.older;
    connection.older = null;
    connection.newer = null;
    connection.confirmed = false;
    this.size--;
    connection.backend?.closed(connection);
  }

  /** Oldest first; the caller may remove the connection it was given. */
  *connections(): Generator<Connection> {
    let connection = this.oldest;
    while (connection !== null) {
      const { newer } = connection;
      yield connection;
      connection = newer;
    }
  }

  private link(flow: Flow, protocol: number, number: number): void {
    this.index.add(flow.source, flow.destination, flow.ports, protocol, number);
    this.flows[number] = flow;
  }

  private unlink(flow: Flow, protocol: number, number: number): void {
    this.index.remove(flow.source, flow.destination, flow.ports, protocol, number);
    this.flows[number] = null;
  }
}
