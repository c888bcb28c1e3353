import { expect, it } from 'vitest';
import { nameMatches } from './name-pattern.ts';

it.each([
  ['*', 'anything.at.all', true],
  ['*.cilium.io', 'docs.cilium.io', true],
  ['*.cilium.io', 'DOCS.Cilium.io.', true],
  ['*.cilium.io', 'cilium.io', false],
  ['*.cilium.io', 'a.docs.cilium.io', false],
  ['**.cilium.io', 'a.docs.cilium.io', true],
  ['**.cilium.io', 'cilium.io', false],
  ['*cilium.io', 'notcilium.io', true],
  ['*cilium.io', 'cilium.io', true],
  ['sub*.cilium.io', 'sub-1.cilium.io', true],
  ['*.*.svc.cluster.local', 'web.shop.svc.cluster.local', true],
  ['a.b', 'axb', false],
  ['a*b*c.io', 'a-bb-bc.io', true],
  ['a*b*c.io', 'a-bb-b.io', false],
  ['*.io', '.io', true],
  ['**.io', '.io', false],
  ['a*.io', 'a b.io', false],
])('the pattern %s and the name %s: %s', (matchPattern, name, matches) => {
  expect(nameMatches({ matchPattern }, name)).toBe(matches);
});

it('a name is itself, whatever its case, with and without the dot of the root', () => {
  expect(nameMatches({ matchName: 'API.example.com' }, 'api.example.com.')).toBe(true);
  expect(nameMatches({ matchName: 'api.example.com.' }, 'api.example.com')).toBe(true);
  expect(nameMatches({ matchName: 'example.com' }, 'api.example.com')).toBe(false);
  expect(nameMatches({}, 'api.example.com')).toBe(false);
  expect(nameMatches({ matchName: 'a.b', matchPattern: '*.c' }, 'x.c')).toBe(true);
});

it('a pattern of many stars is answered', () => {
  expect(nameMatches({ matchPattern: `${'*a'.repeat(60)}.io` }, `${'a'.repeat(59)}b.io`)).toBe(false);
});
