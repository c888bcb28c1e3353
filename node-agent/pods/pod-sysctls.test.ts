import { describe, expect, test } from 'vitest';
import { TestNetwork } from '../../shared/netstack/network.testkit.ts';
import { applySysctls } from './pod-sysctls.ts';

const podWith = (name: string, value: string, hostNetwork = false) => ({
  spec: { containers: [], hostNetwork, securityContext: { sysctls: [{ name, value }] } },
});

describe('sysctls of a pod', () => {
  test('are those of its namespace from then on', () => {
    const host = new TestNetwork().host('pod');
    applySysctls(podWith('net.ipv4.tcp_congestion_control', 'reno'), host);
    applySysctls(podWith('net/ipv4/tcp_keepalive_time', '600'), host);
    expect(host.tcp.settings).toMatchObject({ congestionControl: 'reno', keepAliveIdleUs: 600_000_000 });
  });

  test.each([
    ['net.ipv4.tcp_fast', '1', 'open /proc/sys/net/ipv4/tcp_fast: no such file or directory'],
    ['net.ipv4.tcp_sack', '7', 'write /proc/sys/net/ipv4/tcp_sack: invalid argument'],
    [
      'net.ipv4.tcp_congestion_control',
      'bbr',
      'write /proc/sys/net/ipv4/tcp_congestion_control: no such file or directory',
    ],
    ['net.core.somaxconn', '1', 'open /proc/sys/net/core/somaxconn: permission denied'],
  ])('%s=%s fails the sandbox: %s', (name, value, message) => {
    const host = new TestNetwork().host('pod');
    expect(() => applySysctls(podWith(name, value), host)).toThrow(message);
  });

  test('are not for pods of the host network', () => {
    const host = new TestNetwork().host('node');
    const pod = podWith('net.ipv4.tcp_sack', '0', true);
    expect(() => applySysctls(pod, host)).toThrow('sysctl "net.ipv4.tcp_sack" not allowed with host net enabled');
    expect(host.tcp.settings.sack).toBe(true);
  });
});
