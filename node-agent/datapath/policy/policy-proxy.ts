/**
 * Who looks into connections for rules about what they carry: policy hands their packets over, and knows later packets of both
 * sides by the part that the proxy plays in their connection.
 *
 *   client -> [served: the proxy is the server that the client sees] ... [opened: the proxy is the client] -> server
 */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import type { DropReason, Verdict } from '../../../shared/netstack/hooks.ts';
import type { L7Decision } from '../../../shared/policy/l7-rules.ts';
import type { Packet } from '../../../shared/wire/packet-memory.ts';
import type { Connection, Flow } from '../flow.ts';

/** Of the policy that asks: what the client may send, or what the server may get. */
export type PolicySide = 'egress' | 'ingress';

/** What a proxy of this node is in a connection; set once, with its first packet. */
export class ProxyPart {
  /** It answers for the server, by the rules of this side. */
  served: PolicySide | null = null;
  /** It began the connection for a client, after the rules of this side had their say. */
  opened: PolicySide | null = null;
  /** Of the policies that were asked last. */
  generation = 0;
}

export interface PolicyProxy {
  /** Whether its own stack answers for the server; of others the packets go on after a `look`. */
  takes(connection: Connection): boolean;
  /** Takes a packet of a connection in which it has a part. */
  take(side: PolicySide): Verdict;
  /** Refuses a segment of a connection that it opened for that side's rules: nobody else could tell it. */
  reset(side: PolicySide, reason: DropReason): Verdict;
  /** Of a connection that it does not take: each packet in either direction. null lets it go on. */
  look(packet: Packet, flow: Flow, l7: L7Decision): Verdict;
  /** The side whose connections it opens through a device; null for a device of others. */
  opens(device: NetDevice): PolicySide | null;
}
