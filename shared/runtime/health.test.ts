import { afterEach, describe, expect, it } from 'vitest';
import { HealthServer } from './health.ts';
import { Metrics } from './metrics.ts';

const opened: HealthServer[] = [];
afterEach(async () => {
  for (const server of opened.splice(0)) await server.close();
});

async function startServer(): Promise<{ health: HealthServer; metrics: Metrics; url: string }> {
  const metrics = new Metrics();
  const health = new HealthServer(metrics);
  opened.push(health);
  const port = await health.listen({ host: '127.0.0.1', port: 0 });
  return { health, metrics, url: `http://127.0.0.1:${port}` };
}

describe('HealthServer', () => {
  it('answers ok, and names what is wrong', async () => {
    const { health, url } = await startServer();
    let failure: string | undefined;
    health.addCheck('nats', () => failure);
    expect(await (await fetch(`${url}/healthz`)).text()).toBe('ok');
    failure = 'not connected';
    const response = await fetch(`${url}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.text()).toBe('nats: not connected\n');
  });

  it('exposes metrics by what they are now, scrape after scrape', async () => {
    const { metrics, url } = await startServer();
    let drops = 3;
    metrics.register({
      name: 'podwire_drops_total',
      help: 'Drops.',
      type: 'counter',
      labelNames: ['reason'],
      collect: () => [{ labels: { reason: 'no-route' }, value: drops }],
    });
    const latency = metrics.histogram({ name: 'podwire_latency_seconds', help: 'Latency.', buckets: [0.1, 1] });
    latency.observe(0.05);
    latency.observe(0.5);
    latency.observe(5);
    await fetch(`${url}/metrics`);
    drops = 4;
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).toContain('podwire_drops_total{reason="no-route"} 4');
    expect(text).toContain('podwire_latency_seconds_bucket{le="0.1"} 1');
    expect(text).toContain('podwire_latency_seconds_bucket{le="1"} 2');
    expect(text).toContain('podwire_latency_seconds_bucket{le="+Inf"} 3');
    expect(text.match(/^process_resident_memory_bytes \d+/gm)).toHaveLength(1);
  });

  it('says what it serves when asked for something else', async () => {
    const { url } = await startServer();
    const response = await fetch(`${url}/other`);
    expect(response.status).toBe(404);
    expect(await response.text()).toContain('/healthz');
  });
});
