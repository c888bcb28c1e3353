/**
 * What hubble observes: the first packet of each direction of a connection, with the verdict, and every packet that policy drops;
 * and of what the proxies look into, each question and answer.
 * The newest are kept, as many as the original's ring has room for.
 */
import type { DropReason } from '../../../shared/netstack/hooks.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import { type AddressHolder, ipv6Table } from '../../../shared/wire/ipv6-table.ts';
import type { Packet, PacketMemory } from '../../../shared/wire/packet-memory.ts';
import * as tcp from '../../../shared/wire/tcp.ts';
import type { Connection } from '../flow.ts';
import type { PolicyVerdict, VerdictObserver } from '../policy/policy-engine.ts';

export const MAX_FLOWS = 4095;

export type L7Flow =
  | {
      readonly kind: 'dns';
      readonly isResponse: boolean;
      /** Full. */
      readonly name: string;
      readonly type: string;
      readonly rcode: string;
      readonly addresses: readonly number[];
      readonly ttlSeconds: number;
      /** Of what is no address. */
      readonly recordTypes: readonly string[];
    }
  | {
      readonly kind: 'http';
      readonly isResponse: boolean;
      readonly method: string;
      readonly url: string;
      /** `HTTP/1.1` */
      readonly version: string;
      readonly headers: readonly (readonly [name: string, value: string])[];
      /** Of a response. */
      readonly code: number;
      readonly latencyMs: number;
    };

export interface FlowEnds {
  readonly protocol: number;
  readonly client: number;
  readonly clientPort: number;
  readonly server: number;
  readonly serverPort: number;
}

/** Both ends' own, whatever a Service made of them. */
export function endsOf({ protocol, original, reply }: Connection): FlowEnds {
  return {
    protocol,
    client: original.source >>> 0,
    clientPort: original.sourcePort,
    server: reply.source >>> 0,
    serverPort: reply.sourcePort,
  };
}

export interface FlowRecord {
  readonly timeUs: number;
  readonly protocol: number;
  readonly source: number;
  readonly sourcePort: number;
  readonly destination: number;
  readonly destinationPort: number;
  /** Of the TCP header; 0 for other protocols. */
  readonly tcpFlags: number;
  /** null: it was forwarded. */
  readonly drop: DropReason | null;
  /** What decided at first; null for what follows. */
  readonly verdict: PolicyVerdict | null;
  /** From the connection's server to its client. */
  readonly isReply: boolean;
  /** It goes on to a proxy. */
  readonly toProxy: boolean;
  /** Of what a proxy saw; null for packets. */
  readonly l7: L7Flow | null;
}

export class FlowLog implements VerdictObserver, AddressHolder {
  /** All that were seen, those included that are not kept any more. */
  seen = 0;
  private readonly memory: PacketMemory;
  private readonly nowUs: () => number;
  private readonly ring: FlowRecord[] = [];

  constructor(memory: PacketMemory, nowUs: () => number) {
    this.memory = memory;
    this.nowUs = nowUs;
    ipv6Table.hold(this);
  }

  /** Of what DNS told: cilium's packets are IPv4. */
  visitAddresses(visit: (address: number) => void): void {
    for (const { l7 } of this.ring) if (l7?.kind === 'dns') for (const address of l7.addresses) visit(address);
  }

  judged(
    packet: Packet,
    connection: Connection,
    verdict: PolicyVerdict,
    drop: DropReason | null,
    point?: 'to-proxy',
  ): void {
    this.add(this.tcpFlags(packet, connection), endsOf(connection), { verdict, drop, toProxy: point !== undefined });
  }

  replied(packet: Packet, connection: Connection): void {
    this.add(this.tcpFlags(packet, connection), endsOf(connection), { isReply: true });
  }

  addL7(ends: FlowEnds, l7: L7Flow, drop: DropReason | null): void {
    this.add(0, ends, { drop, l7, isReply: l7.isResponse });
  }

  private tcpFlags(packet: Packet, { protocol }: Connection): number {
    return protocol === ipv4.PROTOCOL_TCP ? tcp.flags(this.memory.view, packet.transportOffset) : 0;
  }

  private add(tcpFlags: number, ends: FlowEnds, said: Partial<FlowRecord>): void {
    const { protocol, client, clientPort, server, serverPort } = ends;
    const from = { source: client, sourcePort: clientPort, destination: server, destinationPort: serverPort };
    const back = { source: server, sourcePort: serverPort, destination: client, destinationPort: clientPort };
    const at = { timeUs: this.nowUs(), protocol, tcpFlags };
    const common = { ...at, drop: null, verdict: null, isReply: false, toProxy: false, l7: null };
    this.ring[this.seen++ % MAX_FLOWS] = { ...common, ...(said.isReply === true ? back : from), ...said };
  }

  /** Those that came after so many had been seen, as far as they are kept. */
  since(seen: number): FlowRecord[] {
    return seen >= this.seen ? [] : this.list().slice(-(this.seen - seen));
  }

  get size(): number {
    return this.ring.length;
  }

  /** Oldest first. */
  list(): FlowRecord[] {
    const start = this.seen % MAX_FLOWS;
    return this.size < MAX_FLOWS ? [...this.ring] : [...this.ring.slice(start), ...this.ring.slice(0, start)];
  }
}
