/**
 * Pods as ports of one bridge, and a way to the other nodes' pods behind it: flannel's network, and that of the CNI plugin
 * `bridge` where there is no other node.
 *
 *   pod eth0 ~ veth -- cni0 (first address of the node's pod CIDR) -- routes of the backend -> the other nodes
 */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import { macOfIpv4 } from '../../../shared/wire/address.ts';
import { addressPlus, formatPrefix, type IpPrefix, networkOf } from '../../../shared/wire/ip-address.ts';
import { BridgeDevice } from '../bridge.ts';
import { randomMac, vethName } from '../device-identity.ts';
import { flannelRules } from '../flannel-rules.ts';
import type { FrameObserver } from '../frame-observer.ts';
import type { KnownPeer } from '../peer-table.ts';
import { attachPod, type PodAttachment, type PodAttachOptions } from '../pod-attachment.ts';
import type { VxlanDevice } from '../vxlan-device.ts';
import { HostGatewayBackend } from './host-gateway-backend.ts';
import type { NetworkParts, NodeNetwork } from './node-network.ts';
import { VxlanBackend } from './vxlan-backend.ts';

/** How the pods of the other nodes are reached. */
export interface NetworkBackend {
  /** null where packets leave as they are. */
  readonly device: VxlanDevice | null;
  /** Of what fits through it. */
  readonly mtuBytes: number;
  /** The zeroth address of the node's CIDR is its end of the tunnel. */
  setOwnNetwork(network: number): void;
  peerAdded(peer: KnownPeer): void;
  peerRemoved(peer: KnownPeer): void;
}

export class BridgedNetwork implements NodeNetwork {
  readonly backend: NetworkBackend;
  private readonly parts: NetworkParts;
  private cni0: BridgeDevice | null = null;
  private cidr: IpPrefix | null = null;
  private cidrIpv6: IpPrefix | null = null;
  private observer: FrameObserver | null = null;

  constructor(parts: NetworkParts, backend: NetworkBackend) {
    this.parts = parts;
    this.backend = backend;
  }

  get devices(): readonly NetDevice[] {
    return [this.backend.device, this.cni0].filter((device) => device !== null);
  }

  get tunnels(): readonly VxlanDevice[] {
    return this.backend.device === null ? [] : [this.backend.device];
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
      name: 'cni0',
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
    const reply = rules.apply(flannelRules(bootId, clusterCidr, podCidr));
    if (reply.kind !== 'applied') throw new Error(`flannel's rules were refused: ${JSON.stringify(reply)}`);
  }

  attach(pod: PodAttachOptions, detached: () => void): PodAttachment {
    const { engine, memory, nodeName, clusterCidr, clusterCidrIpv6, drops, secret } = this.parts;
    if (this.cni0 === null || this.cidr === null)
      throw new Error(`pod ${pod.id}: node ${nodeName} has no pod CIDR yet`);
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

  peerAdded(peer: KnownPeer): void {
    this.backend.peerAdded(peer);
  }

  peerRemoved(peer: KnownPeer): void {
    this.backend.peerRemoved(peer);
  }

  observe(observer: FrameObserver | null): void {
    this.observer = observer;
    if (this.backend.device !== null) this.backend.device.observer = observer;
    if (this.cni0 !== null) this.cni0.observer = observer;
  }
}

const FLANNEL_VNI = 1;

/** flannel's `vxlan`. */
export function vxlanNetwork(parts: NetworkParts): BridgedNetwork {
  return new BridgedNetwork(parts, new VxlanBackend(parts, { name: 'flannel.1', vni: FLANNEL_VNI }));
}

/** flannel's `host-gw`. */
export function hostGatewayNetwork(parts: NetworkParts): BridgedNetwork {
  return new BridgedNetwork(parts, new HostGatewayBackend(parts));
}
