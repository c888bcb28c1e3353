/** The metrics of all plugins under CoreDNS' names. They belong to the process, so that counts survive a reload. */
import type { Histogram, HistogramDefinition, MetricDefinition, Metrics } from '../../../shared/runtime/metrics.ts';
import { LabelledCounter } from './labelled-counter.ts';

type Definition = Required<Pick<MetricDefinition, 'name' | 'help' | 'labelNames'>>;

/** A value that is read by each scrape, one for each set of label values. */
export class LabelledGauge {
  private readonly series = new Map<
    string,
    { readonly labels: Readonly<Record<string, string>>; read: () => number }
  >();

  /** Takes the place of the series with the same values: of the configuration before a reload. */
  set(labels: Readonly<Record<string, string>>, read: () => number): void {
    this.series.set(JSON.stringify(labels), { labels, read });
  }

  /** Only if it is still this one that is read. */
  delete(labels: Readonly<Record<string, string>>, read: () => number): void {
    const key = JSON.stringify(labels);
    if (this.series.get(key)?.read === read) this.series.delete(key);
  }

  clear(): void {
    this.series.clear();
  }

  samples(): { labels: Readonly<Record<string, string>>; value: number }[] {
    return [...this.series.values()].map(({ labels, read }) => ({ labels, value: read() }));
  }
}

export class PluginMetrics {
  private readonly metrics: Metrics;
  private readonly counters = new Map<string, LabelledCounter>();
  private readonly gauges = new Map<string, LabelledGauge>();
  private readonly histograms = new Map<string, Histogram>();

  constructor(metrics: Metrics) {
    this.metrics = metrics;
  }

  /** The one of this name: made by who asks first. */
  counter(definition: Definition): LabelledCounter {
    const known = this.counters.get(definition.name);
    if (known !== undefined) return known;
    const counter = new LabelledCounter();
    this.counters.set(definition.name, counter);
    const { labelNames } = definition;
    this.metrics.register({ ...definition, type: 'counter', collect: () => counter.samples(labelNames) });
    return counter;
  }

  gauge(definition: Definition): LabelledGauge {
    const known = this.gauges.get(definition.name);
    if (known !== undefined) return known;
    const gauge = new LabelledGauge();
    this.gauges.set(definition.name, gauge);
    this.metrics.register({ ...definition, type: 'gauge', collect: () => gauge.samples() });
    return gauge;
  }

  histogram(definition: HistogramDefinition): Histogram {
    const key = `${definition.name} ${JSON.stringify(definition.labels ?? {})}`;
    const known = this.histograms.get(key);
    if (known !== undefined) return known;
    const histogram = this.metrics.histogram(definition);
    this.histograms.set(key, histogram);
    return histogram;
  }
}
