/** What a node's data path is made of, and what it tells of itself. */
import type { DeviceCounters } from '../../shared/netstack/device.ts';
import type { Engine } from '../../shared/netstack/engine.ts';
import type { IpPrefix } from '../../shared/wire/ip-address.ts';
import type { PacketMemory } from '../../shared/wire/packet-memory.ts';
import type { DropCount } from './drop-ledger.ts';
import type { UnderlayLink } from './link.ts';

export interface NodeDatapathOptions {
  readonly engine: Engine;
  readonly memory: PacketMemory;
  readonly nodeName: string;
  /** On the emulated network of the nodes, with its prefix: 192.168.1.10/24. */
  readonly internalIp: number;
  readonly internalPrefixLength?: number;
  /** All pods of the cluster: 10.244.0.0/16. */
  readonly clusterCidr: IpPrefix;
  /** Of a dual-stack node. */
  readonly ipv6?: NodeIpv6Options;
  readonly link: UnderlayLink;
  /** A new text for every start of the node: rules of an earlier boot are gone. */
  readonly bootId: string;
  /** At least 16 bytes; sequence numbers and ports of the node and its pods are derived from it. */
  readonly secret: Uint8Array;
  /** Of eth0; 1500 by default. The overlay and the pods have 50 less. */
  readonly mtuBytes?: number;
  /** Time of trace hops; the engine's time, which stands still within a turn, by default. */
  readonly traceClockUs?: () => number;
  readonly maxConnections?: number;
}

export interface NodeIpv6Options {
  /** On the same network: fd00:192:168:1::10, with a prefix of 64. */
  readonly internalIp: number;
  /** fd00:10:244::/56 */
  readonly clusterCidr: IpPrefix;
}

export interface NodeCounters {
  readonly connections: number;
  readonly maxConnections: number;
  readonly connectionsDroppedEarly: number;
  readonly connectionsRefused: number;
  readonly invalidPackets: number;
  readonly devices: readonly (DeviceCounters & { readonly name: string })[];
  readonly drops: readonly DropCount[];
}
