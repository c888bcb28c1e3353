/**
 * What hubble observes: the first packet of each direction of a connection, with the verdict, and every packet that policy drops.
 * The newest are kept, as many as the original's ring has room for.
 */
import type { DropReason } from '../../../shared/netstack/hooks.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import type { Packet, PacketMemory } from '../../../shared/wire/packet-memory.ts';
import * as tcp from '../../../shared/wire/tcp.ts';
import type { Connection, Flow } from '../flow.ts';
import type { VerdictObserver } from '../policy/policy-engine.ts';

export const MAX_FLOWS = 4095;

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
  /** From the connection's server to its client. */
  readonly isReply: boolean;
}

export class FlowLog implements VerdictObserver {
  /** All that were seen, those included that are not kept any more. */
  seen = 0;
  private readonly memory: PacketMemory;
  private readonly nowUs: () => number;
  private readonly ring: FlowRecord[] = [];

  constructor(memory: PacketMemory, nowUs: () => number) {
    this.memory = memory;
    this.nowUs = nowUs;
  }

  judged(packet: Packet, { original, reply, protocol }: Connection, drop: DropReason | null): void {
    this.add(packet, protocol, original, reply, drop, false);
  }

  /** By both ends' own addresses, whatever a Service made of them. */
  replied(packet: Packet, { original, reply, protocol }: Connection): void {
    this.add(packet, protocol, reply, original, null, true);
  }

  private add(packet: Packet, protocol: number, from: Flow, to: Flow, drop: DropReason | null, isReply: boolean): void {
    const isTcp = protocol === ipv4.PROTOCOL_TCP;
    this.ring[this.seen++ % MAX_FLOWS] = {
      timeUs: this.nowUs(),
      protocol,
      source: from.source >>> 0,
      sourcePort: from.sourcePort,
      destination: to.source >>> 0,
      destinationPort: to.sourcePort,
      tcpFlags: isTcp ? tcp.flags(this.memory.view, packet.transportOffset) : 0,
      drop,
      isReply,
    };
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
