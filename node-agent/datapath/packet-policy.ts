/**
 * Where network policy is asked: in FORWARD, after service DNAT, so that a packet shows the real backend, and before
 * masquerade, so that it shows the real client. Bridged packets between pods of one node are asked about too, and in INPUT
 * what pods send to the node itself.
 */
import type { NetDevice } from '../../shared/netstack/device.ts';
import type { Verdict } from '../../shared/netstack/hooks.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import type { Flow } from './flow.ts';

export interface PacketPolicy {
  /** `flow` is null for a packet that belongs to no connection, `outDevice` for one that the node keeps. `null` accepts. */
  judge(packet: Packet, flow: Flow | null, inDevice: NetDevice, outDevice: NetDevice | null): Verdict;
}
