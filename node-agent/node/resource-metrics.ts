/** /metrics/resource of the kubelet: what metrics-server scrapes, in the Prometheus text format, by the original's names. */
import type { PodStats, UsageStats } from './container-stats.ts';
import type { NodeProcessStats } from './stats-summary.ts';

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly samples: readonly Sample[];
}

export function resourceMetrics(node: NodeProcessStats, pods: readonly PodStats[], nowMs: number): string {
  const podLabels = ({ namespace, name }: PodStats) => ({ namespace, pod: name });
  const containers = pods.flatMap((pod) =>
    pod.containers.map((container) => ({ labels: { container: container.name, ...podLabels(pod) }, stats: container })),
  );
  const ofPods = pods.map((pod) => ({ labels: podLabels(pod), stats: pod }));
  const ofNode = [{ labels: {}, stats: node }];
  const started = containers.map(({ labels, stats }) => ({ labels, value: stats.startedAtMs / 1000 }));
  const families = [
    cpuFamily('container_cpu_usage_seconds_total', 'container', containers),
    memoryFamily('container_memory_working_set_bytes', 'container', containers),
    gauge('container_start_time_seconds', 'Start time of the container since unix epoch in seconds', started),
    cpuFamily('node_cpu_usage_seconds_total', 'node', ofNode),
    memoryFamily('node_memory_working_set_bytes', 'node', ofNode),
    cpuFamily('pod_cpu_usage_seconds_total', 'pod', ofPods),
    memoryFamily('pod_memory_working_set_bytes', 'pod', ofPods),
    gauge('resource_scrape_error', '1 if there was an error while getting container metrics, 0 otherwise', [
      { labels: {}, value: 0 },
    ]),
  ];
  return families.map((family) => familyText(family, nowMs)).join('');
}

interface Measured {
  readonly labels: Readonly<Record<string, string>>;
  readonly stats: UsageStats;
}

function cpuFamily(name: string, what: string, measured: readonly Measured[]): Family {
  const samples = measured.map(({ labels, stats }) => ({ labels, value: stats.coreNanoSeconds / 1e9 }));
  return { name, type: 'counter', help: `Cumulative cpu time consumed by the ${what} in core-seconds`, samples };
}

function memoryFamily(name: string, what: string, measured: readonly Measured[]): Family {
  const samples = measured.map(({ labels, stats }) => ({ labels, value: stats.memoryBytes }));
  return gauge(name, `Current working set of the ${what} in bytes`, samples);
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: 'gauge', help, samples };
}

function familyText({ name, type, help, samples }: Family, nowMs: number): string {
  if (samples.length === 0) return '';
  // The error has no time: it is of the scrape.
  const time = name === 'resource_scrape_error' ? '' : ` ${nowMs}`;
  const lines = samples.map(({ labels, value }) => `${name}${labelText(labels)} ${value}${time}`);
  return `# HELP ${name} [STABLE] ${help}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
