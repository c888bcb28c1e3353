/** Which owner (a pod's uid) holds which address, and which addresses are held; each owner has one, each address one owner. */
export class HeldAddresses {
  private readonly byOwner = new Map<string, number>();
  private readonly held = new Set<number>();

  get size(): number {
    return this.held.size;
  }

  /** As leases are kept. */
  get entries(): [owner: string, address: number][] {
    return [...this.byOwner];
  }

  get addresses(): Iterable<number> {
    return this.held;
  }

  has(address: number): boolean {
    return this.held.has(address);
  }

  of(owner: string): number | undefined {
    return this.byOwner.get(owner);
  }

  hold(owner: string, address: number): void {
    this.byOwner.set(owner, address);
    this.held.add(address);
  }

  /** False when the owner holds none. */
  release(owner: string): boolean {
    const address = this.byOwner.get(owner);
    if (address === undefined) return false;
    this.byOwner.delete(owner);
    this.held.delete(address);
    return true;
  }

  ownersNotIn(owners: ReadonlySet<string>): string[] {
    return [...this.byOwner.keys()].filter((owner) => !owners.has(owner));
  }
}
