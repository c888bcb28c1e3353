/** What policy says of one endpoint, as a node is programmed with it: peers by address, no names and no labels. */
import type { AddressSteps } from './address-steps.ts';
import type { PolicyDecision, PortVerdicts } from './port-verdicts.ts';

export interface DirectionPolicy {
  /** Peers that rules know by their address: pods. */
  readonly known: ReadonlyMap<number, PortVerdicts>;
  /** Everybody else, by where the address lies. */
  readonly others: AddressSteps<PortVerdicts>;
}

export interface EndpointPolicy {
  /** null: no policy speaks of what comes in. */
  readonly ingress: DirectionPolicy | null;
  /** null: no policy speaks of what goes out. */
  readonly egress: DirectionPolicy | null;
}

/** `port` is that of the connection's server, whichever side the peer is on; of ICMP the type. */
export function decide(policy: DirectionPolicy, peer: number, protocol: number, port: number): PolicyDecision {
  return verdictsFor(policy, peer).decide(protocol, port);
}

/** What a peer may do, at every port. */
export function verdictsFor(policy: DirectionPolicy, peer: number): PortVerdicts {
  return policy.known.get(peer) ?? policy.others.at(peer);
}
