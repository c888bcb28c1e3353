/** Behind which node a pod is: pod CIDRs of the other nodes, all of one length in a cluster. One look-up a packet. */
import { type IpPrefix, networkOf } from '../../../shared/wire/ip-address.ts';
import type { KnownPeer } from '../peer-table.ts';

export class TunnelMap {
  private readonly byLength = new Map<number, Map<number, KnownPeer>>();

  set({ address, prefixLength }: IpPrefix, peer: KnownPeer): void {
    const known = this.byLength.get(prefixLength) ?? new Map<number, KnownPeer>();
    known.set(networkOf(address, prefixLength), peer);
    this.byLength.set(prefixLength, known);
  }

  delete({ address, prefixLength }: IpPrefix): void {
    const known = this.byLength.get(prefixLength);
    known?.delete(networkOf(address, prefixLength));
    if (known?.size === 0) this.byLength.delete(prefixLength);
  }

  lookup(address: number): KnownPeer | undefined {
    for (const [length, known] of this.byLength) {
      const peer = known.get(networkOf(address, length));
      if (peer !== undefined) return peer;
    }
    return undefined;
  }

  list(): { readonly prefix: IpPrefix; readonly peer: KnownPeer }[] {
    return [...this.byLength].flatMap(([prefixLength, known]) =>
      [...known].map(([address, peer]) => ({ prefix: { address, prefixLength }, peer })),
    );
  }
}
