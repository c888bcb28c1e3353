/** What is counted of one upstream. */
import type { LabelledCounter } from '../prometheus/labelled-counter.ts';
import type { PluginMetrics } from '../prometheus/plugin-metrics.ts';

const PROXY_NAME = 'forward';
/** Seconds: 0.25 ms doubling to 8 s. */
const BUCKETS = Array.from({ length: 16 }, (_, power) => 0.00025 * 2 ** power);

export class UpstreamMetrics {
  private readonly metrics: PluginMetrics;
  private readonly failures: LabelledCounter;
  private readonly to: string;

  /** `to` as `10.96.5.53:53`. */
  constructor(metrics: PluginMetrics, to: string) {
    this.metrics = metrics;
    this.to = to;
    const failures = metrics.counter({
      name: 'coredns_proxy_healthcheck_failures_total',
      help: 'Counter of the number of failed healthchecks.',
      labelNames: ['proxy_name', 'to'],
    });
    this.failures = failures.at([PROXY_NAME, to]);
  }

  answered(rcode: string, seconds: number): void {
    const labels = { proxy_name: PROXY_NAME, to: this.to, rcode };
    this.metrics
      .histogram({
        name: 'coredns_proxy_request_duration_seconds',
        help: 'Histogram of the time each request took.',
        buckets: BUCKETS,
        labels,
      })
      .observe(seconds);
  }

  checkFailed(): void {
    this.failures.add();
  }
}
