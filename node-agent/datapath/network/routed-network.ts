/**
 * Pods behind routes, without a bridge: calico's network.
 *
 *   pod eth0 10.244.1.5/32 ~ cali... -- route 10.244.1.5 dev cali... -- routes to the blocks of other nodes -> tunl0 | eth0
 *
 * A pod's only neighbour is 169.254.1.1, for which the node answers ARP on every such cable (proxy_arp), so pods need to know
 * nothing of the network. IPv4 alone.
 */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import { addressBits, type IpPrefix, isInNetwork, networkOf } from '../../../shared/wire/ip-address.ts';
import { OVERHEAD_BYTES } from '../../../shared/wire/ipip.ts';
import type { FrameObserver } from '../frame-observer.ts';
import { IpipDevice } from '../ipip-device.ts';
import type { KnownPeer } from '../peer-table.ts';
import type { PodAttachment, PodAttachOptions } from '../pod-attachment.ts';
import type { TunnelDevice } from '../tunnel-device.ts';
import { calicoRules } from './calico-rules.ts';
import type { NetworkParts, NodeNetwork } from './node-network.ts';
import { cableName, plugPod } from './pod-cable.ts';
import { VxlanBackend } from './vxlan-backend.ts';

/** How packets for pods of other nodes leave: `ipip-cross-subnet` tunnels only to nodes that are no neighbours. */
export type Encapsulation = 'none' | 'ipip' | 'ipip-cross-subnet' | 'vxlan';

export const CALICO_VNI = 4096;
/** The node's end of every pod's cable has this MAC, as in the original. */
const HOST_MAC = 0xeeee_eeee_eeee;
const POD_GATEWAY = 0xa9fe_0101;

export class RoutedNetwork implements NodeNetwork {
  readonly bridge = null;
  readonly podCidrIpv6 = null;
  private readonly parts: NetworkParts;
  private readonly encapsulation: Encapsulation;
  private readonly tunl0: IpipDevice | null;
  private readonly vxlan: VxlanBackend | null;
  private cidr: IpPrefix | null = null;

  constructor(parts: NetworkParts, encapsulation: Encapsulation) {
    const { root, internalIp: local, eth0, rules, bootId, clusterCidr } = parts;
    this.parts = parts;
    this.encapsulation = encapsulation;
    this.vxlan = encapsulation === 'vxlan' ? new VxlanBackend(parts, { name: 'vxlan.calico', vni: CALICO_VNI }) : null;
    const isIpip = encapsulation === 'ipip' || encapsulation === 'ipip-cross-subnet';
    const mtuBytes = eth0.mtuBytes - OVERHEAD_BYTES;
    this.tunl0 = isIpip
      ? new IpipDevice({ host: root, name: 'tunl0', index: parts.nextIndex(), local, mtuBytes })
      : null;
    if (this.tunl0 !== null) root.addDevice(this.tunl0);
    const reply = rules.apply(calicoRules(bootId, clusterCidr));
    if (reply.kind !== 'applied') throw new Error(`calico's rules were refused: ${JSON.stringify(reply)}`);
  }

  get devices(): readonly NetDevice[] {
    return [this.tunl0, this.vxlan?.device ?? null].filter((device) => device !== null);
  }

  get tunnels(): readonly TunnelDevice[] {
    return this.vxlan === null ? [] : [this.vxlan.device];
  }

  get podCidr(): IpPrefix | null {
    return this.cidr;
  }

  /** Of what a pod may send to another node without being cut. */
  get podMtuBytes(): number {
    return this.vxlan?.mtuBytes ?? this.tunl0?.mtuBytes ?? this.parts.eth0.mtuBytes;
  }

  setPodCidr(podCidr: IpPrefix): void {
    if (this.cidr !== null) return;
    this.cidr = { ...podCidr, address: networkOf(podCidr.address, podCidr.prefixLength) };
    this.vxlan?.setOwnNetwork(this.cidr.address);
  }

  /** Pods have IPv4 alone. */
  setPodCidrIpv6(): void {
    throw new Error(`${this.parts.nodeName}: this network has no IPv6`);
  }

  /** The address with which the node sends through `tunl0`. */
  setTunnelAddress(address: number): void {
    if (this.tunl0 !== null) this.parts.root.addAddress(this.tunl0, address, addressBits(address));
  }

  /** A block of this node: what none of its pods has goes nowhere, instead of to the default route and back. */
  claimBlock({ address: destination, prefixLength }: IpPrefix): void {
    const { routes } = this.parts.root;
    routes.replace({ destination, prefixLength, type: 'blackhole', device: null, protocol: 'bird' });
  }

  /** To the pods of another node. */
  setRoute({ address: destination, prefixLength }: IpPrefix, gateway: number): void {
    const { root, eth0, internalIp, internalPrefixLength } = this.parts;
    const isNeighbour = isInNetwork(gateway, internalIp, internalPrefixLength);
    const direct = this.tunl0 === null || (this.encapsulation === 'ipip-cross-subnet' && isNeighbour);
    const device = direct ? eth0 : this.tunl0!; // null only where all is direct
    root.routes.replace({ destination, prefixLength, gateway, device, onLink: !direct, protocol: 'bird' });
  }

  removeRoute({ address: destination, prefixLength }: IpPrefix): void {
    this.parts.root.routes.remove({ destination, prefixLength, protocol: 'bird' });
  }

  attach(pod: PodAttachOptions, detached: () => void): PodAttachment {
    const { root, engine } = this.parts;
    const cable = {
      hostDeviceName: cableName('cali', 11, engine.random),
      hostMac: HOST_MAC,
      mtuBytes: this.podMtuBytes,
      gateway: POD_GATEWAY,
    };
    const attachment = plugPod(this.parts, pod, cable, detached);
    const { hostDevice: device } = attachment;
    root.addDevice(device).proxyArp = true;
    root.routes.add({ destination: pod.address, prefixLength: 32, device, scope: 'link' });
    return attachment;
  }

  peerAdded(peer: KnownPeer): void {
    this.vxlan?.peerAdded(peer);
  }

  peerRemoved(peer: KnownPeer): void {
    this.vxlan?.peerRemoved(peer);
  }

  observe(observer: FrameObserver | null): void {
    if (this.tunl0 !== null) this.tunl0.observer = observer;
    if (this.vxlan !== null) this.vxlan.device.observer = observer;
  }
}
