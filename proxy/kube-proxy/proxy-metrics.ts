/** The original's metrics, by the original's names. */
import type { Histogram, Metrics } from '../../shared/runtime/metrics.ts';
import type { IpFamily } from '../../shared/wire/ip-address.ts';
import type { SyncResult } from './modes/proxier.ts';

const SYNC_BUCKETS_SECONDS = [
  0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384,
];
const PROGRAMMING_BUCKETS_SECONDS = [
  0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120,
];

export class ProxyMetrics {
  private readonly sync: Histogram;
  private readonly fullSync: Histogram;
  private readonly partialSync: Histogram;
  private readonly programming: Histogram;
  private lastSyncMs = 0;
  private failures = 0;
  private readonly ruleCounts = new Map<IpFamily, SyncResult['ruleCounts']>();

  constructor(metrics: Metrics) {
    const syncHistogram = (kind: string, help: string): Histogram =>
      metrics.histogram({
        name: `kubeproxy_sync_${kind}proxy_rules_duration_seconds`,
        help,
        buckets: SYNC_BUCKETS_SECONDS,
      });
    this.sync = syncHistogram('', 'Time of a sync of the rules.');
    this.fullSync = syncHistogram('full_', 'Time of a sync that sent everything.');
    this.partialSync = syncHistogram('partial_', 'Time of a sync that sent what changed.');
    this.programming = metrics.histogram({
      name: 'kubeproxy_network_programming_duration_seconds',
      help: 'Time from a change of endpoints in the cluster to the rules of this node.',
      buckets: PROGRAMMING_BUCKETS_SECONDS,
    });
    metrics.register({
      name: 'kubeproxy_sync_proxy_rules_last_timestamp_seconds',
      help: 'When the rules were last synced, in seconds since 1970.',
      type: 'gauge',
      collect: () => this.lastSyncMs / 1000,
    });
    metrics.register({
      name: 'kubeproxy_sync_proxy_rules_iptables_restore_failures_total',
      help: 'Syncs that failed.',
      type: 'counter',
      collect: () => this.failures,
    });
    metrics.register({
      name: 'kubeproxy_sync_proxy_rules_iptables_total',
      help: 'Rules of this proxy, by family and table.',
      type: 'gauge',
      labelNames: ['ip_family', 'table'],
      collect: () => [...this.ruleCounts].flatMap(([family, counts]) => countRows(family, counts)),
    });
  }

  synced(
    family: IpFamily,
    result: SyncResult,
    durationMs: number,
    changeTimesMs: readonly number[],
    nowMs: number,
  ): void {
    this.sync.observe(durationMs / 1000);
    (result.full ? this.fullSync : this.partialSync).observe(durationMs / 1000);
    for (const atMs of changeTimesMs) this.programming.observe(Math.max(0, nowMs - atMs) / 1000);
    this.ruleCounts.set(family, result.ruleCounts);
    this.lastSyncMs = nowMs;
  }

  failed(): void {
    this.failures++;
  }
}

function countRows(family: IpFamily, counts: SyncResult['ruleCounts']) {
  const name = family === 'ipv6' ? 'IPv6' : 'IPv4';
  return Object.entries(counts).map(([table, value]) => ({ labels: { ip_family: name, table }, value }));
}
