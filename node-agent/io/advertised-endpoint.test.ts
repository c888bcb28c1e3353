import { describe, expect, it } from 'vitest';
import { advertisedEndpoint } from './advertised-endpoint.ts';

const entry = (address: string, internal = false) => ({
  address,
  internal,
  family: 'IPv4' as const,
  netmask: '255.255.0.0',
  mac: '00:00:00:00:00:00',
  cidr: `${address}/16`,
});
const loopback = { lo: [entry('127.0.0.1', true)] };
const everywhere = { address: '0.0.0.0', port: 4789 };

describe('the advertised endpoint', () => {
  it('is what the user says', () => {
    const advertise = { host: '10.0.0.9', port: 5000 };
    expect(advertisedEndpoint({ advertise, bound: everywhere, interfaces: {} })).toEqual({
      address: '10.0.0.9',
      port: 5000,
    });
  });

  it('is the bound address', () => {
    const bound = { address: '127.0.1.10', port: 4789 };
    expect(advertisedEndpoint({ advertise: undefined, bound, interfaces: loopback })).toEqual(bound);
  });

  it("is a container's only address when bound to all", () => {
    const interfaces = { ...loopback, eth0: [entry('172.18.0.5')] };
    expect(advertisedEndpoint({ advertise: undefined, bound: everywhere, interfaces })).toEqual({
      address: '172.18.0.5',
      port: 4789,
    });
  });

  it('has to be said where there are several or none', () => {
    const several = { eth0: [entry('172.18.0.5')], eth1: [entry('10.1.0.5')] };
    expect(() => advertisedEndpoint({ advertise: undefined, bound: everywhere, interfaces: several })).toThrow(
      'PODWIRE_NODE_ADVERTISE',
    );
    expect(() => advertisedEndpoint({ advertise: undefined, bound: everywhere, interfaces: loopback })).toThrow(
      'no address',
    );
  });
});
