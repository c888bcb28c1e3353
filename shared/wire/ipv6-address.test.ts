import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addressDigest,
  bindingCovers,
  compareAddresses,
  formatAddress,
  formatPrefix,
  isInNetwork,
  isSubnetOf,
  parseAddress,
  parsePrefix,
} from './ip-address.ts';
import * as address from './ipv6-address.ts';
import { Ipv6Table, isIpv6, NO_ADDRESS } from './ipv6-table.ts';

const parsed = (text: string): number => {
  const found = parseAddress(text);
  if (found === undefined) throw new Error(`not an address: ${text}`);
  return found;
};
const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
const groups = fc.array(group, { minLength: 8, maxLength: 8 });

describe('text', () => {
  test.each([
    ['2001:0DB8:0:0:8:800:200C:417A', '2001:db8::8:800:200c:417a'], // RFC 4291 section 2.2
    ['FF01:0:0:0:0:0:0:101', 'ff01::101'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'], // RFC 5952 section 4.2.2
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'], // section 4.2.3
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::ffff:129.144.52.38', '::ffff:129.144.52.38'], // section 5
    ['1::', '1::'],
    ['::1:2:3:4:5:6:7', '0:1:2:3:4:5:6:7'],
    ['fd00:10:244:1::5', 'fd00:10:244:1::5'],
  ])('%s is %s', (text, canonical) => expect(formatAddress(parsed(text))).toBe(canonical));

  test.each([
    '',
    ':',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '12345::',
    'g::',
    '1:2:3:4:5:6:7:8::',
    '::1.2.3',
    '::256.1.1.1',
    '1.2.3.4::',
    'fe80::1%eth0',
    '::1/64',
    ':1::',
    '240.0.0.1',
    '255.255.255.255 ',
  ])('%j is none', (text) => expect(parseAddress(text)).toBeUndefined());

  test('what is formatted is parsed to the same number', () => {
    fc.assert(
      fc.property(groups, (list) => {
        const text = list.map((value) => value.toString(16)).join(':');
        const number = parsed(text);
        expect(isIpv6(number)).toBe(true);
        expect(parsed(formatAddress(number))).toBe(number);
      }),
    );
  });

  test('prefixes', () => {
    expect(formatPrefix(parsePrefix('fd00:10:244::/56')!)).toBe('fd00:10:244::/56');
    expect(parsePrefix('fd00::/129')).toBeUndefined();
    expect(parsePrefix('10.0.0.0/33')).toBeUndefined();
    expect(formatPrefix(parsePrefix('10.0.0.0/8')!)).toBe('10.0.0.0/8');
  });
});

describe('networks', () => {
  test('an address is in a network of its family alone', () => {
    expect(isInNetwork(parsed('fd00:10:244:1::5'), parsed('fd00:10:244:1::'), 64)).toBe(true);
    expect(isInNetwork(parsed('fd00:10:244:2::5'), parsed('fd00:10:244:1::'), 64)).toBe(false);
    expect(isInNetwork(parsed('fd00:10:244:1::5'), parsed('0.0.0.0'), 0)).toBe(false);
    expect(isInNetwork(parsed('10.0.0.1'), parsed('::'), 0)).toBe(false);
  });

  test('a network is in another one that has the shorter prefix', () => {
    const isIn = (inner: string, outer: string) => isSubnetOf(parsePrefix(inner)!, parsePrefix(outer)!);
    expect(isIn('10.1.0.0/16', '10.0.0.0/8')).toBe(true);
    expect(isIn('10.0.0.0/8', '10.1.0.0/16')).toBe(false);
    expect(isIn('10.1.0.0/16', '10.1.0.0/16')).toBe(true);
    expect(isIn('10.1.0.0/16', '10.2.0.0/15')).toBe(false);
    expect(isIn('fd00:1::/64', 'fd00::/16')).toBe(true);
    expect(isIn('fd00::/16', '0.0.0.0/0')).toBe(false);
  });

  test('a mask keeps the first bits', () => {
    fc.assert(
      fc.property(groups, fc.integer({ min: 0, max: 128 }), (list, length) => {
        const text = list.map((value) => value.toString(16)).join(':');
        const bits = list.map((value) => value.toString(2).padStart(16, '0')).join('');
        const kept = bits.slice(0, length).padEnd(128, '0');
        const expected = kept
          .match(/.{16}/g)!
          .map((part) => Number.parseInt(part, 2).toString(16))
          .join(':');
        expect(address.ipv6NetworkOf(parsed(text), length)).toBe(parsed(expected));
      }),
    );
  });

  test('counting on crosses a word', () => {
    expect(formatAddress(address.ipv6Plus(parsed('fd00::ffff:ffff'), 1))).toBe('fd00::1:0:0');
  });

  test('what is made of an address', () => {
    expect(formatAddress(address.solicitedNodeOf(parsed('fd00::1:abcd:ef01')))).toBe('ff02::1:ffcd:ef01');
    expect(address.multicastMacOf(parsed('ff02::1:ffcd:ef01'))).toBe(0x3333_ffcd_ef01);
    expect(formatAddress(address.linkLocalOf(0x0a58_0af4_0105))).toBe('fe80::858:aff:fef4:105');
    expect(address.mappedIpv4(address.mapIpv4(parsed('10.1.2.3')))).toBe(parsed('10.1.2.3'));
    expect(address.mappedIpv4(parsed('fd00::1'))).toBeUndefined();
    expect(address.isLinkLocal(parsed('febf::1'))).toBe(true);
    expect(address.isLinkLocal(parsed('fec0::1'))).toBe(false);
  });

  test('order, and what a binding covers', () => {
    const sorted = ['fd00::2', '10.0.0.2', '::1', '10.0.0.1', 'fd00::1'].map(parsed).sort(compareAddresses);
    expect(sorted.map(formatAddress)).toEqual(['10.0.0.1', '10.0.0.2', '::1', 'fd00::1', 'fd00::2']);
    expect(bindingCovers(0, parsed('10.0.0.1'))).toBe(true);
    expect(bindingCovers(0, parsed('fd00::1'))).toBe(false);
    expect(bindingCovers(address.ANY_IPV6, parsed('10.0.0.1'))).toBe(true);
    expect(bindingCovers(address.ANY_IPV6, parsed('fd00::1'))).toBe(true);
    expect(bindingCovers(parsed('fd00::2'), parsed('fd00::1'))).toBe(false);
  });

  test('a digest is of the address, not of its place', () => {
    expect(addressDigest(parsed('fd00::1'))).not.toBe(addressDigest(parsed('fd00::2')));
    expect(addressDigest(parsed('10.0.0.1'))).toBe(parsed('10.0.0.1'));
  });
});

describe('the table', () => {
  test('one number an address, through growth', () => {
    const table = new Ipv6Table();
    const numbers = Array.from({ length: 5000 }, (_, i) => table.intern(0xfd00_0000, 0, i % 7, i));
    expect(new Set(numbers).size).toBe(5000);
    table.reseed(12345);
    for (const [i, number] of numbers.entries()) expect(table.intern(0xfd00_0000, 0, i % 7, i)).toBe(number);
    expect(table.size).toBe(5000);
  });

  test('when it is full, what is new is no address and what is known stays', () => {
    const table = new Ipv6Table(4);
    const known = [1, 2, 3, 4].map((word) => table.intern(0, 0, 0, word));
    expect(table.intern(0, 0, 0, 5)).toBe(NO_ADDRESS);
    expect(table.refused).toBe(1);
    expect([1, 2, 3, 4].map((word) => table.intern(0, 0, 0, word))).toEqual(known);
  });

  test('a sweep frees what nobody holds and nobody named since the one before', () => {
    const table = new Ipv6Table(4);
    const pinned = table.pin(0, 0, 0, 1);
    const held = table.intern(0, 0, 0, 2);
    const holder = { visitAddresses: (visit: (address: number) => void) => visit(held) };
    table.hold(holder);
    table.intern(0, 0, 0, 3);
    table.sweep();
    expect(table.size).toBe(3);
    table.sweep();
    expect(table.size).toBe(2);
    expect(table.find(0, 0, 0, 3)).toBe(NO_ADDRESS);
    expect(table.find(0, 0, 0, 1)).toBe(pinned);
    expect(table.find(0, 0, 0, 2)).toBe(held);
    expect(table.intern(9, 9, 9, 9)).not.toBe(NO_ADDRESS);
  });
});
