/**
 * Who is behind an address, as cilium's agent knows it: pods by address, labels by identity, and the identities of addresses
 * that go into the ipcache.
 */
import type { PolicyPod } from '../../../shared/policy/policy-pod.ts';
import { FIRST_LOCAL_IDENTITY, RESERVED_IDENTITIES } from './identity.ts';
import type { IpCache } from './ip-cache.ts';
import { labelsKey, securityLabels } from './security-labels.ts';

export type Labels = Readonly<Record<string, string>>;

export interface KnownEndpoint {
  readonly pod: PolicyPod;
  /** `init` until its labels have one. */
  readonly identity: number;
  readonly isHere: boolean;
}

export class EndpointDirectory {
  private readonly ipCache: IpCache;
  private readonly labelsOf = new Map<number, Labels>();
  private byAddress = new Map<number, KnownEndpoint>();

  constructor(ipCache: IpCache) {
    this.ipCache = ipCache;
  }

  /** Of this node alone, for what is outside. */
  local: { readonly identities: readonly (readonly [number, Labels])[] } | null = null;

  /** Identities in ascending order. */
  get identities(): readonly (readonly [number, Labels])[] {
    return [...[...this.labelsOf].sort(([a], [b]) => a - b), ...(this.local?.identities ?? [])];
  }

  /** Undefined for reserved identities, and those that nobody has. */
  labelsFor(identity: number): Labels | undefined {
    if (identity < FIRST_LOCAL_IDENTITY) return this.labelsOf.get(identity);
    return this.local?.identities.find(([number]) => number === identity)?.[1];
  }

  endpointAt(address: number): KnownEndpoint | undefined {
    return this.byAddress.get(address);
  }

  /** Pods of this node. */
  here(): readonly (readonly [number, KnownEndpoint])[] {
    return [...this.byAddress].filter(([, { isHere }]) => isHere);
  }

  hasIdentity(identity: number): boolean {
    return this.labelsOf.has(identity);
  }

  setIdentity(identity: number, labels: Labels): void {
    this.labelsOf.set(identity, labels);
  }

  deleteIdentity(identity: number): void {
    this.labelsOf.delete(identity);
  }

  /** Replaces all that was known of pods. The labels of pods here that have no identity yet, each set once. */
  follow(
    pods: readonly PolicyPod[],
    here: ReadonlySet<string>,
    namespaces: ReadonlyMap<string, Labels>,
  ): readonly Labels[] {
    const numbers = this.numbersByLabels();
    const missing = new Map<string, Labels>();
    const known = new Map<number, KnownEndpoint>();
    for (const pod of pods) {
      if (pod.addresses.length === 0) continue;
      const labels = securityLabels(pod, namespaces.get(pod.namespace) ?? {});
      const key = labelsKey(labels);
      const number = numbers.get(key);
      const isHere = here.has(pod.uid);
      if (number === undefined && isHere) missing.set(key, labels);
      const endpoint = { pod, identity: number ?? RESERVED_IDENTITIES.init, isHere };
      for (const address of pod.addresses) known.set(address, endpoint);
    }
    for (const address of this.byAddress.keys()) if (!known.has(address)) this.ipCache.delete(address);
    for (const [address, { identity }] of known) this.ipCache.set(address, identity);
    this.byAddress = known;
    return [...missing.values()];
  }

  /** Two nodes may have made one for the same labels at the same time: the lower counts, on every node. */
  private numbersByLabels(): Map<string, number> {
    const numbers = new Map<string, number>();
    for (const [identity, labels] of this.identities) {
      const key = labelsKey(labels);
      if (!numbers.has(key)) numbers.set(key, identity);
    }
    return numbers;
  }
}
