/** apiserver_request_total and its kin: counted here, read by the process' metrics. */
import type { Metrics } from '../../../shared/runtime/metrics.ts';

const LABELS = ['verb', 'group', 'version', 'resource', 'subresource', 'code'] as const;

export interface CountedRequest {
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly code: number;
}

export class RequestMetrics {
  private readonly counts = new Map<string, number>();
  private readonly duration: { observe(value: number): void };
  inFlight = 0;
  watches = 0;

  constructor(metrics: Metrics) {
    metrics.register({
      name: 'apiserver_request_total',
      help: 'Requests answered, by verb, resource and HTTP status code.',
      type: 'counter',
      labelNames: [...LABELS],
      collect: () =>
        [...this.counts].map(([key, value]) => {
          const parts = key.split('|');
          return { labels: Object.fromEntries(LABELS.map((label, i) => [label, parts[i]!])), value };
        }),
    });
    metrics.register({
      name: 'apiserver_current_inflight_requests',
      help: 'Requests being answered, watches not counted.',
      type: 'gauge',
      collect: () => this.inFlight,
    });
    metrics.register({
      name: 'apiserver_longrunning_requests',
      help: 'Watches and streams that are open.',
      type: 'gauge',
      collect: () => this.watches,
    });
    this.duration = metrics.histogram({
      name: 'apiserver_request_duration_seconds',
      help: 'Time from a request to its answer, watches and streams not counted.',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    });
  }

  count({ verb, group, version, resource, subresource, code }: CountedRequest, seconds: number | undefined): void {
    const key = [verb, group, version, resource, subresource, code].join('|');
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    if (seconds !== undefined) this.duration.observe(seconds);
  }
}
