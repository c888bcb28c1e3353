/** The other nodes' pods through one tunnel of UDP datagrams: a route to the cluster's network, and the device knows the nodes. */
import { isIpv6 } from '../../../shared/wire/ipv6-table.ts';
import type { FrameObserver } from '../frame-observer.ts';
import { type KnownPeer, podCidrsOf } from '../peer-table.ts';
import { UDP_TUNNEL_OVERHEAD_BYTES, UdpTunnelDevice } from '../udp-tunnel-device.ts';
import type { NetworkBackend } from './bridged-network.ts';
import { routeCluster } from './cluster-route.ts';
import type { NetworkParts } from './node-network.ts';

export class UdpBackend implements NetworkBackend {
  private readonly device: UdpTunnelDevice;
  private readonly parts: NetworkParts;

  constructor(parts: NetworkParts, name: string) {
    const { root, eth0, internalIp: local } = parts;
    this.parts = parts;
    const mtuBytes = eth0.mtuBytes - UDP_TUNNEL_OVERHEAD_BYTES;
    this.device = new UdpTunnelDevice({ host: root, name, index: parts.nextIndex(), mtuBytes, local });
    root.addDevice(this.device);
  }

  get devices(): readonly [UdpTunnelDevice] {
    return [this.device];
  }

  get mtuBytes(): number {
    return this.device.mtuBytes;
  }

  setOwnNetwork(network: number): void {
    const source = isIpv6(network) ? undefined : network;
    routeCluster(this.parts, this.device, network, { scope: 'link', protocol: 'kernel', source });
  }

  peerAdded({ options }: KnownPeer): void {
    this.device.setNode(options.internalIp, podCidrsOf(options));
  }

  peerRemoved({ options }: KnownPeer): void {
    this.device.removeNode(options.internalIp);
  }

  observe(observer: FrameObserver | null): void {
    this.device.observer = observer;
  }
}
