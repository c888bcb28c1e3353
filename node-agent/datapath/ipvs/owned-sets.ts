/** ipsets beside those of kube-proxy's virtual servers: of a CNI plugin, which replaces its own with all its rules. */
import type { IpSetChange } from '../../../shared/rules/ipvs.ts';
import { IpSet } from './ip-set.ts';

export class OwnedSets {
  private readonly byName = new Map<string, { readonly owner: string; readonly set: IpSet }>();

  find(name: string): IpSet | undefined {
    return this.byName.get(name)?.set;
  }

  list(): [string, IpSet][] {
    return [...this.byName].map(([name, { set }]) => [name, set]);
  }

  forget(owner: string): void {
    for (const [name, one] of this.byName) if (one.owner === owner) this.byName.delete(name);
  }

  apply(owner: string, changes: Readonly<Record<string, IpSetChange>>): void {
    for (const [name, change] of Object.entries(changes)) {
      const set = this.find(name) ?? new IpSet(change.type);
      this.byName.set(name, { owner, set });
      set.change(change);
    }
  }

  visitAddresses(visit: (address: number) => void): void {
    for (const { set } of this.byName.values()) set.visitAddresses(visit);
  }
}
