/**
 * Pods as ports of one bridge, and a way to the other nodes' pods behind it: the network of flannel, of kube-router, and of the
 * CNI plugin `bridge` with routes that an administrator makes.
 *
 *   pod eth0 ~ veth -- cni0 (first address of the node's pod CIDR) -- routes of the backend -> the other nodes
 */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import { setLinkUp } from '../../../shared/netstack/link-state.ts';
import type { RulesTransaction } from '../../../shared/rules/transaction.ts';
import { macOfIpv4 } from '../../../shared/wire/address.ts';
import { addressPlus, formatPrefix, type IpPrefix, networkOf } from '../../../shared/wire/ip-address.ts';
import { BridgeDevice } from '../bridge.ts';
import { randomMac, vethName } from '../device-identity.ts';
import { flannelRules } from '../flannel-rules.ts';
import type { FrameObserver } from '../frame-observer.ts';
import type { KnownPeer } from '../peer-table.ts';
import { attachPod, type PodAttachment, type PodAttachOptions } from '../pod-attachment.ts';
import { TunnelDevice } from '../tunnel-device.ts';
import type { WireguardKeys } from '../wireguard/session.ts';
import { HostGatewayBackend } from './host-gateway-backend.ts';
import type { NetworkParts, NodeNetwork } from './node-network.ts';
import { UdpBackend } from './udp-backend.ts';
import { VxlanBackend } from './vxlan-backend.ts';
import { WireguardBackend } from './wireguard-backend.ts';

/** A device whose frames can be seen. */
export interface WatchedDevice extends NetDevice {
  observer: FrameObserver | null;
}

/** How the pods of the other nodes are reached. */
export interface NetworkBackend {
  /** None where packets leave as they are. */
  readonly devices: readonly WatchedDevice[];
  /** Of what fits through it. */
  readonly mtuBytes: number;
  /** The zeroth address of the node's CIDR is its end of the tunnel. */
  setOwnNetwork(network: number): void;
  peerAdded(peer: KnownPeer): void;
  peerRemoved(peer: KnownPeer): void;
  observe(observer: FrameObserver | null): void;
}

export interface BridgedOptions {
  /** `cni0` */
  readonly bridgeName: string;
  /** What the plugin adds to the node's tables for a pod CIDR of the node; absent where it does so itself. */
  readonly rules?: (bootId: string, clusterCidr: IpPrefix, podCidr: IpPrefix) => RulesTransaction;
}

export class BridgedNetwork<Backend extends NetworkBackend = NetworkBackend> implements NodeNetwork {
  readonly backend: Backend;
  private readonly parts: NetworkParts;
  private readonly options: BridgedOptions;
  private cni0: BridgeDevice | null = null;
  private cidr: IpPrefix | null = null;
  private cidrIpv6: IpPrefix | null = null;
  private observer: FrameObserver | null = null;

  constructor(parts: NetworkParts, backend: Backend, options: BridgedOptions) {
    this.parts = parts;
    this.backend = backend;
    this.options = options;
  }

  get devices(): readonly NetDevice[] {
    const made = this.backend.devices;
    return this.cni0 === null ? made : [...made, this.cni0].sort((a, b) => a.index - b.index);
  }

  get tunnels(): readonly TunnelDevice[] {
    return this.backend.devices.filter((device) => device instanceof TunnelDevice);
  }

  get bridge(): BridgeDevice | null {
    return this.cni0;
  }

  get podCidr(): IpPrefix | null {
    return this.cidr;
  }

  get podCidrIpv6(): IpPrefix | null {
    return this.cidrIpv6;
  }

  setPodCidr(podCidr: IpPrefix): void {
    const { engine, memory, root, rules, nodeName } = this.parts;
    const network = networkOf(podCidr.address, podCidr.prefixLength);
    if (this.cidr !== null) {
      if (this.cidr.address === network && this.cidr.prefixLength === podCidr.prefixLength) return;
      throw new Error(
        `${nodeName} has pod CIDR ${formatPrefix(this.cidr)} and cannot change to ${formatPrefix(podCidr)}`,
      );
    }
    this.cidr = { address: network, prefixLength: podCidr.prefixLength };
    this.cni0 = new BridgeDevice({
      engine,
      memory,
      host: root,
      rulePorts: rules.ports,
      name: this.options.bridgeName,
      index: this.parts.nextIndex(),
      macAddress: macOfIpv4(network + 1),
      mtuBytes: this.backend.mtuBytes,
    });
    this.cni0.observer = this.observer; // a trace may have begun before
    this.addPodNetwork(this.cni0, this.cidr, this.parts.clusterCidr);
  }

  /** On the bridge that IPv4's made. */
  setPodCidrIpv6(podCidr: IpPrefix): void {
    const { clusterCidrIpv6 } = this.parts;
    if (this.cni0 === null || clusterCidrIpv6 === undefined || this.cidrIpv6 !== null) return;
    this.cidrIpv6 = { ...podCidr, address: networkOf(podCidr.address, podCidr.prefixLength) };
    this.addPodNetwork(this.cni0, this.cidrIpv6, clusterCidrIpv6);
  }

  private addPodNetwork(bridge: BridgeDevice, podCidr: IpPrefix, clusterCidr: IpPrefix): void {
    const { root, rules, bootId } = this.parts;
    const { address: network, prefixLength } = podCidr;
    this.backend.setOwnNetwork(network);
    root.addAddress(bridge, addressPlus(network, 1), prefixLength);
    const transaction = this.options.rules?.(bootId, clusterCidr, podCidr);
    const reply = transaction && rules.apply(transaction);
    if (reply !== undefined && reply.kind !== 'applied') {
      throw new Error(`the rules of ${transaction?.owner} were refused: ${JSON.stringify(reply)}`);
    }
  }

  attach(pod: PodAttachOptions, detached: () => void): PodAttachment {
    const { engine, memory, nodeName, clusterCidr, clusterCidrIpv6, drops, secret } = this.parts;
    if (this.cni0 === null || this.cidr === null)
      throw new Error(`pod ${pod.id}: node ${nodeName} has no pod CIDR yet`);
    this.ensureBridge(this.cni0);
    return attachPod(
      {
        bridge: this.cni0,
        gateway: addressPlus(this.cidr.address, 1),
        podCidr: this.cidr,
        podCidrIpv6: this.cidrIpv6,
        clusterCidr,
        hostDeviceIndex: this.parts.nextIndex(),
        hostDeviceName: pod.hostDeviceName ?? vethName(engine.random),
        hostDeviceMac: randomMac(engine.random),
        mtuBytes: this.backend.mtuBytes,
      },
      pod,
      { engine, memory, name: pod.id, ipv6: clusterCidrIpv6 !== undefined, observer: drops.of(pod.id), secret },
      detached,
    );
  }

  /** As the plugin `bridge` does for every pod: what an administrator took from the bridge comes back. */
  private ensureBridge(bridge: BridgeDevice): void {
    const { root } = this.parts;
    setLinkUp(root, bridge, true);
    for (const { address, prefixLength } of [this.cidr, this.cidrIpv6].filter((cidr) => cidr !== null)) {
      root.addAddress(bridge, addressPlus(address, 1), prefixLength);
    }
  }

  peerAdded(peer: KnownPeer): void {
    this.backend.peerAdded(peer);
  }

  peerRemoved(peer: KnownPeer): void {
    this.backend.peerRemoved(peer);
  }

  observe(observer: FrameObserver | null): void {
    this.observer = observer;
    this.backend.observe(observer);
    if (this.cni0 !== null) this.cni0.observer = observer;
  }
}

const FLANNEL_VXLAN = { name: 'flannel.1', vni: 1, port: 8472 };
const FLANNEL: BridgedOptions = { bridgeName: 'cni0', rules: flannelRules };

/** flannel's `vxlan`. */
export function vxlanNetwork(parts: NetworkParts): BridgedNetwork {
  return new BridgedNetwork(parts, new VxlanBackend(parts, FLANNEL_VXLAN), FLANNEL);
}

/** flannel's `wireguard`. */
export function wireguardNetwork(keys: WireguardKeys): (parts: NetworkParts) => BridgedNetwork {
  return (parts) => new BridgedNetwork(parts, new WireguardBackend(parts, 'flannel-wg', keys), FLANNEL);
}

/** flannel's `udp`. */
export function udpNetwork(parts: NetworkParts): BridgedNetwork {
  return new BridgedNetwork(parts, new UdpBackend(parts, 'flannel0'), FLANNEL);
}

/** Between flanneld's checks of its routes. */
const ROUTE_CHECK_US = 10_000_000;

/** flannel's `host-gw`. */
export function hostGatewayNetwork(parts: NetworkParts): BridgedNetwork {
  return new BridgedNetwork(parts, new HostGatewayBackend(parts, ROUTE_CHECK_US), FLANNEL);
}
