/**
 * Pods behind routes, without a bridge: calico's network.
 *
 *   pod eth0 10.244.1.5/32 ~ cali... -- route 10.244.1.5 dev cali... -- routes to the blocks of other nodes -> tunl0 | eth0
 *
 * A pod's only neighbour is 169.254.1.1, for which the node answers ARP on every such cable (proxy_arp), so pods need to know
 * nothing of the network. IPv4 alone.
 */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import { KeptRoutes } from '../../../shared/netstack/kept-routes.ts';
import { addressBits, type IpPrefix, networkOf } from '../../../shared/wire/ip-address.ts';
import * as vxlan from '../../../shared/wire/vxlan.ts';
import type { FrameObserver } from '../frame-observer.ts';
import type { KnownPeer } from '../peer-table.ts';
import type { PodAttachment, PodAttachOptions } from '../pod-attachment.ts';
import type { TunnelDevice } from '../tunnel-device.ts';
import { BgpBackend, type Tunnelling } from './bgp-backend.ts';
import { calicoRules, type PoolRules } from './calico-rules.ts';
import type { NetworkParts, NodeNetwork } from './node-network.ts';
import { cableName, plugPod } from './pod-cable.ts';
import { VxlanBackend, type VxlanNode } from './vxlan-backend.ts';

/** How packets for pods of other nodes leave. */
export type Encapsulation = Tunnelling | VxlanEncapsulation;
export type VxlanEncapsulation = 'vxlan' | 'vxlan-cross-subnet';

export function isVxlan(encapsulation: Encapsulation): encapsulation is VxlanEncapsulation {
  return encapsulation === 'vxlan' || encapsulation === 'vxlan-cross-subnet';
}

export const CALICO_VNI = 4096;
/** `scan time` of BIRD's kernel protocol, and Felix' RouteRefreshInterval. */
const BIRD_SCAN_US = 2_000_000;
const FELIX_REFRESH_US = 90_000_000;
/** The node's end of every pod's cable has this MAC, as in the original. */
const HOST_MAC = 0xeeee_eeee_eeee;
const POD_GATEWAY = 0xa9fe_0101;

export class RoutedNetwork implements NodeNetwork {
  readonly bridge = null;
  readonly podCidrIpv6 = null;
  private readonly parts: NetworkParts;
  private readonly vxlan: VxlanBackend | null;
  private readonly bgp: BgpBackend | null;
  private readonly podRoutes: KeptRoutes;
  private readonly blocks: KeptRoutes;
  private cidr: IpPrefix | null = null;

  constructor(parts: NetworkParts, encapsulation: Encapsulation) {
    this.parts = parts;
    if (isVxlan(encapsulation)) {
      const crossSubnet = encapsulation === 'vxlan-cross-subnet';
      this.vxlan = new VxlanBackend(parts, {
        name: 'vxlan.calico',
        vni: CALICO_VNI,
        port: vxlan.PORT,
        crossSubnet,
        refreshUs: FELIX_REFRESH_US,
      });
      this.bgp = null;
    } else {
      this.vxlan = null;
      const tunnel = { shared: 'tunl0' };
      const scanIntervalUs = BIRD_SCAN_US;
      this.bgp = new BgpBackend(parts, { tunnelling: encapsulation, protocol: 'bird', tunnel, scanIntervalUs });
    }
    const { engine, root } = parts;
    const { routes } = root;
    this.podRoutes = new KeptRoutes({ engine, routes, intervalUs: FELIX_REFRESH_US, followsLinks: true });
    this.blocks = new KeptRoutes({ engine, routes, intervalUs: this.bgp === null ? FELIX_REFRESH_US : BIRD_SCAN_US });
    this.setPools([{ cidr: parts.clusterCidr, natOutgoing: true }]);
  }

  /** Where pods' addresses come from. */
  setPools(pools: readonly PoolRules[]): void {
    const { rules, bootId } = this.parts;
    const reply = rules.apply(calicoRules(bootId, pools));
    if (reply.kind !== 'applied') throw new Error(`calico's rules were refused: ${JSON.stringify(reply)}`);
  }

  get devices(): readonly NetDevice[] {
    return this.vxlan?.devices ?? this.bgp?.devices ?? [];
  }

  get tunnels(): readonly TunnelDevice[] {
    return this.vxlan?.devices ?? [];
  }

  get podCidr(): IpPrefix | null {
    return this.cidr;
  }

  /** Of what a pod may send to another node without being cut. */
  get podMtuBytes(): number {
    return this.vxlan?.mtuBytes ?? this.bgp?.mtuBytes ?? this.parts.eth0.mtuBytes;
  }

  setPodCidr(podCidr: IpPrefix): void {
    if (this.cidr !== null) return;
    this.cidr = { ...podCidr, address: networkOf(podCidr.address, podCidr.prefixLength) };
  }

  /** Pods have IPv4 alone. */
  setPodCidrIpv6(): void {
    throw new Error(`${this.parts.nodeName}: this network has no IPv6`);
  }

  /** The address with which the node sends through its tunnel. */
  setTunnelAddress(address: number): void {
    this.vxlan?.setOwnNetwork(address);
    this.bgp?.addSharedTunnel();
    for (const device of this.bgp?.devices ?? []) this.parts.root.addAddress(device, address, addressBits(address));
  }

  /** A block of this node: what none of its pods has goes nowhere, instead of to the default route and back. */
  claimBlock({ address: destination, prefixLength }: IpPrefix): void {
    this.blocks.set({ destination, prefixLength, type: 'blackhole', device: null, protocol: this.blockProtocol });
  }

  releaseBlock({ address: destination, prefixLength }: IpPrefix): void {
    this.blocks.remove({ destination, prefixLength, type: 'blackhole', protocol: this.blockProtocol });
  }

  /** Without BIRD they are Felix' own. */
  private get blockProtocol(): string {
    return this.bgp === null ? '80' : 'bird';
  }

  /** To the pods of another node, as BGP tells it. */
  setRoute(prefix: IpPrefix, gateway: number, tunnelling?: Tunnelling): void {
    this.bgp?.setRoute(prefix, gateway, tunnelling);
  }

  setVxlanRoute(prefix: IpPrefix, node: VxlanNode): void {
    this.vxlan?.setRoute(prefix, node);
  }

  removeRoute(prefix: IpPrefix): void {
    this.vxlan?.removeRoute(prefix);
    this.bgp?.removeRoute(prefix);
  }

  attach(pod: PodAttachOptions, detached: () => void): PodAttachment {
    const { root, engine } = this.parts;
    const cable = {
      hostDeviceName: cableName('cali', 11, engine.random),
      hostMac: HOST_MAC,
      mtuBytes: this.podMtuBytes,
      gateway: POD_GATEWAY,
    };
    const destination = pod.address;
    const attachment = plugPod(this.parts, pod, cable, (device) => {
      this.podRoutes.remove({ destination, prefixLength: 32, device });
      detached();
    });
    const { hostDevice: device } = attachment;
    root.addDevice(device).proxyArp = true;
    // An administrator may have made one of his own meanwhile.
    this.podRoutes.set({ destination, prefixLength: 32, device, scope: 'link' });
    return attachment;
  }

  peerAdded(peer: KnownPeer): void {
    this.vxlan?.peerAdded(peer);
  }

  peerRemoved(peer: KnownPeer): void {
    this.vxlan?.peerRemoved(peer);
  }

  observe(observer: FrameObserver | null): void {
    this.vxlan?.observe(observer);
    this.bgp?.observe(observer);
  }
}
