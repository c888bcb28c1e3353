import type { Pod } from 'kubernetes-types/core/v1.js';
import { describe, expect, it } from 'vitest';
import { podStats, type StatsSource } from './container-stats.ts';
import { resourceMetrics } from './resource-metrics.ts';
import { statsSummary } from './stats-summary.ts';

const NOW_MS = Date.UTC(2026, 0, 31, 8, 1, 40);
const STARTED = '2026-01-31T08:00:00Z';

const pod = (name: string, containers: readonly string[], annotations: Record<string, string> = {}): Pod => ({
  metadata: { name, namespace: 'default', uid: `uid-${name}`, annotations },
  status: {
    startTime: STARTED,
    containerStatuses: containers.map((container) => ({
      name: container,
      image: '',
      imageID: '',
      ready: true,
      restartCount: 0,
      state: { running: { startedAt: STARTED } },
    })),
  },
});

const source: StatsSource = {
  nowMs: NOW_MS,
  totalNanoSeconds: () => 2_500_000_000,
  usage: {
    atMs: NOW_MS,
    windowMs: 5000,
    node: { cpuNanoCores: 0, memoryBytes: 0 },
    containers: ['c', 'd'].map((container) => ({
      namespace: 'default',
      pod: 'web',
      container,
      cpuNanoCores: 10_000_000,
      memoryBytes: 1024,
    })),
  },
};
const node = {
  nodeName: 'worker-1',
  startedAtMs: NOW_MS - 1000,
  cpuNanoCores: 1,
  coreNanoSeconds: 5e9,
  memoryBytes: 7,
};

describe('what pods use', () => {
  it('is what the meter says, added up', () => {
    const [web] = podStats([pod('web', ['c', 'd'])], source);
    expect(web).toMatchObject({ cpuNanoCores: 20_000_000, coreNanoSeconds: 5_000_000_000, memoryBytes: 2048 });
    expect(web?.containers.map(({ name, memoryBytes }) => [name, memoryBytes])).toEqual([
      ['c', 1024],
      ['d', 1024],
    ]);
  });

  it('is what the annotations say, for the first container', () => {
    const annotations = { 'podwire.dev/cpu': '250m', 'podwire.dev/memory': '1Ki' };
    const [web] = podStats([pod('web', ['c', 'd'], annotations)], source);
    // 100 s at a quarter of a core.
    expect(web).toMatchObject({ cpuNanoCores: 250_000_000, coreNanoSeconds: 25_000_000_000, memoryBytes: 1024 });
    expect(web?.containers.map(({ memoryBytes }) => memoryBytes)).toEqual([1024, 0]);
  });

  it('is nothing for what the meter does not know', () => {
    expect(podStats([pod('new', ['c'])], source)[0]).toMatchObject({ cpuNanoCores: 0, memoryBytes: 0 });
  });
});

it('/metrics/resource has the names that metrics-server reads', () => {
  const text = resourceMetrics(node, podStats([pod('web', ['c'])], source), NOW_MS);
  expect(text).toContain(`
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container="c",namespace="default",pod="web"} 2.5 ${NOW_MS}
`);
  expect(text).toContain(
    `\ncontainer_memory_working_set_bytes{container="c",namespace="default",pod="web"} 1024 ${NOW_MS}\n`,
  );
  expect(text).toContain(
    `\ncontainer_start_time_seconds{container="c",namespace="default",pod="web"} 1769846400 ${NOW_MS}\n`,
  );
  expect(text).toContain(`\nnode_cpu_usage_seconds_total 5 ${NOW_MS}\n`);
  expect(text).toContain(`\npod_memory_working_set_bytes{namespace="default",pod="web"} 1024 ${NOW_MS}\n`);
  expect(text).toMatch(/\nresource_scrape_error 0\n$/);
});

it('/stats/summary has pods and their containers', () => {
  expect(statsSummary(node, podStats([pod('web', ['c'])], source), NOW_MS)).toMatchObject({
    node: { nodeName: 'worker-1', cpu: { usageCoreNanoSeconds: 5e9 }, memory: { rssBytes: 7 } },
    pods: [
      {
        podRef: { name: 'web', namespace: 'default', uid: 'uid-web' },
        startTime: STARTED,
        containers: [{ name: 'c', startTime: STARTED, memory: { workingSetBytes: 1024 } }],
        memory: { workingSetBytes: 1024 },
      },
    ],
  });
});
