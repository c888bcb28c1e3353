import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../shared/runtime/clock.ts';
import { Metrics } from '../../../shared/runtime/metrics.ts';
import { HostNetwork } from '../../host-network.ts';
import { sharedOf } from '../../server.testkit.ts';
import { DnsServer } from '../../server.ts';
import { PluginMetrics } from '../prometheus/plugin-metrics.ts';

const INTERVAL_MS = 30_000;

let server: DnsServer | undefined;
afterEach(() => server?.stop({ lameDuck: false }));

const hashOf = (text: string): string => createHash('sha512').update(text).digest('hex');

describe('reload', () => {
  it('says which configuration runs, and what is wrong with one that does not, once', async () => {
    const clock = new FakeClock();
    const metrics = new Metrics();
    const lines: string[] = [];
    const first = '. {\n reload\n whoami\n}';
    let text = first;
    server = new DnsServer({
      ...sharedOf(new HostNetwork('127.0.0.1')),
      clock,
      metrics,
      pluginMetrics: new PluginMetrics(metrics),
      print: (level, line) => lines.push(`[${level}] ${line}`),
      readCorefile: () => ({ file: '/etc/coredns/Corefile', text }),
      portOverride: 0,
    });
    await server.start();
    expect(server.servedZones).toEqual(['.:53']);
    expect(lines.splice(0)).toEqual([`[INFO] plugin/reload: Running configuration SHA512 = ${hashOf(first)}`]);

    text = '. {\n reload\n whoareyou\n}';
    await clock.advance(INTERVAL_MS);
    await clock.advance(INTERVAL_MS);
    const wrong = "/etc/coredns/Corefile:3 - Error during parsing: Unknown directive 'whoareyou'";
    expect(lines.splice(0)).toEqual([
      '[INFO] Reloading',
      expect.stringContaining(`[ERROR] Restart failed: ${wrong}`),
      expect.stringContaining(`[ERROR] plugin/reload: Corefile changed but reload failed: ${wrong}`),
    ]);
    expect((await metrics.expose()).body).toContain('coredns_reload_failed_total 1\n');

    text = 'lab example:53 {\n reload\n whoami\n}';
    await server.reload();
    expect(lines).toEqual([
      '[INFO] Reloading',
      `[INFO] plugin/reload: Running configuration SHA512 = ${hashOf(text)}`,
      '[INFO] Reloading complete',
    ]);
    expect(server.servedZones).toEqual(['lab.:53', 'example.:53']);
    const { body } = await metrics.expose();
    expect(body).toContain(`coredns_reload_version_info{hash="sha512",value="${hashOf(text)}"} 1\n`);
    expect(body.match(/coredns_reload_version_info\{/g)).toHaveLength(1);
  });
});
