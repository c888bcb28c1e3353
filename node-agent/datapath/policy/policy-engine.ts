/**
 * NetworkPolicy on a node: for the pods here, whether a connection may come in and go out.
 *
 *   first packet -> egress of the client, if it is a pod here -> ingress of the server, if it is a pod here
 *   later ones   -> the verdict that stands with the connection, as long as the policies stay what they are
 *
 * A connection is judged in the direction in which it was opened, with the server's real address and the client's (after
 * service translation, before masquerade), so replies pass by themselves. Nothing here depends on how many policies there are.
 *
 * Never refused: what the node itself sends to its pods (the kubelet's probes come that way), a pod's traffic to itself, and
 * neighbour discovery, without which no address of IPv6 could be reached.
 */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import type { DropReason, Verdict } from '../../../shared/netstack/hooks.ts';
import { type DirectionPolicy, decide, type EndpointPolicy } from '../../../shared/policy/endpoint-policy.ts';
import type { PolicyDecision } from '../../../shared/policy/port-verdicts.ts';
import * as ip from '../../../shared/wire/ip.ts';
import { type AddressHolder, ipv6Table } from '../../../shared/wire/ipv6-table.ts';
import type { Packet, PacketMemory } from '../../../shared/wire/packet-memory.ts';
import type { Connection, Flow } from '../flow.ts';
import type { PacketPolicy } from '../packet-policy.ts';
import { isDiscovery, isIcmp } from '../tuple.ts';

/** A packet of no connection, from or to a pod that policies speak of. */
const NO_CONNECTION: DropReason = Object.freeze({ code: 'policy-no-connection' });

/** What becomes of a connection that a new policy forbids: plugins differ. */
export type Established = 'cut' | 'keep';

export interface PolicyEngineOptions {
  readonly memory: PacketMemory;
  /** The node's own addresses. */
  readonly isNodeAddress: (address: number) => boolean;
  readonly established?: Established;
}

/** What decided, on either side; null where no policy of this node speaks. */
export interface PolicyVerdict {
  readonly egress: PolicyDecision | null;
  readonly ingress: PolicyDecision | null;
}

/** Told of each connection that is let through, at the first packet of each direction, and of every packet that is refused. */
export interface VerdictObserver {
  judged(packet: Packet, connection: Connection, drop: DropReason | null): void;
  replied(packet: Packet, connection: Connection): void;
}

export class PolicyEngine implements PacketPolicy, AddressHolder {
  observer: VerdictObserver | null = null;
  private readonly options: PolicyEngineOptions;
  private endpoints = new Map<number, EndpointPolicy>();
  /** Changes with every program; a connection that passed under this one need not be asked again. */
  private generation = 1;

  constructor(options: PolicyEngineOptions) {
    this.options = options;
    ipv6Table.hold(this);
  }

  /** Replaces all there is, by the pods' addresses. */
  program(endpoints: ReadonlyMap<number, EndpointPolicy>): void {
    this.endpoints = new Map(endpoints);
    this.generation++;
  }

  /** One pod, as it is plugged in; undefined takes it away. */
  programEndpoint(address: number, policy: EndpointPolicy | undefined): void {
    if (policy === undefined) this.endpoints.delete(address);
    else this.endpoints.set(address, policy);
    this.generation++;
  }

  /** What policies say of a pod here; undefined when none speaks of it. */
  endpoint(address: number): EndpointPolicy | undefined {
    return this.endpoints.get(address);
  }

  visitAddresses(visit: (address: number) => void): void {
    const directions = new Set<DirectionPolicy | null>();
    for (const [address, { ingress, egress }] of this.endpoints) {
      visit(address);
      directions.add(ingress).add(egress);
    }
    for (const direction of directions) for (const peer of direction?.known.keys() ?? []) visit(peer);
  }

  judge(packet: Packet, flow: Flow | null, _inDevice: NetDevice, _outDevice: NetDevice | null): Verdict {
    if (flow === null) return this.judgeStray(packet);
    if (flow.relatedTo !== null) return null;
    const { connection } = flow;
    if (connection.policyGeneration === this.generation) return null;
    if (connection.policyGeneration === -this.generation) return this.awaitReply(packet, flow);
    if (connection.confirmed && this.options.established === 'keep') return null;
    const refused = this.judgeConnection(connection);
    if (refused !== null || connection.policyGeneration === 0) this.observer?.judged(packet, connection, refused);
    const isComplete = this.observer === null || connection.seenReply;
    if (refused === null) connection.policyGeneration = isComplete ? this.generation : -this.generation;
    return refused;
  }

  /** Of a connection that passed: the observer has yet to see what comes back. */
  private awaitReply(packet: Packet, { isReply, connection }: Flow): Verdict {
    if (isReply) {
      connection.policyGeneration = this.generation;
      this.observer?.replied(packet, connection);
    }
    return null;
  }

  /** The same decision for a connection that does not exist, with both sides' reasons. */
  explain(client: number, server: number, protocol: number, port: number): PolicyVerdict {
    if (client === server || this.options.isNodeAddress(client)) return { egress: null, ingress: null };
    const out = this.endpoints.get(client)?.egress ?? null;
    const into = this.endpoints.get(server)?.ingress ?? null;
    return {
      egress: out === null ? null : decide(out, server, protocol, port),
      ingress: into === null ? null : decide(into, client, protocol, port),
    };
  }

  private judgeConnection({ original, reply, protocol }: Connection): DropReason | null {
    const client = original.source >>> 0;
    const server = reply.source >>> 0;
    if (client === server) return null;
    const out = this.endpoints.get(client)?.egress ?? null;
    const into = this.endpoints.get(server)?.ingress ?? null;
    if ((out === null && into === null) || this.options.isNodeAddress(client)) return null;
    const port = isIcmp(protocol) ? original.destinationPort : reply.sourcePort; // of ICMP: the type
    const refused = out === null ? null : decide(out, server, protocol, port).drop;
    if (refused !== null || into === null) return refused;
    return decide(into, client, protocol, port).drop;
  }

  private judgeStray(packet: Packet): DropReason | null {
    const { view } = this.options.memory;
    if (isDiscovery(view, packet)) return null;
    const source = ip.source(view, packet.networkOffset);
    const destination = ip.destination(view, packet.networkOffset);
    return this.endpoints.has(source) || this.endpoints.has(destination) ? NO_CONNECTION : null;
  }
}
