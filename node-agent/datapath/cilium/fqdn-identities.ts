/**
 * Identities for the addresses that names have, of this node alone: those that share their names share one. Pods and nodes keep
 * theirs.
 */
import type { Labels } from './endpoint-directory.ts';
import type { FqdnCache } from './fqdn-cache.ts';
import { FIRST_LOCAL_IDENTITY, RESERVED_IDENTITIES } from './identity.ts';
import type { IpCache } from './ip-cache.ts';

export class FqdnIdentities {
  private readonly names: FqdnCache;
  private readonly ipCache: IpCache;
  private byNames = new Map<string, number>();
  private addresses = new Set<number>();
  private next = FIRST_LOCAL_IDENTITY;

  constructor(names: FqdnCache, ipCache: IpCache) {
    this.names = names;
    this.ipCache = ipCache;
  }

  /** In ascending order. */
  get identities(): readonly (readonly [number, Labels])[] {
    return [...this.byNames].map(([key, number]) => [number, labelsOf(key)] as const);
  }

  /** The cache is another one than before. */
  follow(): void {
    const namesOf = this.names.namesByAddress();
    for (const address of this.addresses) if (!namesOf.has(address)) this.ipCache.delete(address);
    const [before, mine] = [this.addresses, new Set<number>()];
    const numbers = new Map<string, number>();
    for (const [address, names] of namesOf) {
      const isFree = before.has(address) || this.ipCache.identityOf(address) === RESERVED_IDENTITIES.world;
      if (!isFree) continue;
      const key = [...names].sort().join(' ');
      const number = this.byNames.get(key) ?? numbers.get(key) ?? this.next++;
      numbers.set(key, number);
      mine.add(address);
      this.ipCache.set(address, number);
    }
    this.byNames = new Map([...numbers].sort(([, a], [, b]) => a - b));
    this.addresses = mine;
  }
}

function labelsOf(key: string): Labels {
  const names = key.split(' ').map((name) => `fqdn:${name.replace(/\.$/, '')}`);
  return Object.fromEntries([...names, 'reserved:world'].map((label) => [label, '']));
}
