import { expect, it } from 'vitest';
import { SELECTOR_PATTERN } from './selector-pattern.ts';

const pattern = new RegExp(SELECTOR_PATTERN);

it.each([
  '',
  '  ',
  'all()',
  '!global()',
  'has( role )',
  "role == 'web-1'",
  'role != "web"',
  "role=='web'&&has(a.b/c)",
  "env in {'prod','test'}",
  "env not  in { 'prod' , 'test' }",
  'env in {}',
  "role contains 'eb' || role starts with 'web' || role ends with \"-2\"",
  "(has(x) || has(role)) && !(env == 'test')",
  ' ! ( ! has(x) ) ',
  "projectcalico.org/namespace == 'shop'",
])('%s is a selector', (text) => {
  expect(pattern.test(text)).toBe(true);
});

it.each([
  'role',
  "role = 'x'",
  'role == x',
  "role == 'web' &&",
  '&& has(a)',
  'has(a) has(b)',
  'has()',
  "role in 'a'",
  "role in {'a',}",
  "role starts 'a'",
  "role == 'x",
])('%s is none', (text) => {
  expect(pattern.test(text)).toBe(false);
});

it('reads a long text that almost is one', () => {
  expect(pattern.test(`${'(  has(a)  &&  '.repeat(200)}x`)).toBe(false);
});
