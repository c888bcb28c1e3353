/**
 * Pods behind programs at devices: cilium's network, without a bridge and without a route for each pod.
 *
 *   pod eth0 10.244.1.5/32 ~ lxc... -- stack of the node -- 10.244.0.0/16 via 10.244.1.2 dev cilium_host
 *                                                             -> endpoint map -> lxc...
 *                                                             -> tunnel map -> cilium_vxlan | cilium_geneve   (tunnel)
 *                                                          -- 10.244.2.0/24 via 192.168.1.11 dev eth0         (native)
 *                                                          -- 10.244.2.0/24 dev cilium_wg0, sealed            (with keys)
 *
 * Cables have the MTU of eth0, and what must leave room for a tunnel says so in its route. IPv4 alone.
 */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import { VethDevice } from '../../../shared/netstack/veth.ts';
import { CILIUM_HOST_PLACE } from '../../../shared/policy/policy-node.ts';
import { addressBits, type IpPrefix, networkOf } from '../../../shared/wire/ip-address.ts';
import { OVERHEAD_BYTES } from '../../../shared/wire/vxlan.ts';
import { MTU_OVERHEAD_BYTES } from '../../../shared/wire/wireguard.ts';
import { CiliumHostDevice } from '../cilium/cilium-host-device.ts';
import { CiliumVxlanDevice } from '../cilium/cilium-vxlan-device.ts';
import { GeneveDevice } from '../cilium/geneve-device.ts';
import { RESERVED_IDENTITIES } from '../cilium/identity.ts';
import { IpCache } from '../cilium/ip-cache.ts';
import { TunnelMap } from '../cilium/tunnel-map.ts';
import { randomMac } from '../device-identity.ts';
import type { FrameObserver } from '../frame-observer.ts';
import { type KnownPeer, podCidrsOf } from '../peer-table.ts';
import type { PodAttachment, PodAttachOptions } from '../pod-attachment.ts';
import { TunnelDevice } from '../tunnel-device.ts';
import type { WireguardKeys } from '../wireguard/session.ts';
import { WireguardDevice } from '../wireguard/wireguard-device.ts';
import { ciliumRules } from './cilium-rules.ts';
import type { NetworkParts, NodeNetwork } from './node-network.ts';
import { cableName, plugPod } from './pod-cable.ts';

/**
 * `routingMode: tunnel` with `tunnelProtocol`, or `routingMode: native` with `autoDirectNodeRoutes`; `wireguard` is the latter
 * with `encryption.enabled`. With it a tunnel stands idle: what is sealed is a tunnel already.
 */
export type CiliumRouting = 'vxlan' | 'geneve' | 'native' | 'wireguard';

const WIREGUARD_PORT = 51_871;

const ROUTE_PROTOCOL = 'kernel';

export class CiliumNetwork implements NodeNetwork {
  readonly bridge = null;
  readonly podCidrIpv6 = null;
  readonly routing: CiliumRouting;
  readonly ipCache = new IpCache();
  readonly tunnelMap = new TunnelMap();
  readonly ciliumHost: CiliumHostDevice;
  private readonly ciliumNet: VethDevice;
  private readonly tunnel: CiliumVxlanDevice | GeneveDevice | null;
  /** Seals what goes to other nodes' pods; null where nothing is encrypted. */
  readonly wireguard: WireguardDevice | null;
  readonly parts: NetworkParts;
  private readonly peers = new Set<KnownPeer>();
  private cidr: IpPrefix | null = null;
  /** Of `cilium_host`: every pod's gateway. 0 before there is one. */
  private routerAddress = 0;

  /** With `keys` what goes to other nodes' pods is sealed. */
  constructor(parts: NetworkParts, routing: CiliumRouting, keys?: WireguardKeys) {
    const { engine, memory, root, eth0 } = parts;
    this.parts = parts;
    this.routing = routing;
    const { mtuBytes } = eth0;
    const end = (name: string) => ({ name, index: parts.nextIndex(), macAddress: randomMac(engine.random), mtuBytes });
    this.ciliumNet = new VethDevice(engine, memory, end('cilium_net'));
    const hostEnd = end('cilium_host');
    this.tunnel = this.createTunnel();
    this.wireguard = keys === undefined ? null : this.createWireguard(keys);
    this.ciliumHost = new CiliumHostDevice(engine, root, this.tunnel, hostEnd);
    this.ciliumNet.peer = this.ciliumHost;
    this.ciliumHost.peer = this.ciliumNet;
    for (const device of this.devices) root.addDevice(device);
    this.ipCache.set(parts.internalIp, RESERVED_IDENTITIES.host);
  }

  private createTunnel(): CiliumVxlanDevice | GeneveDevice | null {
    const { memory, underlay, drops, engine, eth0, root, internalIp } = this.parts;
    if (this.routing === 'native' || this.routing === 'wireguard') return null;
    const common = {
      name: `cilium_${this.routing}`,
      index: this.parts.nextIndex(),
      macAddress: randomMac(engine.random),
      mtuBytes: eth0.mtuBytes,
    };
    const { tunnelMap: map, ipCache } = this;
    if (this.routing === 'geneve') return new GeneveDevice({ ...common, host: root, local: internalIp, map, ipCache });
    const device = new CiliumVxlanDevice({ ...common, memory, underlay, drops }, map, ipCache);
    underlay.addOtherEnd(device);
    return device;
  }

  private createWireguard(keys: WireguardKeys): WireguardDevice {
    const { root: host, eth0, internalIp: local } = this.parts;
    const mtuBytes = eth0.mtuBytes - MTU_OVERHEAD_BYTES;
    const index = this.parts.nextIndex();
    return new WireguardDevice({ host, keys, name: 'cilium_wg0', index, mtuBytes, listenPort: WIREGUARD_PORT, local });
  }

  get devices(): readonly NetDevice[] {
    return [this.ciliumNet, this.ciliumHost, this.tunnel, this.wireguard].filter((device) => device !== null);
  }

  get tunnels(): readonly TunnelDevice[] {
    return this.tunnel instanceof TunnelDevice ? [this.tunnel] : [];
  }

  get podCidr(): IpPrefix | null {
    return this.cidr;
  }

  /** Of what fits between two nodes. */
  get routeMtuBytes(): number {
    const { mtuBytes } = this.wireguard ?? this.parts.eth0;
    return this.tunnel === null ? mtuBytes : mtuBytes - OVERHEAD_BYTES;
  }

  /** Of `cilium_host`; 0 before it has one. */
  get router(): number {
    return this.routerAddress;
  }

  setPodCidr(podCidr: IpPrefix): void {
    if (this.cidr !== null) return;
    this.cidr = { ...podCidr, address: networkOf(podCidr.address, podCidr.prefixLength) };
    const { rules, bootId, clusterCidr } = this.parts;
    const reply = rules.apply(ciliumRules(bootId, clusterCidr, this.cidr));
    if (reply.kind !== 'applied') throw new Error(`cilium's rules were refused: ${JSON.stringify(reply)}`);
  }

  /** Pods have IPv4 alone. */
  setPodCidrIpv6(): void {
    throw new Error(`${this.parts.nodeName}: this network has no IPv6`);
  }

  /** Once, after the node has its pod CIDR, of which the address is one. */
  setRouterAddress(address: number): void {
    const { root } = this.parts;
    if (this.cidr === null || this.routerAddress !== 0) return;
    this.routerAddress = address;
    root.addAddress(this.ciliumHost, address, addressBits(address));
    this.ipCache.set(address, RESERVED_IDENTITIES.host);
    const device = this.ciliumHost;
    root.routes.add({ destination: address, prefixLength: 32, device, scope: 'link', protocol: ROUTE_PROTOCOL });
    // Nobody answers for it on this cable; the program at the device needs only a frame.
    root.neighbours.setPermanent(device, address, this.ciliumNet.macAddress);
    this.routeThroughCiliumHost(this.cidr, 0);
    for (const peer of this.peers) this.addPeerRoutes(peer);
  }

  private routeThroughCiliumHost({ address: destination, prefixLength }: IpPrefix, mtuBytes: number): void {
    const { routerAddress: gateway, ciliumHost: device } = this;
    const common = { destination, prefixLength, gateway, device, onLink: true } as const;
    this.parts.root.routes.replace({ ...common, source: gateway, mtuBytes, protocol: ROUTE_PROTOCOL });
  }

  attach(pod: PodAttachOptions, detached: () => void): PodAttachment {
    const { engine, eth0, nodeName } = this.parts;
    if (this.routerAddress === 0) throw new Error(`pod ${pod.id}: node ${nodeName} has no pod CIDR yet`);
    const { mtuBytes } = eth0;
    const cable = {
      hostDeviceName: cableName('lxc', 12, engine.random),
      hostMac: randomMac(engine.random),
      mtuBytes,
      gateway: this.routerAddress,
      routeMtuBytes: this.routeMtuBytes < mtuBytes ? this.routeMtuBytes : 0,
    };
    const attachment = plugPod(this.parts, pod, cable, () => {
      this.ciliumHost.endpoints.delete(pod.address);
      detached();
    });
    const { hostDevice: device, podDevice } = attachment;
    this.ciliumHost.endpoints.set(pod.address, { device, podMac: podDevice.macAddress });
    return attachment;
  }

  peerAdded(peer: KnownPeer): void {
    this.peers.add(peer);
    for (const address of nodeAddressesOf(peer)) this.ipCache.set(address, RESERVED_IDENTITIES['remote-node']);
    if (this.routerAddress !== 0) this.addPeerRoutes(peer);
  }

  private addPeerRoutes(peer: KnownPeer): void {
    const { root, eth0 } = this.parts;
    const { internalIp: gateway, publicKey } = peer.options;
    const { wireguard, routerAddress } = this;
    if (publicKey !== undefined) wireguard?.setPeer(publicKey, gateway, podCidrsOf(peer.options));
    for (const podCidr of podCidrsOf(peer.options)) {
      if (this.tunnel !== null) this.tunnelMap.set(podCidr, peer);
      if (this.tunnel !== null && wireguard === null) {
        this.routeThroughCiliumHost(podCidr, this.routeMtuBytes);
        continue;
      }
      const { address: destination, prefixLength } = podCidr;
      const way = wireguard === null ? { gateway, device: eth0 } : { device: wireguard, source: routerAddress };
      root.routes.tryReplace({ destination, prefixLength, ...way, protocol: ROUTE_PROTOCOL });
    }
  }

  peerRemoved(peer: KnownPeer): void {
    this.peers.delete(peer);
    if (peer.options.publicKey !== undefined) this.wireguard?.removePeer(peer.options.publicKey);
    for (const address of nodeAddressesOf(peer)) this.ipCache.delete(address);
    for (const podCidr of podCidrsOf(peer.options)) {
      this.tunnelMap.delete(podCidr);
      const { address: destination, prefixLength } = podCidr;
      this.parts.root.routes.remove({ destination, prefixLength, protocol: ROUTE_PROTOCOL });
    }
  }

  observe(observer: FrameObserver | null): void {
    this.ciliumHost.observer = observer;
    if (this.tunnel !== null) this.tunnel.observer = observer;
    if (this.wireguard !== null) this.wireguard.observer = observer;
  }
}

/** With which it sends: its own, and that of its `cilium_host`. */
function nodeAddressesOf({ options }: KnownPeer): number[] {
  return [options.internalIp, ...podCidrsOf(options).map(({ address }) => address + CILIUM_HOST_PLACE)];
}
