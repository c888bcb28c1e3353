/** The other nodes' pods by routes through the nodes themselves, which are neighbours on one link: no tunnel, nothing less than eth0's MTU. */
import { KeptRoutes } from '../../../shared/netstack/kept-routes.ts';
import { familyOf } from '../../../shared/wire/ip-address.ts';
import type { KnownPeer } from '../peer-table.ts';
import { podCidrsOf } from '../peer-table.ts';
import type { NetworkBackend } from './bridged-network.ts';
import type { NetworkParts } from './node-network.ts';

export class HostGatewayBackend implements NetworkBackend {
  readonly devices = [];
  private readonly parts: NetworkParts;
  private readonly routes: KeptRoutes;

  /** `checkIntervalUs`: how often somebody looks whether the routes are there; undefined where nobody runs who would. */
  constructor(parts: NetworkParts, checkIntervalUs: number | undefined) {
    const { engine, root } = parts;
    this.parts = parts;
    this.routes = new KeptRoutes({ engine, routes: root.routes, intervalUs: checkIntervalUs });
  }

  get mtuBytes(): number {
    return this.parts.eth0.mtuBytes;
  }

  observe(): void {
    // It has no device.
  }

  setOwnNetwork(): void {
    // It has no end of a tunnel that would need an address.
  }

  peerAdded({ options }: KnownPeer): void {
    const { eth0: device } = this.parts;
    for (const { address: destination, prefixLength } of podCidrsOf(options)) {
      const gateway = familyOf(destination) === 'ipv4' ? options.internalIp : options.internalIpv6;
      if (gateway !== undefined) this.routes.set({ destination, prefixLength, gateway, device });
    }
  }

  peerRemoved({ options }: KnownPeer): void {
    const { eth0: device } = this.parts;
    for (const { address: destination, prefixLength } of podCidrsOf(options)) {
      this.routes.remove({ destination, prefixLength, device });
    }
  }
}
