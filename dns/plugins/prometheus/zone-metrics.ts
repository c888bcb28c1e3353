/** What is counted of the queries of one zone of a server. */
import type { Histogram } from '../../../shared/runtime/metrics.ts';
import type { Rcode } from '../../message.ts';
import type { Query } from '../../plugin.ts';
import type { LabelledCounter } from './labelled-counter.ts';
import type { PluginMetrics } from './plugin-metrics.ts';

/** Seconds: 0.25 ms doubling to 8 s. */
const DURATION_BUCKETS = Array.from({ length: 16 }, (_, power) => 0.00025 * 2 ** power);
const SIZE_BUCKETS = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3];
const FAMILIES = { ipv4: '1', ipv6: '2' } as const;

interface Sizes {
  readonly udp: Histogram;
  readonly tcp: Histogram;
}

export class ZoneMetrics {
  private readonly requests: LabelledCounter;
  private readonly responses: LabelledCounter;
  private readonly durations: Histogram;
  private readonly requestSizes: Sizes;
  private readonly responseSizes: Sizes;

  /** `server` as `dns://:53`, `zone` with its final dot. */
  constructor(metrics: PluginMetrics, server: string, zone: string) {
    const of = { server, zone, view: '' };
    const values = [server, zone, ''];
    const requests = metrics.counter({
      name: 'coredns_dns_requests_total',
      help: 'Counter of DNS requests made per zone, protocol and family.',
      labelNames: ['server', 'zone', 'view', 'proto', 'family', 'type'],
    });
    const responses = metrics.counter({
      name: 'coredns_dns_responses_total',
      help: 'Counter of response status codes.',
      labelNames: ['server', 'zone', 'view', 'rcode'],
    });
    const sizes = (name: string, help: string): Sizes => {
      const ofTransport = (proto: string): Histogram =>
        metrics.histogram({ name, help, buckets: SIZE_BUCKETS, labels: { ...of, proto } });
      return { udp: ofTransport('udp'), tcp: ofTransport('tcp') };
    };
    this.requests = requests.at(values);
    this.responses = responses.at(values);
    this.durations = metrics.histogram({
      name: 'coredns_dns_request_duration_seconds',
      help: 'Histogram of the time (in seconds) each request took per zone.',
      buckets: DURATION_BUCKETS,
      labels: of,
    });
    this.requestSizes = sizes('coredns_dns_request_size_bytes', 'Size of the request in bytes.');
    this.responseSizes = sizes('coredns_dns_response_size_bytes', 'Size of the returned response in bytes.');
  }

  answered({ question, remote, transport, sizeBytes }: Query, rcode: Rcode, seconds: number): void {
    const family = remote.address.includes(':') ? FAMILIES.ipv6 : FAMILIES.ipv4;
    // Types without a name would make a label value each.
    const type = question.type.startsWith('UNKNOWN_') ? 'other' : question.type;
    this.requests.at([transport, family, type]).add();
    this.responses.at([rcode]).add();
    this.durations.observe(seconds);
    this.requestSizes[transport].observe(sizeBytes);
  }

  sent({ transport }: Query, bytes: number): void {
    this.responseSizes[transport].observe(bytes);
  }
}
