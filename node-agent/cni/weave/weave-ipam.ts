/**
 * Addresses of a peer's pods, from the ranges it owns on the ring. Before there is a ring the peers agree on who shares it; a peer
 * that has no address left asks another for half of its free ones. Pure: what is to be told is told by `changed`.
 */
import { formatIpv4 } from '../../../shared/wire/address.ts';
import { HeldAddresses } from '../ipam/held-addresses.ts';
import { AddressesExhaustedError, type AddressRange, type LeaseStore } from '../ipam/host-local.ts';
import { isToken } from './gossip.ts';
import { Paxos, type PaxosState } from './paxos.ts';
import { Ring, type Token } from './ring.ts';

export interface WeaveIpamOptions {
  readonly self: string;
  readonly range: AddressRange;
  readonly leases: LeaseStore;
  /** There is news for the other peers. */
  readonly changed: () => void;
  /** No address is left. */
  readonly wantSpace: () => void;
}

/** The peers that agree. */
export interface Electorate {
  readonly candidates: readonly string[];
  readonly quorum: number;
}

export class WeaveIpam {
  readonly ring: Ring;
  private readonly paxos: Paxos;
  private readonly options: WeaveIpamOptions;
  private readonly held = new HeldAddresses();

  constructor(options: WeaveIpamOptions) {
    const { self, range, leases } = options;
    this.options = options;
    this.ring = new Ring(range.network, 2 ** (32 - range.prefixLength));
    this.paxos = new Paxos(self);
    const saved = leases.load();
    if (saved === undefined || saved.range !== this.rangeText || !Array.isArray(saved.ring)) return;
    this.ring.merge(saved.ring.filter(isToken));
    for (const [owner, address] of saved.entries) {
      this.held.hold(owner, address);
    }
  }

  get isReady(): boolean {
    return !this.ring.isEmpty;
  }

  get state(): { readonly paxos: PaxosState; readonly ring: readonly Token[] } {
    return { paxos: this.paxos.state, ring: this.ring.tokens };
  }

  get active(): number {
    return this.held.size;
  }

  /** Begins to look for an agreement. */
  elect(electorate: Electorate): void {
    if (this.isReady) return;
    this.paxos.propose();
    this.conclude(electorate);
    this.options.changed();
  }

  /** True when something is new. */
  merge(paxos: PaxosState, ring: readonly Token[], electorate: Electorate): boolean {
    const isNew = this.ring.merge(ring);
    if (isNew) this.save();
    if (this.isReady) return isNew;
    const isHeard = this.paxos.merge(paxos);
    return this.conclude(electorate) || isHeard || isNew;
  }

  /** True on a change. */
  private conclude({ candidates, quorum }: Electorate): boolean {
    let isNew = false;
    while (this.paxos.think(candidates, quorum)) isNew = true;
    const decided = this.paxos.decided(quorum);
    if (decided !== undefined && !this.isReady) {
      this.ring.seed(decided);
      this.save();
      isNew = true;
    }
    return isNew;
  }

  /** The owner's address, a new one if it has none. Throws AddressesExhaustedError; another peer is then asked for space. */
  allocate(owner: string): number {
    const held = this.held.of(owner);
    if (held !== undefined) return held;
    const address = this.free()[Symbol.iterator]().next().value;
    if (address === undefined) {
      this.options.wantSpace();
      throw new AddressesExhaustedError('no IP address is free: waiting for a range from other peers');
    }
    this.held.hold(owner, address);
    this.save();
    return address;
  }

  release(owner: string): void {
    if (this.held.release(owner)) this.save();
  }

  retainOnly(owners: ReadonlySet<string>): void {
    for (const owner of this.held.ownersNotIn(owners)) this.release(owner);
  }

  /** Gives the upper half of the free addresses at the end of this peer's largest range. */
  donate(to: string): void {
    const { self } = this.options;
    const largest = this.ring
      .rangesOf(self)
      .map(({ start, size }) => {
        const end = start + size;
        const firstFree = Math.max(start - 1, ...[...this.held.addresses].filter((at) => at >= start && at < end)) + 1;
        return { firstFree, end };
      })
      .sort((a, b) => b.end - b.firstFree - (a.end - a.firstFree))[0];
    if (largest === undefined || largest.end - largest.firstFree < 2) return;
    this.ring.give(Math.ceil((largest.firstFree + largest.end) / 2), self, to);
    this.save();
    this.options.changed();
  }

  /** Takes what a peer had that is gone for good; answers how many addresses. */
  inherit(from: string): number {
    const size = this.ring.sizeOf(from);
    if (!this.ring.transfer(from, this.options.self)) return 0;
    this.save();
    this.options.changed();
    return size;
  }

  private *free(): Generator<number> {
    const { start, size } = this.ring;
    for (const range of this.ring.rangesOf(this.options.self)) {
      // The first and the last address of all are those of the network and of everyone in it.
      const first = Math.max(range.start, start + 1);
      const end = Math.min(range.start + range.size, start + size - 1);
      for (let address = first; address < end; address++) if (!this.held.has(address)) yield address;
    }
  }

  private get rangeText(): string {
    const { network, prefixLength } = this.options.range;
    return `${formatIpv4(network)}/${prefixLength}`;
  }

  private save(): void {
    const { leases } = this.options;
    leases.save({ range: this.rangeText, lastGiven: 0, entries: this.held.entries, ring: this.ring.tokens });
  }
}
