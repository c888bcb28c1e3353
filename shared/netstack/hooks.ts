/**
 * The places where a host's IP layer asks before it goes on: netfilter's five hooks, in netfilter's order.
 *
 *   in -> PREROUTING -> route -+-> INPUT -> sockets -> OUTPUT -+-> POSTROUTING -> out
 *                              +-------- FORWARD -------------+
 *
 * A hook may rewrite the packet in place (NAT keeps checksums right incrementally) and answers with a verdict.
 */
import type { Packet } from '../wire/packet-memory.ts';
import type { NetDevice } from './device.ts';
import type { NextHop } from './next-hop.ts';

/** Why a packet went no further: a stable code for counters, and what decided it (a policy, a rule, a route). */
export interface DropReason {
  /** kebab-case: `no-route`, `ttl-exceeded`, `policy-denied`, `conntrack-full`. */
  readonly code: string;
  /** The object that caused it, as a user would name it: `NetworkPolicy default/deny-all`. */
  readonly cause?: string;
}

/** Takes the packet out of the stack's hands (netfilter's "stolen"); its `offset` is at the IP header. */
export interface Taking {
  readonly take: (packet: Packet) => void;
}

/** `null` accepts; a reason drops; `reject` drops and answers (TCP reset or ICMP port unreachable); `take` hands over. */
export type Verdict =
  | null
  | DropReason
  | Taking
  | { readonly reject: 'tcp-reset' | 'port-unreachable'; readonly reason: DropReason };

/**
 * INPUT's answer for a packet whose destination it changed to another host's: it goes out again, by POSTROUTING and without
 * FORWARD (as IPVS sends what it took in).
 */
export const REDIRECTED: DropReason = Object.freeze({ code: 'redirected' });

/**
 * How the router sent the last packet of a flow on, remembered with the flow: while neither routes nor addresses change, the
 * next one goes the same way without a lookup. (On a node with 10,000 routes in use the lookups are what misses the cache.)
 */
export interface FlowRoute {
  nextHop: NextHop | null;
  /** `Fib.generation` when it was looked up. */
  routeGeneration: number;
  routedFrom: NetDevice | null;
  /** Signed, as all keys of the packet path. */
  routedTo: number;
}

export interface HookContext {
  readonly inDevice: NetDevice | null;
  readonly outDevice: NetDevice | null;
}

export interface NetfilterHooks {
  prerouting(packet: Packet, inDevice: NetDevice): Verdict;
  input(packet: Packet, inDevice: NetDevice): Verdict;
  forward(packet: Packet, inDevice: NetDevice, outDevice: NetDevice): Verdict;
  output(packet: Packet): Verdict;
  postrouting(packet: Packet, outDevice: NetDevice): Verdict;
  /** Where the route of a packet's flow is remembered; null for one without a flow. Source and destination are the flow's. */
  flowRoute(packet: Packet): FlowRoute | null;
}

/** Told of every drop, for counters, traces and captures. */
export interface DropObserver {
  dropped(packet: Packet, reason: DropReason, where: string): void;
}
