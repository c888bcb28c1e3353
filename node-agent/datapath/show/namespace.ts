/** What the listings look at: one network namespace, a node's or a pod's. */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import type { Host } from '../../../shared/netstack/host.ts';
import { VethDevice } from '../../../shared/netstack/veth.ts';
import { BridgeDevice } from '../bridge.ts';
import { indexesFrom } from '../device-identity.ts';
import type { NodeDatapath } from '../path.ts';
import { BridgePorts } from '../rule-tables.ts';
import type { Peer } from '../underlay.ts';

export interface ShownNamespace {
  readonly host: Host;
  /** In the order of their indexes. */
  readonly devices: readonly NetDevice[];
  /** The underlay address of another node, by name, for the FDB of `flannel.1`. */
  readonly peerAddress: (nodeName: string) => number | undefined;
  /** The other node with this underlay address. */
  readonly peerAt: (address: number) => Peer | undefined;
  /** `ip netns list`: the namespaces this one has names for; each one's place is its id. */
  readonly named: readonly NamedNamespace[];
  /** Who asks has CAP_NET_ADMIN: it may change what it sees. */
  readonly administrator: boolean;
  /** For a new device. */
  readonly nextIndex: () => number;
  readonly bridgePorts: BridgePorts;
  /** To be called when one came or went. */
  readonly devicesChanged: () => void;
}

export interface NamedNamespace {
  readonly name: string;
  readonly host: Host;
  /** The end of its cable in the node. */
  readonly hostDevice: NetDevice;
}

export function nodeNamespace(node: NodeDatapath, administrator = true): ShownNamespace {
  return {
    host: node.root,
    devices: node.devices,
    named: podNamespaces(node),
    administrator,
    nextIndex: node.nextIndex,
    bridgePorts: node.rules.ports,
    devicesChanged: () => node.captures.devicesChanged(),
    peerAt: (address) => node.peers.list().find(({ options }) => options.internalIp === address)?.peer,
    peerAddress: (nodeName) => node.peers.list().find(({ peer }) => peer.nodeName === nodeName)?.options.internalIp,
  };
}

export function podNamespace(host: Host, administrator = false): ShownNamespace {
  const lastIndex = Math.max(...[...host.interfaces.keys()].map(({ index }) => index));
  return {
    host,
    devices: [...host.interfaces.keys()],
    peerAddress: () => undefined,
    peerAt: () => undefined,
    named: [],
    administrator,
    nextIndex: indexesFrom(lastIndex + 1),
    // It has no rules.
    bridgePorts: new BridgePorts(),
    devicesChanged: () => undefined,
  };
}

/** Those of a node's pods, in the order in which they came; `default/web-0` is `cni-default.web-0`. */
export function podNamespaces(node: NodeDatapath): NamedNamespace[] {
  return [...node.pods.values()].map(({ id, host, hostDevice }) => {
    return { name: `cni-${id.replace('/', '.')}`, host, hostDevice };
  });
}

/** The bridge a device is a port of. */
export function masterOf(namespace: ShownNamespace, device: NetDevice): BridgeDevice | undefined {
  return bridgesOf(namespace).find((bridge) => bridge.ports.has(device));
}

export function bridgesOf(namespace: ShownNamespace): BridgeDevice[] {
  return namespace.devices.filter((device) => device instanceof BridgeDevice);
}

/** Index of the other end of a cable, in its own namespace. */
export function peerIndex(device: NetDevice): number | undefined {
  return device instanceof VethDevice ? device.peer?.index : undefined;
}

/** The other end of a cable that does not leave the namespace. */
export function nearPeer({ devices }: ShownNamespace, device: NetDevice): NetDevice | undefined {
  return device instanceof VethDevice && device.peer !== null && devices.includes(device.peer)
    ? device.peer
    : undefined;
}
