/** The cache's metrics, of one server block. */
import type { PluginContext } from '../../plugin.ts';
import type { LabelledCounter } from '../prometheus/labelled-counter.ts';
import type { LabelledGauge } from '../prometheus/plugin-metrics.ts';

export type CacheKind = 'success' | 'denial';

export class CacheMetrics {
  readonly requests: LabelledCounter;
  readonly misses: LabelledCounter;
  readonly prefetches: LabelledCounter;
  readonly servedStale: LabelledCounter;
  readonly hits: Readonly<Record<CacheKind, LabelledCounter>>;
  readonly evictions: Readonly<Record<CacheKind, LabelledCounter>>;
  private readonly entries: LabelledGauge;
  private readonly server: string;
  private readonly zones: string;

  constructor(zones: readonly string[], { server, pluginMetrics }: Pick<PluginContext, 'server' | 'pluginMetrics'>) {
    this.server = server;
    this.zones = zones.map((zone) => `${zone}.`).join(',');
    const counter = (name: string, help: string): LabelledCounter =>
      pluginMetrics
        .counter({ name: `coredns_cache_${name}`, help, labelNames: ['server', 'zones', 'view'] })
        .at([server, this.zones, '']);
    const byKind = (name: string, help: string): Record<CacheKind, LabelledCounter> => {
      const all = pluginMetrics.counter({
        name: `coredns_cache_${name}`,
        help,
        labelNames: ['server', 'type', 'zones', 'view'],
      });
      return {
        success: all.at([server, 'success', this.zones, '']),
        denial: all.at([server, 'denial', this.zones, '']),
      };
    };
    this.requests = counter('requests_total', 'The count of cache requests.');
    this.misses = counter('misses_total', 'The count of cache misses.');
    this.prefetches = counter('prefetch_total', 'The number of times the cache has prefetched a cached item.');
    this.servedStale = counter('served_stale_total', 'The number of requests served from stale cache entries.');
    this.hits = byKind('hits_total', 'The count of cache hits.');
    this.evictions = byKind('evictions_total', 'The count of cache evictions.');
    this.entries = pluginMetrics.gauge({
      name: 'coredns_cache_entries',
      help: 'The number of elements in the cache.',
      labelNames: ['server', 'type', 'zones', 'view'],
    });
  }

  /** Until what it returns is called. */
  showEntries(kind: CacheKind, read: () => number): () => void {
    const labels = { server: this.server, type: kind, zones: this.zones, view: '' };
    this.entries.set(labels, read);
    return () => this.entries.delete(labels, read);
  }
}
