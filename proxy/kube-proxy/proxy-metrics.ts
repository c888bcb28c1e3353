/** kube-proxy's metrics, with the original's names. */
import type { Histogram, Metrics } from '../../shared/runtime/metrics.ts';

export interface SyncObservation {
  readonly full: boolean;
  readonly seconds: number;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly rules: { readonly nat: number; readonly filter: number };
}

/** Seconds: 1 ms doubling to 16 s. */
const SYNC_BUCKETS = Array.from({ length: 15 }, (_, power) => 0.001 * 2 ** power);
const PROGRAMMING_BUCKETS = [0, 0.25, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300];

export class ProxyMetrics {
  private readonly syncs: Histogram;
  private readonly fullSyncs: Histogram;
  private readonly partialSyncs: Histogram;
  private readonly programming: Histogram;
  private lastSyncSeconds = 0;
  private rules: SyncObservation['rules'] = { nat: 0, filter: 0 };

  constructor(metrics: Metrics) {
    const sync = (name: string, help: string): Histogram => metrics.histogram({ name, help, buckets: SYNC_BUCKETS });
    this.syncs = sync('kubeproxy_sync_proxy_rules_duration_seconds', 'Time to sync the rules of the node.');
    this.fullSyncs = sync('kubeproxy_sync_full_proxy_rules_duration_seconds', 'Time of syncs that sent all rules.');
    this.partialSyncs = sync('kubeproxy_sync_partial_proxy_rules_duration_seconds', 'Time of syncs that sent changes.');
    this.programming = metrics.histogram({
      name: 'kubeproxy_network_programming_duration_seconds',
      help: 'From the change of an endpoint to its rules being in force.',
      buckets: PROGRAMMING_BUCKETS,
    });
    metrics.register({
      name: 'kubeproxy_sync_proxy_rules_last_timestamp_seconds',
      help: 'When the rules were last synced.',
      type: 'gauge',
      collect: () => this.lastSyncSeconds,
    });
    metrics.register({
      name: 'kubeproxy_sync_proxy_rules_iptables_total',
      help: 'Rules in force, by table.',
      type: 'gauge',
      labelNames: ['table'],
      collect: () => Object.entries(this.rules).map(([table, value]) => ({ labels: { table }, value })),
    });
  }

  synced({ full, seconds, atMs, rules }: SyncObservation): void {
    this.syncs.observe(seconds);
    (full ? this.fullSyncs : this.partialSyncs).observe(seconds);
    this.lastSyncSeconds = atMs / 1000;
    this.rules = rules;
  }

  programmed(seconds: number): void {
    this.programming.observe(Math.max(0, seconds));
  }
}
