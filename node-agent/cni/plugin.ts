/**
 * A CNI plugin: how pods of one node get addresses and reach those of the others. One folder a plugin; `registry.ts` has
 * the names.
 *
 *   start -> the node's pod CIDR is known: setUpNode -> attach, detach, ... ; peers come, change and go at any time
 *
 * `attach` sets up in order and undoes in reverse when a later step fails.
 */

import type { ApiClient } from '../../shared/bus/api-client.ts';
import type { Host } from '../../shared/netstack/host.ts';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import type { ClusterState } from '../../shared/policy/compile.ts';
import type { PolicyPod } from '../../shared/policy/policy-pod.ts';
import type { Ipv4Prefix } from '../../shared/wire/address.ts';
import type { IpPrefix } from '../../shared/wire/ip-address.ts';
import type { NodeDatapath } from '../datapath/path.ts';
import type { PodAttachment as DatapathAttachment } from '../datapath/pod-attachment.ts';
import type { PolicyEngine } from '../datapath/policy/policy-engine.ts';
import type { CiliumPolicyOptions } from '../policy/policy-agent.ts';
import type { ClusterAccess } from './cluster-access.ts';
import type { LeaseStore } from './ipam/host-local.ts';
import type { NetworkConfiguration } from './network-configuration.ts';

/** What a plugin has to work with. */
export interface CniContext {
  readonly datapath: NodeDatapath;
  readonly leases: LeaseStore;
  /** After so long a silence a peer of the plugin's own protocol (BGP, weave's mesh) is given up; at least 3. */
  readonly bgpHoldSeconds: number;
  /** Of the whole cluster, as the node's policies know them; none where it enforces none. */
  readonly pods: () => readonly PolicyPod[];
  /** Of a node that stands for a machine of a cloud: EC2's name for its kind. */
  readonly instanceType?: string;
  /** What the plugin's daemon was told by its environment, as far as the plugin knows it. */
  readonly settings?: Readonly<Record<string, string>>;
  /** A line of the plugin's own log. */
  readonly log?: (line: string) => void;
  /** Of a plugin that keeps objects in the API; undefined where there is none, as in simulations. */
  readonly cluster?: ClusterAccess;
  /** For a node whose network comes up later than `setUpNode` returns. */
  readonly up: (network: NodeNetworkUp) => void;
}

/** Another node, as its Node object describes it. */
export interface PeerNode {
  readonly name: string;
  readonly internalIp: number;
  /** null until the node IPAM controller has given it one. */
  readonly podCidr: Ipv4Prefix | null;
  /** Of a dual-stack node. */
  readonly internalIpv6: number | undefined;
  readonly podCidrIpv6: IpPrefix | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

/** The words of the condition NetworkUnavailable. */
export interface NodeNetworkUp {
  readonly reason: string;
  readonly message: string;
}

export interface PodAttachRequest {
  /** The pod's uid: owns the address. */
  readonly uid: string;
  /** `default/web-0`: for traces and messages. */
  readonly id: string;
}

/** What a plugin may want to know of a pod before it is attached. */
export interface PodReservation extends PodAttachRequest {
  readonly namespace: string;
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface CniAttachment {
  readonly address: number;
  readonly addressIpv6: number | undefined;
  readonly host: DatapathAttachment['host'];
  detach(): void;
}

export interface CniPlugin {
  /** What the other nodes must know of this one; published as annotations of the Node. */
  annotations(): Record<string, string>;
  /** As its installer writes it into /etc/cni/net.d. */
  configuration(): NetworkConfiguration;
  /** Builds the node's devices; called once. Undefined when there is more to wait for, and `up` of the context tells. */
  setUpNode(podCidr: Ipv4Prefix, podCidrIpv6: IpPrefix | undefined): NodeNetworkUp | undefined;
  /** Of a plugin whose addresses are elsewhere: gets the pod's, for `attach` to use. Rejects with AddressesExhaustedError. */
  reserve?(pod: PodReservation): Promise<void>;
  /** Throws AddressesExhaustedError. */
  attach(request: PodAttachRequest): CniAttachment;
  /** Frees what pods hold that no longer exist; called at start with the uids of those that do. */
  retainOnly(podUids: ReadonlySet<string>): void;
  /** This node's own object, with each change of it. */
  setSelf?(self: PeerNode): void;
  setPeer(peer: PeerNode): void;
  /** Of all nodes that there are the plugin was told; called at start. */
  nodesKnown?(): void;
  removePeer(name: string): void;
  /** Files of the node that the plugin keeps, by path, in folders of `pods/node-folders.ts`; made when they are read. */
  files?(): Readonly<Record<string, () => string>>;
  /** Shows policies in tables of its own; `here`: those of the state's pods that are plugged in here. Within a turn. */
  followPolicies?(state: ClusterState, here: readonly PolicyPod[]): void;
  /** Of a plugin whose policies speak of identities, names and content: it serves the engine with them from now on. */
  joinPolicy?(engine: PolicyEngine, node: PolicyNodeParts): CiliumPolicyOptions;
  /** Commands that a node of this plugin has beside the usual ones; they take the words behind their name, and print. */
  commands?(): Readonly<Record<string, (words: readonly string[]) => PluginOutput>>;
}

/** What a plugin that joins its node's policy has of the node. */
export interface PolicyNodeParts {
  /** For objects that nobody waits for. */
  readonly events: ApiClient;
  /** Sockets of a namespace. */
  readonly networkOf: (host: Host) => PodNetwork;
}

/** What a command prints; `next`: the words of the same command that go on from there, for one that follows. */
export type PluginOutput = string | { readonly text: string; readonly next: readonly string[] };
