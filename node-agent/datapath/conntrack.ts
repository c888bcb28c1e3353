/**
 * Connection tracking: every packet belongs to a connection, starts one, is related to one (ICMP errors) or is invalid.
 *
 *   track (first hook) -> the hooks decide -> confirm (last hook): only what got through the node enters the table
 *
 * `packet.connection` holds the flow of the packet while it is in the node.
 */
import type { Engine, TimerHandle } from '../../shared/netstack/engine.ts';
import type { DropReason } from '../../shared/netstack/hooks.ts';
import * as checksum from '../../shared/wire/checksum.ts';
import { transportChecksum } from '../../shared/wire/complete-checksums.ts';
import * as icmp from '../../shared/wire/icmp.ts';
import * as icmpv6 from '../../shared/wire/icmpv6.ts';
import * as ip from '../../shared/wire/ip.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import { PROTOCOL_ICMPV6 } from '../../shared/wire/ipv6.ts';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import * as tcp from '../../shared/wire/tcp.ts';
import { ConntrackTable } from './conntrack-table.ts';
import { type ConntrackTimeouts, NODE_TIMEOUTS } from './conntrack-timeouts.ts';
import { Connection, type Flow } from './flow.ts';
import { nextTcpState, type TcpState } from './tcp-track.ts';
import { isDiscovery, isIcmp, Tuple } from './tuple.ts';

const SECOND_US = 1_000_000;
/** How often silent connections are looked for; a lookup never finds an expired one in between. */
const SWEEP_INTERVAL_US = 5 * SECOND_US;
/** A UDP flow that lasts longer than this is a stream. */
const STREAM_AFTER_US = 2 * SECOND_US;
/** Linux gives 65536 to a machine with 1 GB; as many here. */
const DEFAULT_MAX_CONNECTIONS = 65_536;

export const CONNTRACK_FULL: DropReason = Object.freeze({ code: 'conntrack-full' });

export interface ConntrackOptions {
  readonly engine: Engine;
  readonly memory: PacketMemory;
  readonly maxConnections?: number;
  readonly timeouts?: ConntrackTimeouts;
}

/** The flow a hook of this node attached to the packet; null for an invalid or untracked one. */
export function flowOf(packet: Packet): Flow | null {
  return packet.connection as Flow | null; // only `track` sets it, and devices clear it when a packet leaves the node
}

export class Conntrack {
  readonly table: ConntrackTable;
  /** Of connections whose state changes from now on. */
  timeouts: ConntrackTimeouts;
  /** `conntrack -S`: packets that belong to no connection. */
  invalid = 0;
  private readonly engine: Engine;
  private readonly memory: PacketMemory;
  private readonly tuple = new Tuple();
  private sweeper: TimerHandle | null = null;
  /** Set by `begin` when a first packet found no room. */
  private full = false;
  /**
   * The connection begun last. Until it is confirmed, what the node itself answers to its first packet (REJECT, an expired
   * TTL) belongs to it, though the table does not know it yet.
   */
  private begun: Connection | null = null;

  constructor(options: ConntrackOptions) {
    this.engine = options.engine;
    this.memory = options.memory;
    this.timeouts = options.timeouts ?? NODE_TIMEOUTS;
    const seed = Math.floor(options.engine.random() * 2 ** 32);
    this.table = new ConntrackTable(options.maxConnections ?? DEFAULT_MAX_CONNECTIONS, seed);
  }

  /** Attaches the packet to its flow. A reason only when the table is full; an invalid packet goes on without a flow. */
  track(packet: Packet): DropReason | null {
    if (packet.connection !== null) return null; // seen before: looped back, or bridged and then routed
    packet.isSettled = false;
    const { view } = this.memory;
    const { tuple } = this;
    if (!tuple.read(view, packet.networkOffset, packet.transportOffset)) {
      const related = isIcmp(tuple.protocol) ? this.relatedFlow(packet) : null;
      if (related === null && !isDiscovery(view, packet)) this.invalid++;
      packet.connection = related;
      return null;
    }
    const number = this.table.findNumber(tuple);
    if (number >= 0 && this.passSteadily(packet, number)) return null;
    let flow = this.find(tuple) ?? this.answerToBegun(tuple);
    if (tuple.protocol === ipv4.PROTOCOL_TCP) flow = this.trackTcp(packet, flow);
    else flow = this.trackDatagram(flow);
    if (flow === null) {
      if (this.full) {
        this.full = false;
        return CONNTRACK_FULL;
      }
      this.invalid++;
      return null;
    }
    flow.count(1, packet.length);
    packet.connection = flow;
    this.noteSteady(flow);
    return null;
  }

  /**
   * The usual packet: of a known connection whose state it does not change. Its record alone is looked at, neither the flow nor
   * the connection. False for any other.
   */
  private passSteadily(packet: Packet, number: number): boolean {
    const { records } = this.table;
    const id = number >>> 1;
    const isReply = (number & 1) === 1;
    const { nowUs } = this.engine;
    if (!records.isSteady(id, isReply) || records.expiresUs(id) <= nowUs) return false;
    if (this.tuple.protocol === ipv4.PROTOCOL_TCP) {
      const flags = tcp.flags(this.memory.view, packet.transportOffset);
      if ((flags & (tcp.SYN | tcp.FIN | tcp.RST | tcp.ACK)) !== tcp.ACK) return false;
    }
    records.pass(id, isReply, packet.length, nowUs);
    packet.connection = this.table.flow(number);
    packet.isSettled = records.isSettled(id);
    return true;
  }

  /** What the next packet like the one that was just tracked need not ask again. */
  private noteSteady({ connection, isReply }: Flow): void {
    const { records, id } = connection;
    if (records === null) return;
    records.setSteady(id, isReply, this.steadyRefreshUs(connection));
    const isTranslated = connection.destinationNat || connection.sourceNat || connection.backend !== null;
    if (!isTranslated) records.settle(id);
  }

  /** By how much packets in the direction of the last one move the time of expiry; undefined while that, or the state, may change. */
  private steadyRefreshUs(connection: Connection): number | undefined {
    const { protocol, seenReply, assured } = connection;
    if (protocol === ipv4.PROTOCOL_TCP) {
      const isSteady = connection.tcpState === 'ESTABLISHED' && assured;
      return isSteady ? this.timeouts.tcp.ESTABLISHED * SECOND_US : undefined;
    }
    if (protocol !== ipv4.PROTOCOL_UDP) return undefined;
    if (seenReply && !assured) return undefined;
    return (assured ? this.timeouts.udpStream : this.timeouts.udp) * SECOND_US;
  }

  /** The connection of a packet that got through enters the table. */
  confirm(packet: Packet): void {
    if (packet.isSettled) return;
    const flow = flowOf(packet);
    if (flow === null || flow.connection.confirmed || flow.isReply || flow.relatedTo !== null) return;
    this.table.add(flow.connection);
    this.begun = null;
    this.armSweeper();
  }

  /** Whether a connection other than this one already answers in the way `tuple` says. */
  taken(tuple: Tuple, connection: Connection): boolean {
    const flow = this.find(tuple);
    return flow !== null && flow.connection !== connection;
  }

  /** The flow that a packet would be given, without any effect (for traces). */
  peek(view: DataView, network: number, transport: number): Flow | null {
    return this.tuple.read(view, network, transport) ? this.table.find(this.tuple) : null;
  }

  /** The same for a packet that NAT rewrote already: the flow that its answer would turn round. */
  peekEither(view: DataView, network: number, transport: number): Flow | null {
    const flow = this.peek(view, network, transport);
    if (flow !== null || !this.tuple.read(view, network, transport)) return flow;
    this.tuple.invert();
    return this.table.find(this.tuple)?.opposite ?? null;
  }

  /** Forgets connections, as `conntrack -D` does; how many there were. */
  delete(matches: (connection: Connection) => boolean): number {
    let deleted = 0;
    for (const connection of this.table.connections()) {
      if (!matches(connection)) continue;
      this.table.remove(connection);
      deleted++;
    }
    return deleted;
  }

  /** Of connections that have not ended: the client, and the server as it is behind Services. */
  *openEnds(): Iterable<readonly [client: number, server: number]> {
    for (const { original, reply, tcpState, expiresUs } of this.table.connections()) {
      const isOpen = expiresUs > this.engine.nowUs && tcpState !== 'TIME_WAIT' && tcpState !== 'CLOSE';
      if (isOpen) yield [original.source >>> 0, reply.source >>> 0];
    }
  }

  visitAddresses(visit: (address: number) => void): void {
    for (const { original, reply } of this.table.connections()) {
      for (const address of [original.source, original.destination, reply.source, reply.destination]) visit(address);
    }
  }

  dispose(): void {
    this.sweeper?.cancel();
    this.sweeper = null;
  }

  private find(tuple: Tuple): Flow | null {
    const flow = this.table.find(tuple);
    if (flow === null || flow.connection.expiresUs > this.engine.nowUs) return flow;
    this.table.remove(flow.connection);
    return null;
  }

  private trackTcp(packet: Packet, found: Flow | null): Flow | null {
    const flags = tcp.flags(this.memory.view, packet.transportOffset);
    let flow = found;
    let step = nextTcpState(flow === null ? 'NONE' : flow.connection.tcpState, flags, flow?.isReply ?? false);
    if (step === 'reopen') {
      this.table.remove(flow!.connection);
      flow = null;
      step = nextTcpState('NONE', flags, false);
    }
    if (step === 'invalid' || step === 'reopen') return null;
    flow ??= this.begin();
    if (flow === null) return null;
    this.stepTcp(flow, step);
    return flow;
  }

  private stepTcp(flow: Flow, state: TcpState): void {
    const { connection } = flow;
    if (flow.isReply) connection.seenReply = true;
    if (state === 'ESTABLISHED' && connection.seenReply) connection.assured = true;
    const isNew = connection.tcpState !== state;
    if (isNew) {
      connection.tcpState = state;
      connection.backend?.stateChanged(connection);
    }
    connection.expiresUs = this.engine.nowUs + this.timeouts.tcp[state] * SECOND_US;
    if (isNew && connection.confirmed) this.table.observer?.changed(connection);
  }

  private trackDatagram(found: Flow | null): Flow | null {
    const flow = found ?? this.begin();
    if (flow === null) return null;
    const { connection } = flow;
    const isAnswered = flow.isReply && !connection.seenReply;
    if (isAnswered) connection.seenReply = true;
    connection.expiresUs = this.engine.nowUs + this.datagramTimeout(connection) * SECOND_US;
    if (isAnswered && connection.confirmed) this.table.observer?.changed(connection);
    return flow;
  }

  private datagramTimeout(connection: Connection): number {
    if (isIcmp(connection.protocol)) return this.timeouts.icmp;
    if (connection.protocol !== ipv4.PROTOCOL_UDP) return this.timeouts.generic;
    if (!connection.seenReply) return this.timeouts.udp;
    if (this.engine.nowUs - connection.startedUs <= STREAM_AFTER_US) return this.timeouts.udp;
    connection.assured = true;
    return this.timeouts.udpStream;
  }

  /** A connection from the tuple just read; its reply flow is the tuple turned round until NAT says otherwise. */
  private begin(): Flow | null {
    const { tuple } = this;
    // An answer to an echo nobody asked for starts nothing.
    const type = tuple.ports & 0xffff;
    if (tuple.protocol === ipv4.PROTOCOL_ICMP && type !== icmp.ECHO_REQUEST) return null;
    if (tuple.protocol === PROTOCOL_ICMPV6 && type !== icmpv6.ECHO_REQUEST) return null;
    if (!this.table.makeRoom()) {
      this.full = true;
      return null;
    }
    const connection = new Connection(tuple.protocol, this.engine.nowUs);
    tuple.copyTo(connection.original);
    tuple.invert();
    tuple.copyTo(connection.reply);
    this.begun = connection;
    return connection.original;
  }

  /** The flow of an answer to the first packet of the connection begun last. */
  private answerToBegun(tuple: Tuple): Flow | null {
    const reply = this.begun?.reply;
    return reply !== undefined && tuple.names(reply) ? reply : null;
  }

  /** An ICMP error travels in the direction in which the answers to the packet it quotes would. */
  private relatedFlow(packet: Packet): Flow | null {
    const { view } = this.memory;
    const at = packet.transportOffset;
    const size = packet.networkOffset + ip.totalLength(view, packet.networkOffset) - at;
    const isIpv6 = ip.isIpv6(view, packet.networkOffset);
    const isError = isIpv6 ? icmpv6.isError : icmp.isError;
    if (!icmp.check(view, at, size) || !isError(icmp.type(view, at))) return null;
    if (!packet.checksumTrusted && this.icmpChecksum(packet, isIpv6, size) !== 0) return null;
    if (!this.tuple.readQuoted(view, at + icmp.HEADER_BYTES, size - icmp.HEADER_BYTES)) return null;
    this.tuple.invert();
    const flow = this.find(this.tuple) ?? this.answerToBegun(this.tuple);
    return flow?.related ?? null;
  }

  private icmpChecksum(packet: Packet, isIpv6: boolean, size: number): number {
    const { networkOffset, transportOffset } = packet;
    if (isIpv6) return transportChecksum(this.memory, networkOffset, transportOffset, size);
    return checksum.finish(this.memory.sum(transportOffset, size));
  }

  private armSweeper(): void {
    this.sweeper ??= this.engine.schedule(this.engine.nowUs + SWEEP_INTERVAL_US, () => this.sweep());
  }

  private sweep(): void {
    this.sweeper = null;
    const now = this.engine.nowUs;
    for (const connection of this.table.connections()) {
      if (connection.expiresUs <= now) this.table.remove(connection);
    }
    if (this.table.size > 0) this.armSweeper();
  }
}
