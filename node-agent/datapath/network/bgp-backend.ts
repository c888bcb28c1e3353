/**
 * The other nodes' pods by routes that BGP brings, as they are or in IP-in-IP: what calico's BIRD and kube-router make of them.
 *
 *   shared      10.244.2.0/26 via 192.168.1.11 dev tunl0 onlink     one device, the gateway is where the packet goes
 *   one a peer  10.244.2.0/24 dev tun-192168111 src 192.168.1.10    a device for each node, made for its first route
 *   neither     10.244.2.0/24 via 192.168.1.11 dev eth0
 */
import { KeptRoutes } from '../../../shared/netstack/kept-routes.ts';
import { type IpPrefix, isInNetwork } from '../../../shared/wire/ip-address.ts';
import { OVERHEAD_BYTES } from '../../../shared/wire/ipip.ts';
import type { FrameObserver } from '../frame-observer.ts';
import { IpipDevice, IpipInput } from '../ipip-device.ts';
import type { NetworkBackend } from './bridged-network.ts';
import type { NetworkParts } from './node-network.ts';

/** Which packets for other nodes' pods go through a tunnel; `ipip-cross-subnet`: those to nodes that are no neighbours. */
export type Tunnelling = 'none' | 'ipip' | 'ipip-cross-subnet';

export interface BgpBackendOptions {
  readonly tunnelling: Tunnelling;
  /** Of the routes, as `ip route` prints it. */
  readonly protocol: string;
  /** One device for all, made at once; or the name of that for a node (uint32). */
  readonly tunnel: { readonly shared: string } | { readonly nameFor: (node: number) => string };
  /** How often the daemon looks whether its routes are there. */
  readonly scanIntervalUs: number;
}

export class BgpBackend implements NetworkBackend {
  private readonly parts: NetworkParts;
  private readonly options: BgpBackendOptions;
  private readonly input: IpipInput;
  private readonly routes: KeptRoutes;
  private shared: IpipDevice | null = null;
  /** By the node's address. */
  private readonly perNode = new Map<number, IpipDevice>();
  private observer: FrameObserver | null = null;

  constructor(parts: NetworkParts, options: BgpBackendOptions) {
    this.parts = parts;
    this.options = options;
    this.input = new IpipInput(parts.root);
    const { engine, root } = parts;
    this.routes = new KeptRoutes({ engine, routes: root.routes, intervalUs: options.scanIntervalUs });
    const { tunnelling } = options;
    if (tunnelling !== 'none') this.addSharedTunnel();
  }

  get devices(): readonly IpipDevice[] {
    return this.shared === null ? [...this.perNode.values()] : [this.shared];
  }

  /** Less than eth0's wherever some packets may be tunnelled. */
  get mtuBytes(): number {
    return this.parts.eth0.mtuBytes - (this.options.tunnelling === 'none' ? 0 : OVERHEAD_BYTES);
  }

  setOwnNetwork(): void {
    // The plugin announces it.
  }

  peerAdded(): void {
    // Its routes come by BGP.
  }

  peerRemoved(): void {
    // They go by BGP, too.
  }

  /** To the pods of another node. `tunnelling`: of these pods, where it is not that of all. */
  setRoute(
    { address: destination, prefixLength }: IpPrefix,
    gateway: number,
    tunnelling: Tunnelling = this.options.tunnelling,
  ): void {
    const { eth0, internalIp: source } = this.parts;
    const { protocol, tunnel } = this.options;
    const to = { destination, prefixLength, protocol };
    if (this.isDirect(gateway, tunnelling)) this.routes.set({ ...to, gateway, device: eth0 });
    else if ('shared' in tunnel)
      this.routes.set({ ...to, gateway, device: this.sharedTunnel(tunnel.shared), onLink: true });
    else this.routes.set({ ...to, source, scope: 'global', device: this.tunnelTo(gateway, tunnel.nameFor) });
  }

  removeRoute({ address: destination, prefixLength }: IpPrefix): void {
    this.routes.remove({ destination, prefixLength, protocol: this.options.protocol });
  }

  /** Where there is one for all, whether or not it is needed yet. */
  addSharedTunnel(): void {
    const { tunnel } = this.options;
    if ('shared' in tunnel) this.sharedTunnel(tunnel.shared);
  }

  observe(observer: FrameObserver | null): void {
    this.observer = observer;
    for (const device of this.devices) device.observer = observer;
  }

  private isDirect(gateway: number, tunnelling: Tunnelling): boolean {
    const { internalIp, internalPrefixLength } = this.parts;
    if (tunnelling !== 'ipip-cross-subnet') return tunnelling === 'none';
    return isInNetwork(gateway, internalIp, internalPrefixLength);
  }

  private sharedTunnel(name: string): IpipDevice {
    this.shared ??= this.addTunnel(name, null);
    return this.shared;
  }

  private tunnelTo(node: number, nameFor: (node: number) => string): IpipDevice {
    const present = this.perNode.get(node);
    if (present !== undefined) return present;
    const made = this.addTunnel(nameFor(node), node);
    this.perNode.set(node, made);
    return made;
  }

  private addTunnel(name: string, remote: number | null): IpipDevice {
    const { root, eth0, internalIp: local } = this.parts;
    const mtuBytes = eth0.mtuBytes - OVERHEAD_BYTES;
    const device = new IpipDevice({ host: root, name, index: this.parts.nextIndex(), local, remote, mtuBytes });
    device.observer = this.observer;
    this.input.add(device);
    root.addDevice(device);
    return device;
  }
}
