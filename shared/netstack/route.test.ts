import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { formatIpv4, networkOf } from '../wire/address.ts';
import type { NetDevice } from './device.ts';
import { ip, TestNetwork } from './network.testkit.ts';
import { Fib, type RouteSpec } from './route.ts';

describe('the FIB', () => {
  let device: NetDevice;
  let fib: Fib;
  beforeEach(() => {
    device = TestNetwork.pair().link[0];
    fib = new Fib();
  });
  const route = (text: string, more: Partial<RouteSpec> = {}): RouteSpec => {
    const [destination, length] = text.split('/');
    return { destination: ip(destination!), prefixLength: Number(length), device, ...more };
  };

  test('the longest prefix wins, whatever the order of adding', () => {
    const prefixes = fc.uniqueArray(
      fc.tuple(fc.integer({ min: 0, max: 0xefff_ffff }), fc.integer({ min: 0, max: 32 })),
      { maxLength: 60, selector: ([address, length]) => `${networkOf(address, length)}/${length}` },
    );
    fc.assert(
      fc.property(prefixes, fc.array(fc.integer({ min: 0, max: 0xefff_ffff })), (routes, probes) => {
        const table = new Fib();
        for (const [destination, prefixLength] of routes) table.add({ destination, prefixLength, device });
        for (const probe of [...probes, ...routes.map(([address]) => address)]) {
          const best = routes
            .filter(([address, length]) => networkOf(address, length) === networkOf(probe, length))
            .sort(([, a], [, b]) => b - a)[0];
          expect(table.lookup(probe)?.prefixLength).toBe(best?.[1]);
        }
        for (const [destination, prefixLength] of routes)
          expect(table.remove({ destination, prefixLength })).toBe(true);
        expect(table.size).toBe(0);
        expect(table.lookup(0)).toBe(undefined);
      }),
    );
  });

  test('is listed as `ip route` does', () => {
    fib.add(route('10.244.2.0/24'));
    fib.add(route('10.244.0.0/16'));
    fib.add(route('10.244.0.0/24'));
    fib.add(route('0.0.0.0/0', { metric: 100 }));
    fib.add(route('0.0.0.0/0'));
    expect(fib.list().map((entry) => `${formatIpv4(entry.destination)}/${entry.prefixLength} ${entry.metric}`)).toEqual(
      ['0.0.0.0/0 0', '0.0.0.0/0 100', '10.244.0.0/24 0', '10.244.0.0/16 0', '10.244.2.0/24 0'],
    );
  });

  test('of two routes to one prefix the lower metric is taken, the other when its device is down', () => {
    const other = TestNetwork.pair().link[1];
    fib.add(route('0.0.0.0/0', { metric: 20, device: other }));
    fib.add(route('0.0.0.0/0', { metric: 10 }));
    expect(fib.lookup(1)?.device).toBe(device);
    device.up = false;
    expect(fib.lookup(1)?.device).toBe(other);
  });

  test('the same prefix and metric twice is EEXIST; replace is not', () => {
    fib.add(route('10.0.0.0/8'));
    expect(() => fib.add(route('10.0.0.0/8'))).toThrow(/10\.0\.0\.0\/8 .*there already/);
    fib.replace(route('10.0.0.0/8', { source: 5 }));
    expect(fib.lookup(ip('10.1.1.1'))?.source).toBe(5);
    expect(fib.size).toBe(1);
  });

  test('a gateway must be on the link, unless onLink says so', () => {
    expect(() => fib.add(route('0.0.0.0/0', { gateway: ip('10.0.0.1') }))).toThrow(/10\.0\.0\.1 is not on the link/);
    fib.add(route('10.244.1.0/24', { gateway: ip('10.244.1.0'), onLink: true }));
    fib.add(route('10.0.0.0/24'));
    fib.add(route('0.0.0.0/0', { gateway: ip('10.0.0.1') }));
    expect(fib.lookup(ip('8.8.8.8'))?.gateway).toBe(ip('10.0.0.1'));
  });

  test('a unicast route needs a device', () => {
    expect(() => fib.add({ destination: 0, prefixLength: 0 })).toThrow(/no device/);
    expect(fib.add({ destination: 0, prefixLength: 0, type: 'blackhole' }).device).toBe(null);
  });
});
