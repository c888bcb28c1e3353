import { expect, test } from 'vitest';
import { ipv6At, ipv6Offset } from './ipv6-network.ts';

test.each([
  ['fd00:10:244::/56', 2n ** 64n, 'fd00:10:244:1::'],
  ['fd00:10:244::/56', 0n, 'fd00:10:244::'],
  ['fd00:10:96::/108', 10n, 'fd00:10:96::a'],
  ['fd00:10:96::/108', 0x1_2345n, 'fd00:10:96::1:2345'],
  ['::/0', 1n, '::1'],
  ['1:2:3:4:5:6:7:8/128', 0n, '1:2:3:4:5:6:7:8'],
])('%s and %s is %s', (network, offset, address) => {
  expect(ipv6At(network, offset)).toBe(address);
  expect(ipv6Offset(network, address)).toBe(offset);
});

test('an address elsewhere has no place', () => {
  expect(ipv6Offset('fd00:10:96::/108', 'fd00:10:97::1')).toBeUndefined();
  expect(ipv6Offset('fd00:10:96::/108', 'fd00:10:95:ffff::')).toBeUndefined();
});
