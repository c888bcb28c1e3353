/** WireGuard's cryptokey routing: whose packets an address may be the source of, and to whom packets for it go; the longest prefix wins. */
import { type IpPrefix, networkOf } from '../../../shared/wire/ip-address.ts';
import { findIpv6NetworkOf } from '../../../shared/wire/ipv6-address.ts';
import { isIpv6 } from '../../../shared/wire/ipv6-table.ts';

export class AllowedIps<Peer> {
  /** By prefix length; the number of a network names its version too. */
  private readonly byLength = new Map<number, Map<number, Peer>>();
  /** Of either version, longest first. */
  private lengths: number[] = [];

  /** A network is one peer's: the last that it was given to. */
  add({ address, prefixLength }: IpPrefix, peer: Peer): void {
    let networks = this.byLength.get(prefixLength);
    if (networks === undefined) {
      networks = new Map();
      this.byLength.set(prefixLength, networks);
      this.lengths = [...this.byLength.keys()].sort((a, b) => b - a);
    }
    networks.set(networkOf(address, prefixLength) | 0, peer);
  }

  removePeer(peer: Peer): void {
    for (const networks of this.byLength.values()) {
      for (const [network, owner] of networks) if (owner === peer) networks.delete(network);
    }
  }

  lookup(address: number): Peer | undefined {
    const ofIpv6 = isIpv6(address);
    for (const length of this.lengths) {
      if (!ofIpv6 && length > 32) continue;
      const network = ofIpv6 ? findIpv6NetworkOf(address, length) : networkOf(address, length);
      const peer = this.byLength.get(length)!.get(network | 0);
      if (peer !== undefined) return peer;
    }
    return undefined;
  }
}
