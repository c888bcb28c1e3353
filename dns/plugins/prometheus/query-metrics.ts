/** The counters behind `/metrics`; they belong to the process and survive a reload. */
import type { Histogram, Metrics } from '../../../shared/runtime/metrics.ts';
import type { Rcode } from '../../message.ts';
import type { Query } from '../../plugin.ts';

export interface Observation {
  readonly server: string;
  readonly zone: string;
  readonly query: Query;
  readonly rcode: Rcode;
  readonly seconds: number;
}

interface LabelledSample {
  readonly labels: Record<string, string>;
  readonly value: number;
}

/** Seconds: 0.25 ms doubling to 8 s. */
const DURATION_BUCKETS = Array.from({ length: 16 }, (_, power) => 0.00025 * 2 ** power);

export class QueryMetrics {
  private readonly requests = new LabelledCounter(['server', 'zone', 'proto', 'family', 'type']);
  private readonly responses = new LabelledCounter(['server', 'zone', 'rcode']);
  private readonly durations: Histogram;

  constructor(metrics: Metrics) {
    const { requests, responses } = this;
    metrics.register({
      name: 'coredns_dns_requests_total',
      help: 'DNS requests by zone, protocol, family and type.',
      type: 'counter',
      labelNames: requests.names,
      collect: () => requests.samples(),
    });
    metrics.register({
      name: 'coredns_dns_responses_total',
      help: 'DNS responses by zone and response code.',
      type: 'counter',
      labelNames: responses.names,
      collect: () => responses.samples(),
    });
    this.durations = metrics.histogram({
      name: 'coredns_dns_request_duration_seconds',
      help: 'Time each request took.',
      buckets: DURATION_BUCKETS,
    });
  }

  observe({ server, zone, query, rcode, seconds }: Observation): void {
    const family = query.remote.address.includes(':') ? '2' : '1';
    // Types without a name would make a label value each.
    const type = query.question.type.startsWith('UNKNOWN_') ? 'other' : query.question.type;
    this.requests.add([server, zone, query.transport, family, type]);
    this.responses.add([server, zone, rcode]);
    this.durations.observe(seconds);
  }
}

/** The label values so far, and what was counted with these. */
interface LabelNode {
  count: number;
  readonly next: Map<string, LabelNode>;
}

class LabelledCounter {
  readonly names: readonly string[];
  private readonly root: LabelNode = { count: 0, next: new Map() };

  constructor(names: readonly string[]) {
    this.names = names;
  }

  add(values: readonly string[]): void {
    // The values are strings that live long: a step is quicker than one key made of them, once for every query.
    let node = this.root;
    for (const value of values) {
      let next = node.next.get(value);
      if (next === undefined) {
        next = { count: 0, next: new Map() };
        node.next.set(value, next);
      }
      node = next;
    }
    node.count++;
  }

  samples(): LabelledSample[] {
    return this.below(this.root, []);
  }

  private below({ count, next }: LabelNode, values: readonly string[]): LabelledSample[] {
    if (values.length < this.names.length) {
      return [...next].flatMap(([value, node]) => this.below(node, [...values, value]));
    }
    return [
      { labels: Object.fromEntries(this.names.map((label, index) => [label, values[index] ?? ''])), value: count },
    ];
  }
}
