/**
 * The addresses of one instance: those of its network interfaces, of which the first of each is the interface's own and the
 * rest are for pods. More of them than pods need are kept at hand, so that a new pod need not wait for EC2.
 * https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/eni-and-ip-target.md
 *
 *   block of the node  .1 .2 .3 ... | .31 .32 ...   | .61 ...
 *                      eth0         | eth1: its own | eth2        (30 addresses each)
 *
 * Which interface an address is of follows from its place in the block, so that a node that starts anew has its pods behind the
 * same ones.
 */
import type { InterfaceLimits } from '../../../shared/runtime/instance-types.ts';
import type { Ipv4Prefix } from '../../../shared/wire/address.ts';
import { HeldAddresses } from '../ipam/held-addresses.ts';
import { AddressesExhaustedError, type LeaseStore } from '../ipam/host-local.ts';
import type { AddressPool } from '../leased-pod.ts';
import type { WarmTargets } from './warm-targets.ts';

/** So long an address that a pod gave back is nobody's, as others may still send there. */
export const COOLDOWN_US = 30_000_000;

export interface IpamdOptions {
  readonly block: Ipv4Prefix;
  readonly limits: InterfaceLimits;
  readonly warm: WarmTargets;
  readonly store: LeaseStore;
  readonly nowUs: () => number;
  /** Interfaces are counted from 0, which is eth0 and always there. */
  readonly attached: (interfaceNumber: number, primary: number) => void;
  readonly detached: (interfaceNumber: number) => void;
}

export class Ipamd implements AddressPool {
  private readonly options: IpamdOptions;
  private readonly blockText: string;
  private readonly held = new HeldAddresses();
  /** Of each interface that is attached: the addresses for pods that EC2 gave it. */
  private readonly interfaces = new Map<number, Set<number>>([[0, new Set()]]);
  private readonly coolingUntilUs = new Map<number, number>();

  constructor(options: IpamdOptions) {
    this.options = options;
    const { address, prefixLength } = options.block;
    this.blockText = `${address}/${prefixLength}`;
    this.restore();
    this.adjust();
  }

  /** By interface, in order: the addresses that pods may have, those in use among them. */
  get pool(): ReadonlyMap<number, ReadonlySet<number>> {
    return this.interfaces;
  }

  interfaceOf(address: number): number {
    return Math.floor((address - this.options.block.address - 1) / this.options.limits.addressesEach);
  }

  isHeld(address: number): boolean {
    return this.held.has(address);
  }

  allocate(owner: string): number {
    const known = this.held.of(owner);
    if (known !== undefined) return known;
    if (this.findFree() === undefined) this.extend();
    const address = this.findFree();
    if (address === undefined) throw new AddressesExhaustedError('failed to assign an IP address to container');
    this.held.hold(owner, address);
    this.save();
    this.adjust();
    return address;
  }

  release(owner: string): void {
    const address = this.held.of(owner);
    if (address === undefined) return;
    this.held.release(owner);
    this.coolingUntilUs.set(address, this.options.nowUs() + COOLDOWN_US);
    this.save();
  }

  retainOnly(owners: ReadonlySet<string>): void {
    for (const owner of this.held.ownersNotIn(owners)) this.release(owner);
    this.adjust();
  }

  /** When an address has cooled down next, and `adjust` should be called; undefined while none does. */
  get nextCooledUs(): number | undefined {
    return this.coolingUntilUs.size === 0 ? undefined : Math.min(...this.coolingUntilUs.values());
  }

  /** Attaches and detaches interfaces, and addresses of theirs, until as many are at hand as the targets say. */
  adjust(): void {
    const now = this.options.nowUs();
    for (const [address, untilUs] of this.coolingUntilUs) if (untilUs <= now) this.coolingUntilUs.delete(address);
    const { addresses, minimum, interfaces } = this.options.warm;
    if (addresses === undefined && minimum === undefined) this.keepInterfaces(interfaces);
    else this.keepAddresses(Math.max(minimum ?? 0, this.held.size + (addresses ?? 0)));
  }

  private keepInterfaces(spare: number): void {
    const perInterface = this.options.limits.addressesEach - 1;
    while (this.available < spare * perInterface && this.attachNext(perInterface));
    for (const number of [...this.interfaces.keys()].reverse()) {
      if (this.available < (spare + 1) * perInterface) break;
      if (number > 0 && this.isIdle(number)) this.detach(number);
    }
  }

  private keepAddresses(wanted: number): void {
    while (this.total < wanted && this.addOne());
    for (const [number, addresses] of [...this.interfaces].reverse()) {
      for (const address of [...addresses].reverse()) {
        if (this.total > wanted && this.isFree(address)) addresses.delete(address);
      }
      if (number > 0 && addresses.size === 0) this.detach(number);
    }
  }

  /** For a pod that waits while the targets ask for nothing. */
  private extend(): void {
    const { addresses, minimum } = this.options.warm;
    if (addresses === undefined && minimum === undefined) this.attachNext(this.options.limits.addressesEach - 1);
    else this.addOne();
  }

  /** One more address, of the first interface that has room. False when the instance has no more. */
  private addOne(): boolean {
    for (const [number, addresses] of this.interfaces) {
      const missing = this.addressesOf(number).find((address) => !addresses.has(address));
      if (missing !== undefined) return addresses.add(missing).size > 0;
    }
    return this.attachNext(1);
  }

  /** With its first `count` addresses for pods. False when the instance takes no more, or the block has none for it. */
  private attachNext(count: number): boolean {
    if (this.addressesOf(0).length > 0 && this.interfaces.get(0)!.size === 0) {
      this.fill(0, count);
      return true;
    }
    const most = Math.min(this.options.limits.interfaces, this.options.warm.mostInterfaces ?? Number.POSITIVE_INFINITY);
    for (let number = 1; number < most; number++) {
      if (this.interfaces.has(number)) continue;
      if (this.addressesOf(number).length === 0) return false;
      this.attach(number);
      this.fill(number, count);
      return true;
    }
    return false;
  }

  private attach(number: number): void {
    const { block, limits, attached } = this.options;
    this.interfaces.set(number, new Set());
    attached(number, block.address + 1 + number * limits.addressesEach);
  }

  private detach(number: number): void {
    this.interfaces.delete(number);
    this.options.detached(number);
  }

  private fill(number: number, count: number): void {
    const addresses = this.interfaces.get(number)!;
    for (const address of this.addressesOf(number).slice(0, count)) addresses.add(address);
  }

  /** Those for pods that the interface could have: what of them is in the block, without its last address. */
  private addressesOf(number: number): number[] {
    const { block, limits } = this.options;
    const primary = block.address + 1 + number * limits.addressesEach;
    const last = block.address + 2 ** (32 - block.prefixLength) - 2;
    const all = Array.from({ length: limits.addressesEach - 1 }, (_, i) => primary + 1 + i);
    return all.filter((address) => address <= last);
  }

  private get total(): number {
    let total = 0;
    for (const addresses of this.interfaces.values()) total += addresses.size;
    return total;
  }

  private get available(): number {
    return this.total - this.held.size - this.coolingUntilUs.size;
  }

  private isFree(address: number): boolean {
    return !this.held.has(address) && !this.isCooling(address);
  }

  private isCooling(address: number): boolean {
    return (this.coolingUntilUs.get(address) ?? 0) > this.options.nowUs();
  }

  private isIdle(number: number): boolean {
    return [...this.interfaces.get(number)!].every((address) => this.isFree(address));
  }

  private findFree(): number | undefined {
    for (const addresses of this.interfaces.values()) {
      for (const address of addresses) if (this.isFree(address)) return address;
    }
    return undefined;
  }

  private restore(): void {
    const leases = this.options.store.load();
    if (leases === undefined || leases.range !== this.blockText) return;
    for (const [owner, address] of leases.entries) {
      const number = this.interfaceOf(address);
      if (number >= this.options.limits.interfaces || !this.addressesOf(number).includes(address)) continue;
      if (!this.interfaces.has(number)) this.attach(number);
      this.interfaces.get(number)!.add(address);
      this.held.hold(owner, address);
    }
    const { addresses, minimum } = this.options.warm;
    if (addresses !== undefined || minimum !== undefined) return;
    for (const number of this.interfaces.keys()) this.fill(number, this.options.limits.addressesEach - 1);
  }

  private save(): void {
    this.options.store.save({ range: this.blockText, lastGiven: 0, entries: this.held.entries });
  }
}
