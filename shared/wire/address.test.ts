import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as address from './address.ts';

describe('IPv4 text', () => {
  test('round trip', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (value) => {
        expect(address.parseIpv4(address.formatIpv4(value))).toBe(value);
      }),
    );
  });

  test.each(['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '1.2.3.a', ' 1.2.3.4', '1..2.3'])(
    '"%s" is none',
    (text) => {
      expect(address.parseIpv4(text)).toBe(undefined);
    },
  );
});

describe('prefixes', () => {
  test('known ones', () => {
    expect(address.parseIpv4Prefix('10.244.1.0/24')).toEqual({ address: 0x0af4_0100, prefixLength: 24 });
    expect(address.parseIpv4Prefix('10.244.1.0/33')).toBe(undefined);
    expect(address.parseIpv4Prefix('10.244.1.0')).toBe(undefined);
    expect(address.prefixMask(0)).toBe(0);
    expect(address.prefixMask(32)).toBe(0xffff_ffff);
    expect(address.networkOf(0xc0a8_01ff, 24)).toBe(0xc0a8_0100);
    expect(address.broadcastOf(0xc0a8_0101, 24)).toBe(0xc0a8_01ff);
    expect(address.broadcastOf(0xc0a8_0101, 32)).toBe(0xc0a8_0101);
  });
});

describe('MAC text', () => {
  test('round trip', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff_ffff }), (value) => {
        expect(address.parseMac(address.formatMac(value))).toBe(value);
      }),
    );
    expect(address.parseMac('0a:58:0a:f4:01')).toBe(undefined);
    expect(address.formatMac(address.macOfIpv4(0x0af4_0105))).toBe('0a:58:0a:f4:01:05');
  });
});
