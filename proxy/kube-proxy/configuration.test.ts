import { describe, expect, it } from 'vitest';
import { ConfigurationError, parseConfiguration } from './configuration.ts';

const KIND = 'kind: KubeProxyConfiguration\n';

describe('KubeProxyConfiguration', () => {
  it('reads what the cluster is started with', () => {
    const text = `${KIND}clusterCIDR: 10.244.0.0/16\nmode: iptables\niptables:\n  masqueradeAll: true\n  minSyncPeriod: 1m30s\n  syncPeriod: 500ms\n`;
    expect(parseConfiguration(text)).toEqual({
      mode: 'iptables',
      clusterCidr: '10.244.0.0/16',
      masqueradeAll: true,
      localhostNodePorts: true,
      scheduler: 'rr',
      minSyncPeriodMs: 90_000,
      syncPeriodMs: 500,
      healthzBindAddress: { host: '0.0.0.0', port: 10_256 },
      metricsBindAddress: { host: '127.0.0.1', port: 10_249 },
    });
  });

  it('has the defaults of the original', () => {
    expect(parseConfiguration(KIND)).toMatchObject({ mode: '', minSyncPeriodMs: 1000, syncPeriodMs: 30_000 });
  });

  it.each([
    ['192.168.1.10:1000', { host: '192.168.1.10', port: 1000 }],
    ['"[::]:1000"', { host: '::', port: 1000 }],
    ['"::1"', { host: '::1', port: 10_249 }],
    ['0.0.0.0', { host: '0.0.0.0', port: 10_249 }],
    ['0.0.0.0:0', undefined],
  ])('metricsBindAddress %s', (text, address) => {
    expect(parseConfiguration(`${KIND}metricsBindAddress: ${text}`).metricsBindAddress).toEqual(address);
  });

  it.each([
    ['kind: Other', 'not of the kind'],
    ['{', 'not YAML'],
    [`${KIND}mode: 7`, 'mode is 7'],
    [`${KIND}healthzBindAddress: here:1`, 'healthzBindAddress is "here:1": expected an address and a port'],
    [`${KIND}mode: ipvs\nipvs: { scheduler: best }`, 'ipvs.scheduler is "best": expected one of rr, wrr'],
    [`${KIND}mode: nftables\nnftables: { minSyncPeriod: soon }`, 'nftables.minSyncPeriod'],
    [`${KIND}iptables: { syncPeriod: soon }`, 'iptables.syncPeriod is "soon"'],
  ])('refuses %j', (text, message) => {
    expect(() => parseConfiguration(text)).toThrow(ConfigurationError);
    expect(() => parseConfiguration(text)).toThrow(message);
  });
});
