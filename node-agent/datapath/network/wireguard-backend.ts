/** The other nodes' pods through one encrypted tunnel: a route to the cluster's network, and for each node a peer with its pod CIDRs. */
import { MTU_OVERHEAD_BYTES } from '../../../shared/wire/wireguard.ts';
import type { FrameObserver } from '../frame-observer.ts';
import type { KnownPeer } from '../peer-table.ts';
import { podCidrsOf } from '../peer-table.ts';
import type { WireguardKeys } from '../wireguard/session.ts';
import { WireguardDevice } from '../wireguard/wireguard-device.ts';
import type { NetworkBackend } from './bridged-network.ts';
import { routeCluster } from './cluster-route.ts';
import type { NetworkParts } from './node-network.ts';

export class WireguardBackend implements NetworkBackend {
  readonly device: WireguardDevice;
  private readonly parts: NetworkParts;

  constructor(parts: NetworkParts, name: string, keys: WireguardKeys) {
    const { root, eth0, internalIp } = parts;
    this.parts = parts;
    this.device = new WireguardDevice({
      host: root,
      keys,
      name,
      index: parts.nextIndex(),
      mtuBytes: eth0.mtuBytes - MTU_OVERHEAD_BYTES,
      local: internalIp,
    });
    root.addDevice(this.device);
  }

  get devices(): readonly [WireguardDevice] {
    return [this.device];
  }

  get mtuBytes(): number {
    return this.device.mtuBytes;
  }

  setOwnNetwork(network: number): void {
    routeCluster(this.parts, this.device, network);
  }

  peerAdded({ options }: KnownPeer): void {
    const { publicKey, internalIp } = options;
    if (publicKey !== undefined) this.device.setPeer(publicKey, internalIp, podCidrsOf(options));
  }

  peerRemoved({ options }: KnownPeer): void {
    if (options.publicKey !== undefined) this.device.removePeer(options.publicKey);
  }

  observe(observer: FrameObserver | null): void {
    this.device.observer = observer;
  }
}
