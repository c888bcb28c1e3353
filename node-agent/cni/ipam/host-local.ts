/**
 * Addresses of a node's pods, from the node's own range, kept in the node's state folder (the CNI plugin `host-local`).
 *
 *   10.244.1.0/24: .0 network, .1 gateway (cni0), .2 - .254 pods, .255 broadcast
 *
 * Addresses are given out in a circle behind the last one, so that a freed address rests as long as possible: peers may
 * still hold neighbour and connection entries for it. A pod that asks again (its node rebooted) gets the address it had.
 */
import { formatIpv4 } from '../../../shared/wire/address.ts';
import { HeldAddresses } from './held-addresses.ts';

/** IPv4 addresses are uint32 numbers. */
export interface AddressRange {
  readonly network: number;
  readonly prefixLength: number;
}

export interface Leases {
  /** The range the leases belong to; leases of another range are void. */
  readonly range: string;
  readonly lastGiven: number;
  /** Owner (pod uid) and address. */
  readonly entries: readonly (readonly [string, number])[];
  /** Of an allocator whose ranges change: what it makes of this is its own matter. */
  readonly ring?: unknown;
}

export interface LeaseStore {
  load(): Leases | undefined;
  save(leases: Leases): void;
}

/** Every address of the range is in use. */
export class AddressesExhaustedError extends Error {
  override readonly name = 'AddressesExhaustedError';
}

const SHORTEST_RANGE_PREFIX = 8;
const LONGEST_RANGE_PREFIX = 30;

export class HostLocalIpam {
  readonly gateway: number;
  private readonly first: number;
  private readonly last: number;
  private readonly rangeText: string;
  private readonly store: LeaseStore;
  private readonly held = new HeldAddresses();
  private lastGiven: number;

  constructor(range: AddressRange, store: LeaseStore) {
    if (range.prefixLength < SHORTEST_RANGE_PREFIX || range.prefixLength > LONGEST_RANGE_PREFIX) {
      throw new RangeError(`a node's pod range must be a /${SHORTEST_RANGE_PREFIX} to /${LONGEST_RANGE_PREFIX}`);
    }
    const size = 2 ** (32 - range.prefixLength);
    this.gateway = range.network + 1;
    this.first = range.network + 2;
    this.last = range.network + size - 2;
    this.rangeText = `${range.network}/${range.prefixLength}`;
    this.store = store;
    this.lastGiven = this.gateway;
    this.restore(store.load());
  }

  /** Addresses in use. */
  get size(): number {
    return this.held.size;
  }

  /** Addresses there are. */
  get capacity(): number {
    return this.last - this.first + 1;
  }

  /** The owner's address, a new one if it has none. */
  allocate(owner: string): number {
    const held = this.held.of(owner);
    if (held !== undefined) return held;
    if (this.held.size >= this.capacity) {
      const range = `${formatIpv4(this.gateway)}-${formatIpv4(this.last)}`;
      throw new AddressesExhaustedError(
        `failed to allocate for range 0: no IP addresses available in range set: ${range}`,
      );
    }
    let address = this.after(this.lastGiven);
    while (this.held.has(address)) address = this.after(address);
    this.lastGiven = address;
    this.held.hold(owner, address);
    this.save();
    return address;
  }

  /** Frees the owner's address; nothing happens when it has none. */
  release(owner: string): void {
    if (this.held.release(owner)) this.save();
  }

  /** Frees what owners hold that are gone: pods that were deleted while the node was down. */
  retainOnly(owners: ReadonlySet<string>): void {
    for (const owner of this.held.ownersNotIn(owners)) this.release(owner);
  }

  private after(address: number): number {
    return address >= this.last || address < this.first - 1 ? this.first : address + 1;
  }

  private restore(leases: Leases | undefined): void {
    if (leases === undefined || leases.range !== this.rangeText) return;
    this.lastGiven = leases.lastGiven;
    for (const [owner, address] of leases.entries) {
      if (address < this.first || address > this.last || this.held.has(address)) continue;
      this.held.hold(owner, address);
    }
  }

  private save(): void {
    this.store.save({ range: this.rangeText, lastGiven: this.lastGiven, entries: this.held.entries });
  }
}
