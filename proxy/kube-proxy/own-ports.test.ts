import { describe, expect, it } from 'vitest';
import { healthResponder, metricsResponder, type ProxyFacts } from './own-ports.ts';

const facts = (more: Partial<ProxyFacts> = {}): ProxyFacts => ({
  mode: 'ipvs',
  nowMs: () => Date.UTC(2026, 0, 31, 8, 0, 10),
  lastSyncedMs: () => Date.UTC(2026, 0, 31, 8, 0, 0),
  isHealthy: () => true,
  isNodeEligible: () => true,
  metrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'kubeproxy_x 1\n' }),
  ...more,
});
const NOW = '2026-01-31 08:00:10.000 +0000 UTC';
const SYNCED = '2026-01-31 08:00:00.000 +0000 UTC';

describe('the health port', () => {
  it.each<[string, string, Partial<ProxyFacts>, number, string]>([
    ['well', '/healthz', {}, 200, `{"lastUpdated": "${NOW}","currentTime": "${NOW}", "nodeEligible": true}`],
    [
      'behind',
      '/healthz',
      { isHealthy: () => false },
      503,
      `{"lastUpdated": "${SYNCED}","currentTime": "${NOW}", "nodeEligible": true}`,
    ],
    [
      'on a node that goes',
      '/healthz',
      { isNodeEligible: () => false },
      503,
      `{"lastUpdated": "${NOW}","currentTime": "${NOW}", "nodeEligible": false}`,
    ],
    [
      'alive on a node that goes',
      '/livez',
      { isNodeEligible: () => false },
      200,
      `{"lastUpdated": "${NOW}","currentTime": "${NOW}"}`,
    ],
    ['asked for another path', '/', {}, 404, '404 page not found\n'],
  ])('of a proxy that is %s', async (_, path, more, status, body) => {
    expect(await healthResponder(facts(more))(path)).toMatchObject({ status, body });
  });
});

it.each([
  ['/healthz', 200, 'ok'],
  ['/proxyMode', 200, 'ipvs'],
  ['/metrics', 200, 'kubeproxy_x 1\n'],
  ['/other', 404, '404 page not found\n'],
])('the metrics port answers %s', async (path, status, body) => {
  expect(await metricsResponder(facts())(path)).toMatchObject({ status, body });
});
