/** The other nodes' pods through a VXLAN device: for each pod CIDR of a node a route and a neighbour, for each node an FDB entry. */
import { KeptRoutes } from '../../../shared/netstack/kept-routes.ts';
import { addressBits, type IpPrefix, isInNetwork } from '../../../shared/wire/ip-address.ts';
import { OVERHEAD_BYTES } from '../../../shared/wire/vxlan.ts';
import { randomMac } from '../device-identity.ts';
import type { FrameObserver } from '../frame-observer.ts';
import type { KnownPeer } from '../peer-table.ts';
import { podCidrsOf } from '../peer-table.ts';
import { VxlanDevice } from '../vxlan-device.ts';
import type { NetworkBackend } from './bridged-network.ts';
import type { NetworkParts } from './node-network.ts';

export interface VxlanBackendOptions {
  readonly name: string;
  readonly vni: number;
  readonly port: number;
  /** How often the daemon looks whether its routes are there; absent where it does not. */
  readonly refreshUs?: number;
  /** Neighbours' pods are reached without the tunnel (IPv4 alone). */
  readonly crossSubnet?: boolean;
}

export interface VxlanNode {
  readonly internalIp: number;
  /** Of its device, and that one's MAC. */
  readonly gateway: number;
  readonly vtepMac: number;
  /** Of these pods, where it is not as for all. */
  readonly isCrossSubnet?: boolean;
}

export class VxlanBackend implements NetworkBackend {
  readonly device: VxlanDevice;
  private readonly parts: NetworkParts;
  private readonly isCrossSubnet: boolean;
  private readonly routes: KeptRoutes;

  constructor(parts: NetworkParts, { name, vni, port, refreshUs, crossSubnet = false }: VxlanBackendOptions) {
    const { memory, underlay, drops, engine, eth0, root } = parts;
    this.parts = parts;
    this.isCrossSubnet = crossSubnet;
    this.device = new VxlanDevice({
      vni,
      port,
      memory,
      underlay,
      drops,
      name,
      index: parts.nextIndex(),
      macAddress: randomMac(engine.random),
      mtuBytes: eth0.mtuBytes - OVERHEAD_BYTES,
    });
    this.routes = new KeptRoutes({ engine, routes: root.routes, intervalUs: refreshUs });
    underlay.addEnd(vni, this.device);
    root.addDevice(this.device);
  }

  get devices(): readonly VxlanDevice[] {
    return [this.device];
  }

  get mtuBytes(): number {
    return this.device.mtuBytes;
  }

  setOwnNetwork(network: number): void {
    this.parts.root.addAddress(this.device, network, addressBits(network));
  }

  peerAdded({ options, peer }: KnownPeer): void {
    const { vtepMac } = options;
    if (vtepMac === undefined) return;
    this.device.setFdbEntry(vtepMac, peer);
    for (const podCidr of podCidrsOf(options)) {
      if (this.isDirect(options.internalIp)) this.addDirectRoute(podCidr, options.internalIp);
      else this.addRoute(podCidr, podCidr.address, vtepMac);
    }
  }

  peerRemoved({ options }: KnownPeer): void {
    const { root } = this.parts;
    for (const { address, prefixLength } of podCidrsOf(options)) {
      const device = this.isDirect(options.internalIp) ? this.parts.eth0 : this.device;
      this.routes.remove({ destination: address, prefixLength, device });
      root.neighbours.remove(this.device, address);
    }
    if (options.vtepMac !== undefined) this.device.removeFdbEntry(options.vtepMac);
  }

  /** To pods of a node whose end of the tunnel has an address of its own. */
  setRoute(prefix: IpPrefix, { internalIp, gateway, vtepMac, isCrossSubnet = this.isCrossSubnet }: VxlanNode): void {
    this.removeRoute(prefix);
    if (this.isDirect(internalIp, isCrossSubnet)) this.addDirectRoute(prefix, internalIp);
    else this.addRoute(prefix, gateway, vtepMac);
  }

  removeRoute({ address: destination, prefixLength }: IpPrefix): void {
    const { eth0 } = this.parts;
    for (const device of [eth0, this.device]) this.routes.remove({ destination, prefixLength, device });
  }

  observe(observer: FrameObserver | null): void {
    this.device.observer = observer;
  }

  /** A neighbour's pods need no tunnel, where only packets between subnets go through it. */
  private isDirect(node: number, isCrossSubnet = this.isCrossSubnet): boolean {
    const { internalIp, internalPrefixLength } = this.parts;
    return isCrossSubnet && isInNetwork(node, internalIp, internalPrefixLength);
  }

  private addDirectRoute({ address: destination, prefixLength }: IpPrefix, gateway: number): void {
    const { eth0: device } = this.parts;
    this.routes.set({ destination, prefixLength, gateway, device });
  }

  private addRoute({ address, prefixLength }: IpPrefix, gateway: number, vtepMac: number): void {
    const { root } = this.parts;
    const { device } = this;
    root.neighbours.setPermanent(device, gateway, vtepMac);
    this.routes.set({ destination: address, prefixLength, gateway, device, onLink: true });
  }
}
