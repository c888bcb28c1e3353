/** What calico's policies are read with: the objects that their selectors mean, beside pods. */
import type { ServiceAccount } from 'kubernetes-types/core/v1.d.ts';
import type { CalicoNetworkSet } from './network-set.ts';

export type Labels = Readonly<Record<string, string>>;

export interface CalicoCluster {
  readonly sets: readonly CalicoNetworkSet[];
  /** Labels of service accounts by `namespace/name`. */
  readonly accounts: ReadonlyMap<string, Labels>;
  /** Labels of namespaces by name. */
  readonly namespaces: ReadonlyMap<string, Labels>;
}

/** By `namespace/name`. */
export function accountLabels(accounts: readonly ServiceAccount[]): CalicoCluster['accounts'] {
  return new Map(accounts.map(({ metadata }) => [`${metadata?.namespace}/${metadata?.name}`, metadata?.labels ?? {}]));
}

export const EMPTY_CLUSTER: CalicoCluster = { sets: [], accounts: new Map(), namespaces: new Map() };
