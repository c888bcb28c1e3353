/** Where the kubernetes plugin has the cluster's objects from. */
import type { ClusterRecords } from './cluster-records.ts';

export interface ClusterSource {
  /** Follows the cluster, with pods when they are asked for by address. All plugins share one set of records. */
  open(options: { readonly pods: boolean }): OpenCluster;
}

export interface OpenCluster {
  readonly records: ClusterRecords;
  /** The whole state has been read. */
  synced(): boolean;
}
