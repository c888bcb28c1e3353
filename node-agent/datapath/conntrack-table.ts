/** The table of connections: a hash over both flows of each, bounded, with the oldest first for expiry and early drop. */
import type { Connection, Flow } from './flow.ts';
import type { Tuple } from './tuple.ts';

/** When the table is full, this many of the oldest are looked at for one that is not assured. */
const EARLY_DROP_SCAN = 64;

export class ConntrackTable {
  /** net.netfilter.nf_conntrack_max */
  readonly maxConnections: number;
  size = 0;
  /** `conntrack -S`: connections thrown out early, and first packets refused because none could be. */
  earlyDrops = 0;
  refused = 0;
  oldest: Connection | null = null;
  newest: Connection | null = null;
  private readonly buckets: (Flow | null)[];
  private readonly mask: number;
  private readonly seed: number;

  /** `seed` keeps an attacker from choosing the bucket. */
  constructor(maxConnections: number, seed: number) {
    this.maxConnections = maxConnections;
    this.seed = seed | 0;
    const size = 2 ** Math.ceil(Math.log2(Math.max(maxConnections / 2, 64)));
    this.mask = size - 1;
    this.buckets = new Array(size).fill(null);
  }

  /** The flow of a packet; null when it belongs to none. */
  find(tuple: Tuple): Flow | null {
    const { source, destination, ports, protocol } = tuple;
    let flow: Flow | null = this.buckets[this.bucketOf(source, destination, ports, protocol)]!;
    while (flow !== null && !tuple.names(flow)) flow = flow.next;
    return flow;
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
    this.link(connection.original, connection.protocol);
    this.link(connection.reply, connection.protocol);
    connection.older = this.newest;
    if (this.newest === null) this.oldest = connection;
    else this.newest.newer = connection;
    this.newest = connection;
    connection.confirmed = true;
    this.size++;
    connection.backend?.opened(connection);
  }

  remove(connection: Connection): void {
    this.unlink(connection.original, connection.protocol);
    this.unlink(connection.reply, connection.protocol);
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

  private link(flow: Flow, protocol: number): void {
    const bucket = this.bucketOf(flow.source, flow.destination, flow.ports, protocol);
    flow.next = this.buckets[bucket]!;
    this.buckets[bucket] = flow;
  }

  private unlink(flow: Flow, protocol: number): void {
    const bucket = this.bucketOf(flow.source, flow.destination, flow.ports, protocol);
    let at: Flow | null = this.buckets[bucket]!;
    if (at === flow) {
      this.buckets[bucket] = flow.next;
    } else {
      while (at !== null && at.next !== flow) at = at.next;
      if (at === null) throw new Error('conntrack: a confirmed connection is not in its bucket');
      at.next = flow.next;
    }
    flow.next = null;
  }

  private bucketOf(source: number, destination: number, ports: number, protocol: number): number {
    let hash = Math.imul(source ^ this.seed, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ destination, 0x85ebca77);
    hash = Math.imul(hash ^ (hash >>> 13) ^ ports, 0xc2b2ae3d);
    hash = Math.imul(hash ^ (hash >>> 16) ^ protocol, 0x27d4eb2f);
    return (hash ^ (hash >>> 15)) & this.mask;
  }
}
