/**
 * What a CNI plugin makes of a node: which devices it has beside `lo` and `eth0`, how pods are plugged in, and how the pods of
 * the other nodes are reached. `NodeDatapath.use` gives a network its parts and asks it from then on.
 */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import type { Engine } from '../../../shared/netstack/engine.ts';
import type { Host } from '../../../shared/netstack/host.ts';
import type { IpPrefix } from '../../../shared/wire/ip-address.ts';
import type { PacketMemory } from '../../../shared/wire/packet-memory.ts';
import type { BridgeDevice } from '../bridge.ts';
import type { DropLedger } from '../drop-ledger.ts';
import type { FrameObserver } from '../frame-observer.ts';
import type { KnownPeer } from '../peer-table.ts';
import type { PodAttachment, PodAttachOptions } from '../pod-attachment.ts';
import type { RuleFamilies } from '../rule-families.ts';
import type { TunnelDevice } from '../tunnel-device.ts';
import type { Underlay } from '../underlay.ts';
import type { UnderlayDevice } from '../underlay-device.ts';

/** Of the node, for a network to build on. */
export interface NetworkParts {
  readonly nodeName: string;
  readonly engine: Engine;
  readonly memory: PacketMemory;
  /** The root namespace. */
  readonly root: Host;
  readonly eth0: UnderlayDevice;
  readonly underlay: Underlay;
  readonly drops: DropLedger;
  readonly rules: RuleFamilies;
  readonly bootId: string;
  readonly secret: Uint8Array;
  readonly internalIp: number;
  /** Of the nodes' network. */
  readonly internalPrefixLength: number;
  readonly clusterCidr: IpPrefix;
  /** Undefined on a node without IPv6. */
  readonly clusterCidrIpv6: IpPrefix | undefined;
  /** For the next device. */
  readonly nextIndex: () => number;
}

export interface NodeNetwork {
  /** In the order of their indexes, without the ends of pods' cables. */
  readonly devices: readonly NetDevice[];
  /** Those of `devices` whose frames go over the underlay; other nodes must know the address of the first. */
  readonly tunnels: readonly TunnelDevice[];
  /** What pods are ports of; null where there is none. */
  readonly bridge: BridgeDevice | null;
  /** null until the node has one. */
  readonly podCidr: IpPrefix | null;
  readonly podCidrIpv6: IpPrefix | null;
  /** A node keeps its CIDR for life; nothing happens when it is told again. */
  setPodCidr(podCidr: IpPrefix): void;
  setPodCidrIpv6(podCidr: IpPrefix): void;
  /** Throws when the node has no CIDR yet. `detached` is called once the pod is unplugged. */
  attach(pod: PodAttachOptions, detached: () => void): PodAttachment;
  peerAdded(peer: KnownPeer): void;
  peerRemoved(peer: KnownPeer): void;
  /** Who sees the frames of the network's devices; null nobody. */
  observe(observer: FrameObserver | null): void;
}
