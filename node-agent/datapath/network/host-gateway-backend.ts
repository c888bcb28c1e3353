/** The other nodes' pods by routes through the nodes themselves, which are neighbours on one link: no tunnel, nothing less than eth0's MTU. */
import { familyOf } from '../../../shared/wire/ip-address.ts';
import type { KnownPeer } from '../peer-table.ts';
import { podCidrsOf } from '../peer-table.ts';
import type { NetworkBackend } from './bridged-network.ts';
import type { NetworkParts } from './node-network.ts';

export class HostGatewayBackend implements NetworkBackend {
  readonly devices = [];
  private readonly parts: NetworkParts;

  constructor(parts: NetworkParts) {
    this.parts = parts;
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
    const { root, eth0: device } = this.parts;
    for (const { address: destination, prefixLength } of podCidrsOf(options)) {
      const gateway = familyOf(destination) === 'ipv4' ? options.internalIp : options.internalIpv6;
      if (gateway !== undefined) root.routes.tryReplace({ destination, prefixLength, gateway, device });
    }
  }

  peerRemoved({ options }: KnownPeer): void {
    const { root, eth0: device } = this.parts;
    for (const { address: destination, prefixLength } of podCidrsOf(options)) {
      root.routes.remove({ destination, prefixLength, device });
    }
  }
}
