/**
 * A process' metrics in the Prometheus text format. Owners keep plain numbers and register a function that reads them,
 * so that counting costs nothing; prom-client, which is large, is loaded by the first scrape.
 */
import type { Registry } from 'prom-client';

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface MetricDefinition {
  /** `podwire_datapath_dropped_packets_total` */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly labelNames?: readonly string[];
  /** Called by each scrape. */
  collect(): number | readonly Sample[];
}

export interface HistogramDefinition {
  readonly name: string;
  readonly help: string;
  /** Upper bounds, ascending; the last bucket (+Inf) is implied. */
  readonly buckets: readonly number[];
  /** Of this series; all of one name have the same buckets. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Counts observations in fixed buckets. */
export class Histogram {
  readonly definition: HistogramDefinition;
  readonly counts: number[];
  sum = 0;
  count = 0;

  constructor(definition: HistogramDefinition) {
    this.definition = definition;
    this.counts = new Array<number>(definition.buckets.length + 1).fill(0);
  }

  observe(value: number): void {
    const index = this.definition.buckets.findIndex((bound) => value <= bound);
    const bucket = index === -1 ? this.counts.length - 1 : index;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sum += value;
    this.count++;
  }
}

export interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

export class Metrics {
  private readonly definitions: MetricDefinition[] = [];
  private readonly histograms: Histogram[] = [];
  private processRegistry: Registry | undefined;

  register(definition: MetricDefinition): void {
    this.definitions.push(definition);
  }

  histogram(definition: HistogramDefinition): Histogram {
    const histogram = new Histogram(definition);
    this.histograms.push(histogram);
    return histogram;
  }

  /** All metrics, with those of the Node process itself. */
  async expose(): Promise<Exposition> {
    const { default: prometheus } = await import('prom-client');
    const { collectDefaultMetrics, Counter, Gauge, Registry } = prometheus;
    if (this.processRegistry === undefined) {
      this.processRegistry = new Registry();
      collectDefaultMetrics({ register: this.processRegistry, eventLoopMonitoringPrecision: 100 });
    }
    const registry = new Registry();
    for (const definition of this.definitions) {
      const { name, help } = definition;
      const options = { name, help, labelNames: definition.labelNames ?? [], registers: [registry] };
      const collected = definition.collect();
      const samples = typeof collected === 'number' ? [{ value: collected }] : collected;
      if (definition.type === 'counter') {
        const counter = new Counter(options);
        for (const { labels = {}, value } of samples) counter.inc(labels, value);
      } else {
        const gauge = new Gauge(options);
        for (const { labels = {}, value } of samples) gauge.set(labels, value);
      }
    }
    const parts = [await this.processRegistry.metrics(), await registry.metrics()];
    return { contentType: registry.contentType, body: parts.join('') + histogramTexts(this.histograms) };
  }
}

/** prom-client's histograms count only by `observe`, so ours are written here (Prometheus text format 0.0.4). */
function histogramTexts(histograms: readonly Histogram[]): string {
  const byName = Map.groupBy(histograms, ({ definition }) => definition.name);
  return [...byName]
    .map(([name, series]) => `${[...headOf(name, series), ...series.flatMap(linesOf)].join('\n')}\n`)
    .join('');
}

function headOf(name: string, [first]: readonly Histogram[]): string[] {
  return [`# HELP ${name} ${first?.definition.help ?? ''}`, `# TYPE ${name} histogram`];
}

function linesOf({ definition: { name, buckets, labels = {} }, counts, sum, count }: Histogram): string[] {
  const own = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`);
  const withLabels = (suffix: string, more: readonly string[]): string => {
    const all = [...own, ...more].join(',');
    return all === '' ? `${name}${suffix}` : `${name}${suffix}{${all}}`;
  };
  let cumulative = 0;
  const lines = counts.map((bucketCount, index) => {
    cumulative += bucketCount;
    return `${withLabels('_bucket', [`le="${buckets[index] ?? '+Inf'}"`])} ${cumulative}`;
  });
  return [...lines, `${withLabels('_sum', [])} ${sum}`, `${withLabels('_count', [])} ${count}`];
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
