/**
 * `cilium_ipcache`: whose an address is, as an identity. Pods and nodes are in it one by one; everything else is the world's.
 */
import { RESERVED_IDENTITIES } from './identity.ts';

/** Addresses one node knows; the original's default for `bpf-policy-map-max` and kin is of this order. */
export const MAX_ADDRESSES = 512_000;

export class IpCache {
  private identities = new Map<number, number>();

  /** What is not known, and what does not fit any more, is the world's. */
  identityOf(address: number): number {
    return this.identities.get(address) ?? RESERVED_IDENTITIES.world;
  }

  set(address: number, identity: number): void {
    if (this.identities.size < MAX_ADDRESSES || this.identities.has(address)) this.identities.set(address, identity);
  }

  delete(address: number): void {
    this.identities.delete(address);
  }

  entries(): Iterable<readonly [number, number]> {
    return this.identities;
  }
}
