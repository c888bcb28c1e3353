import { expect, test } from 'vitest';
import { changesText } from './changes-table.ts';
import type { Change } from './what-if.ts';

const change = (to: string, protocol: string, ports: string): Change => ({
  from: 'shop/web',
  to,
  protocol,
  ports,
  after: 'denied',
  cause: 'NetworkPolicy shop/deny',
});
const allOf = (to: string): Change[] => [
  change(to, 'TCP', 'all'),
  change(to, 'UDP', 'all'),
  change(to, 'SCTP', 'all'),
  change(to, 'ICMP', ''),
];

test('a pair that changes for every protocol is one row', () => {
  expect(changesText([...allOf('shop/db'), change('shop/cart', 'TCP', '80')])).toBe(
    [
      'FROM      TO         PROTOCOL  PORTS  WOULD BE  BY',
      'shop/web  shop/db    any       all    denied    NetworkPolicy shop/deny',
      'shop/web  shop/cart  TCP       80     denied    NetworkPolicy shop/deny',
      '',
      '2 pairs of pods would see a change',
    ].join('\n'),
  );
});

test('a protocol that keeps a port is told of by itself, and so are the others', () => {
  const changes = allOf('shop/db').map((one) => (one.protocol === 'TCP' ? { ...one, ports: '1-79' } : one));
  expect(changesText(changes).split('\n')).toHaveLength(7);
  expect(changesText(changes)).toMatch(/\n1 pair of pods would see a change$/);
});

test('nothing to tell', () => {
  expect(changesText([])).toBe('no pair of pods would see a change');
});
