/**
 * What conntrack knows of one connection: two flows, one for each direction, and the state they share.
 *
 *   original  10.244.1.5:40000 -> 10.96.0.10:53     as the first packet asked
 *   reply     10.244.2.7:53    -> 10.244.1.5:40000  as the answers come: where they differ, NAT stands between
 *
 * Addresses (of either version, see `ipv6-table.ts`) and ports are kept as signed 32-bit integers, which V8 stores unboxed.
 */
import type { NetDevice } from '../../shared/netstack/device.ts';
import type { FlowRoute } from '../../shared/netstack/hooks.ts';
import type { NextHop } from '../../shared/netstack/next-hop.ts';
import type { ConnectionRecords } from './connection-records.ts';
import type { ProxyPart } from './policy/policy-proxy.ts';
import type { TcpState } from './tcp-track.ts';

export class Flow implements FlowRoute {
  // What a forwarded packet reads stands first, so that it is in one line of the processor's cache.
  nextHop: NextHop | null = null;
  routeGeneration = -1;
  routedFrom: NetDevice | null = null;
  routedTo = 0;
  source = 0;
  destination = 0;
  /** Source port in the upper half, destination port in the lower; for ICMP echo the identifier and the type. */
  ports = 0;
  readonly connection: Connection;
  readonly isReply: boolean;
  /** The flow an ICMP error belongs to without being part of it; null for an ordinary flow. */
  readonly relatedTo: Flow | null;
  /** Of a connection that has no record, and so no place for them. */
  private ownPackets = 0;
  private ownBytes = 0;
  private relatedFlow: Flow | null = null;

  constructor(connection: Connection, isReply: boolean, relatedTo: Flow | null) {
    this.connection = connection;
    this.isReply = isReply;
    this.relatedTo = relatedTo;
  }

  get packets(): number {
    const { records, id } = this.connection;
    return records === null ? this.ownPackets : records.packets(id, this.isReply);
  }

  get bytes(): number {
    const { records, id } = this.connection;
    return records === null ? this.ownBytes : records.bytes(id, this.isReply);
  }

  count(packets: number, bytes: number): void {
    const { records, id } = this.connection;
    if (records !== null) {
      records.count(id, this.isReply, packets, bytes);
      return;
    }
    this.ownPackets += packets;
    this.ownBytes += bytes;
  }

  /** Its counts move into the record that the connection is about to have. */
  enter(records: ConnectionRecords, id: number): void {
    records.count(id, this.isReply, this.ownPackets, this.ownBytes);
  }

  /** And out of the one that it is about to lose. */
  leave(): void {
    const { packets, bytes } = this;
    this.ownPackets = packets;
    this.ownBytes = bytes;
  }

  get opposite(): Flow {
    return this.isReply ? this.connection.original : this.connection.reply;
  }

  get sourcePort(): number {
    return this.ports >>> 16;
  }

  get destinationPort(): number {
    return this.ports & 0xffff;
  }

  /** What an ICMP error that travels in this flow's direction carries as its connection. */
  get related(): Flow {
    this.relatedFlow ??= new Flow(this.connection, this.isReply, this);
    return this.relatedFlow;
  }
}

/** Who counts the connections of a backend (IPVS' schedulers do). */
export interface BackendCounter {
  opened(connection: Connection): void;
  /** The state of its TCP is another one. */
  stateChanged(connection: Connection): void;
  closed(connection: Connection): void;
}

export class Connection {
  readonly protocol: number;
  readonly original: Flow;
  readonly reply: Flow;
  /** A packet came back: `[UNREPLIED]` until then. */
  seenReply = false;
  /** Not thrown out early when the table is full: `[ASSURED]`. */
  assured = false;
  /** In the table; false until its first packet got all the way through. */
  confirmed = false;
  /** The destination of the original direction is translated. */
  destinationNat = false;
  /** The source of the original direction is translated. */
  sourceNat = false;
  /** The nat table was asked for each kind of translation, whatever it said. */
  destinationDecided = false;
  sourceDecided = false;
  /** The real server that IPVS chose; null for connections of others. */
  backend: BackendCounter | null = null;
  /** As its backend counts it. */
  backendActive = false;
  /** What the eBPF data path wants of the source: the node's address, always or where it leaves for another node. */
  masquerade: 'never' | 'beyond-node' | 'always' = 'never';
  /** CONNMARK's; 0 while no rule set it. */
  mark = 0;
  tcpState: TcpState = 'NONE';
  startedUs: number;
  /** The record of a connection in the table, and its number; null for one that is not there (yet). */
  records: ConnectionRecords | null = null;
  id = 0;
  /** The generation of network policy under which it was allowed; 0 before it was judged; negative: its first reply is waited for. */
  policyGeneration = 0;
  /** What a proxy for rules about its content is in it; null in most. */
  proxy: ProxyPart | null = null;
  /** The traces this connection is followed by, one bit each. */
  traceBits = 0;
  /** Neighbours in the table's list, oldest first. */
  older: Connection | null = null;
  newer: Connection | null = null;

  private ownExpiresUs: number;

  constructor(protocol: number, startedUs: number) {
    this.protocol = protocol;
    this.startedUs = startedUs;
    this.ownExpiresUs = startedUs;
    this.original = new Flow(this, false, null);
    this.reply = new Flow(this, true, null);
  }

  get expiresUs(): number {
    return this.records === null ? this.ownExpiresUs : this.records.expiresUs(this.id);
  }

  set expiresUs(timeUs: number) {
    if (this.records === null) this.ownExpiresUs = timeUs;
    else this.records.setExpiresUs(this.id, timeUs);
  }

  /** It has a record from now on. */
  enter(records: ConnectionRecords, id: number): void {
    records.setExpiresUs(id, this.ownExpiresUs);
    this.original.enter(records, id);
    this.reply.enter(records, id);
    this.records = records;
    this.id = id;
  }

  /** It has none any more; the number of the one it had. */
  leave(): number {
    const { expiresUs } = this;
    this.original.leave();
    this.reply.leave();
    this.records = null;
    this.ownExpiresUs = expiresUs;
    return this.id;
  }
}
