import { describe, expect, test } from 'vitest';
import { TestNetwork } from './network.testkit.ts';
import { readSysctl, sysctlNames, writeSysctl } from './sysctl.ts';

describe('sysctls', () => {
  test('what is read may be written back, and changes nothing', () => {
    const host = new TestNetwork().host('a');
    const before = structuredClone(host.tcp.settings);
    for (const name of sysctlNames) {
      const failure = writeSysctl(host, name, readSysctl(host, name) ?? '');
      expect([name, failure === null || failure === 'read-only']).toEqual([name, true]);
    }
    expect(host.tcp.settings).toEqual(before);
  });

  test.each([
    ['net.ipv4.tcp_fin_timeout', '30', 'finWait2Us', 30_000_000],
    ['net.ipv4.tcp_retries2', '8', 'retries', 8],
    ['net.ipv4.tcp_rmem', '4096 131072 6291456', 'receiveBufferBytes', 6_291_456],
    ['net.ipv4.tcp_timestamps', '0', 'timestamps', false],
  ] as const)('%s = %s', (name, value, setting, expected) => {
    const host = new TestNetwork().host('a');
    expect(writeSysctl(host, name, value)).toBeNull();
    expect(host.tcp.settings[setting]).toBe(expected);
    expect(readSysctl(host, name)?.split('\t').at(-1)).toBe(value.split(' ').at(-1));
  });

  test.each([
    ['net.ipv4.tcp_fin_timeout', '0', 'invalid'],
    ['net.ipv4.tcp_fin_timeout', 'soon', 'invalid'],
    ['net.ipv4.tcp_rmem', '4096', 'invalid'],
    ['net.ipv4.tcp_congestion_control', 'vegas', 'no-such-value'],
    ['net.ipv4.ip_local_port_range', '1 2', 'read-only'],
    ['net.ipv4.toString', '1', 'unknown'],
    ['toString', '1', 'unknown'],
  ])('%s = %s is refused: %s', (name, value, failure) => {
    expect(writeSysctl(new TestNetwork().host('a'), name, value)).toBe(failure);
  });
});
