/**
 * NetworkPolicy on a node: for the pods here, whether a connection may come in and go out.
 *
 *   first packet -> egress of the client, if it is a pod here -> ingress of the server, if it is a pod here
 *   later ones   -> the verdict that stands with the connection, as long as the policies stay what they are
 *
 * Where rules ask what a connection carries, its packets go to a proxy, which opens another one to the server.
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
import { type PolicyProxy, type PolicySide, ProxyPart } from './policy-proxy.ts';

/** A packet of no connection, from or to a pod that policies speak of. */
const NO_CONNECTION: DropReason = Object.freeze({ code: 'policy-no-connection' });

/** Rules came that ask what a connection carries, and nobody looked from its beginning on. */
const NOT_FROM_THE_BEGINNING: DropReason = Object.freeze({ code: 'policy-l7-established' });
/** Rules that ask what a connection carries, where nobody can look. */
const NO_PROXY: DropReason = Object.freeze({ code: 'policy-l7-unavailable' });

/** What becomes of a connection that a new policy forbids: plugins differ. */
export type Established = 'cut' | 'keep';

export interface PolicyEngineOptions {
  readonly memory: PacketMemory;
  /** The node's own addresses. */
  readonly isNodeAddress: (address: number) => boolean;
  readonly established?: Established;
  /** Writes a line about a connection's first packet, for each rule that asks for one. */
  readonly log?: (packet: Packet, inDevice: NetDevice, outDevice: NetDevice | null) => void;
}

/** What decided, on either side; null where no policy of this node speaks. */
export interface PolicyVerdict {
  readonly egress: PolicyDecision | null;
  readonly ingress: PolicyDecision | null;
}

/** Told of each connection that is let through, at the first packet of each direction, and of every packet that is refused. */
export interface VerdictObserver {
  /** `to-proxy`: it goes on there, as what it carries is asked for. */
  judged(
    packet: Packet,
    connection: Connection,
    verdict: PolicyVerdict,
    drop: DropReason | null,
    point?: 'to-proxy',
  ): void;
  replied(packet: Packet, connection: Connection): void;
}

interface AskedInside {
  readonly side: PolicySide;
  readonly decision: PolicyDecision;
}

interface Judgement {
  readonly drop: DropReason | null;
  /** null: nobody asks what it carries. */
  readonly l7: AskedInside | null;
  /** How many rules want a line in the log. */
  readonly logs: number;
}

const ALLOWED: Judgement = { drop: null, l7: null, logs: 0 };

export class PolicyEngine implements PacketPolicy, AddressHolder {
  observer: VerdictObserver | null = null;
  /** Looks into connections; without one, what asks for it is refused. */
  proxy: PolicyProxy | null = null;
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

  /** All pods here that policies speak of. */
  list(): readonly (readonly [address: number, policy: EndpointPolicy])[] {
    return [...this.endpoints];
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

  judge(packet: Packet, flow: Flow | null, inDevice: NetDevice, outDevice: NetDevice | null): Verdict {
    if (flow === null) return this.judgeStray(packet);
    if (flow.relatedTo !== null) return null;
    const { connection } = flow;
    if (connection.policyGeneration === this.generation) return null;
    if (connection.policyGeneration === -this.generation) return this.awaitReply(packet, flow);
    if (connection.proxy !== null) return this.judgeProxied(packet, flow, connection.proxy);
    const wasJudged = connection.policyGeneration !== 0;
    if (connection.confirmed && wasJudged && this.options.established === 'keep') return null;
    const opened = this.proxy === null || connection.confirmed ? null : this.proxy.opens(inDevice);
    const { drop: refused, l7, logs } = this.judgeConnection(connection, opened);
    if (logs > 0 && !connection.confirmed) this.log(logs, packet, inDevice, outDevice);
    if (l7 !== null && refused === null) return this.lookInside(packet, flow, outDevice, l7, opened);
    if (refused !== null || !wasJudged) this.tell(packet, connection, refused);
    if (refused !== null) return refused;
    if (opened !== null) return this.proxied(packet, flow, null, opened);
    const isComplete = this.observer === null || connection.seenReply;
    connection.policyGeneration = isComplete ? this.generation : -this.generation;
    return null;
  }

  private lookInside(
    packet: Packet,
    flow: Flow,
    outDevice: NetDevice | null,
    { side, decision }: AskedInside,
    opened: PolicySide | null,
  ): Verdict {
    const { proxy } = this;
    const { connection } = flow;
    const l7 = decision.l7!; // it asks
    const isFirst = !connection.confirmed;
    const impossible = { ...NO_PROXY, cause: decision.cause };
    // What the node itself answers does not come this way again.
    const refused = proxy === null || outDevice === null ? impossible : null;
    if (isFirst || refused !== null) this.tell(packet, connection, refused, 'to-proxy');
    if (proxy === null || refused !== null) return refused;
    if (!proxy.takes(connection)) return proxy.look(packet, flow, l7);
    if (!isFirst) return unseenFromTheBeginning(decision);
    return this.proxied(packet, flow, side, opened);
  }

  /** A first packet in whose connection the proxy has a part from now on. */
  private proxied(packet: Packet, flow: Flow, served: PolicySide | null, opened: PolicySide | null): Verdict {
    const part = new ProxyPart();
    part.served = served;
    part.opened = opened;
    part.generation = this.generation;
    flow.connection.proxy = part;
    return this.judgeProxied(packet, flow, part);
  }

  private judgeProxied(packet: Packet, { connection, isReply }: Flow, part: ProxyPart): Verdict {
    if (part.generation !== this.generation) {
      const { drop, l7 } = this.judgeConnection(connection, part.opened);
      if (drop !== null) {
        this.tell(packet, connection, drop);
        return drop;
      }
      // Of a connection that the egress proxy answers, the one that it opened is asked about the other side.
      const isAsked = l7 === null || part.served === 'egress' || part.served === l7.side;
      if (!isAsked) return this.resetProxied(isReply, part, l7.decision);
      part.generation = this.generation;
    }
    const side = isReply ? part.opened : part.served;
    return side === null ? null : (this.proxy?.take(side) ?? NO_PROXY);
  }

  private resetProxied(isReply: boolean, { opened }: ProxyPart, decision: PolicyDecision): Verdict {
    const isOfProxy = opened !== null && !isReply;
    if (!isOfProxy) return unseenFromTheBeginning(decision);
    return this.proxy?.reset(opened, { ...NOT_FROM_THE_BEGINNING, cause: decision.cause }) ?? NO_PROXY;
  }

  private tell(packet: Packet, connection: Connection, drop: DropReason | null, point?: 'to-proxy'): void {
    if (this.observer === null) return;
    const { original, reply, protocol } = connection;
    const verdict = this.explain(original.source >>> 0, reply.source >>> 0, protocol, portOf(connection));
    this.observer.judged(packet, connection, verdict, drop, point);
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

  /** `opened`: a proxy's own connection, after that side's policy was asked about what it carries. */
  private judgeConnection(connection: Connection, opened: PolicySide | null): Judgement {
    const { original, reply, protocol } = connection;
    const client = original.source >>> 0;
    const server = reply.source >>> 0;
    if (client === server) return ALLOWED;
    const out = opened === null ? (this.endpoints.get(client)?.egress ?? null) : null;
    const into = opened === 'ingress' ? null : (this.endpoints.get(server)?.ingress ?? null);
    if ((out === null && into === null) || this.options.isNodeAddress(client)) return ALLOWED;
    const port = portOf(connection);
    let logs = 0;
    if (out !== null) {
      const decision = decide(out, server, protocol, port);
      logs = decision.logs ?? 0;
      if (decision.drop !== null) return { drop: decision.drop, l7: null, logs };
      if (decision.l7 !== undefined) return { drop: null, l7: { side: 'egress', decision }, logs };
    }
    if (into !== null) {
      const decision = decide(into, client, protocol, port);
      logs += decision.logs ?? 0;
      if (decision.drop !== null) return { drop: decision.drop, l7: null, logs };
      if (decision.l7 !== undefined) return { drop: null, l7: { side: 'ingress', decision }, logs };
    }
    return logs === 0 ? ALLOWED : { ...ALLOWED, logs };
  }

  private log(lines: number, packet: Packet, inDevice: NetDevice, outDevice: NetDevice | null): void {
    for (let i = 0; i < lines; i++) this.options.log?.(packet, inDevice, outDevice);
  }

  /** What the policy of one side says now of a connection that a proxy looks into; null where none speaks. */
  decisionOf(side: PolicySide, client: number, server: number, protocol: number, port: number): PolicyDecision | null {
    const [mine, peer] = side === 'egress' ? [client, server] : [server, client];
    const policy = this.endpoints.get(mine)?.[side] ?? null;
    return policy === null ? null : decide(policy, peer, protocol, port);
  }

  private judgeStray(packet: Packet): DropReason | null {
    const { view } = this.options.memory;
    if (isDiscovery(view, packet)) return null;
    const source = ip.source(view, packet.networkOffset);
    const destination = ip.destination(view, packet.networkOffset);
    return this.endpoints.has(source) || this.endpoints.has(destination) ? NO_CONNECTION : null;
  }
}

/** The server's; of ICMP the type. */
function portOf({ protocol, original, reply }: Connection): number {
  return isIcmp(protocol) ? original.destinationPort : reply.sourcePort;
}

function unseenFromTheBeginning({ cause }: PolicyDecision): Verdict {
  return { reject: 'tcp-reset', reason: { ...NOT_FROM_THE_BEGINNING, cause } };
}
